package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/wasmstream/wasmstream/state"
)

// StateOptions is a measurement of stores of several sizes, on the disk, without a cluster.
type StateOptions struct {
	// Keys and Partitions: each number of keys is divided among each number of tasks, with a store each.
	Keys, Partitions []int
	// ValueBytes is the size of each value; keys have 16 bytes.
	ValueBytes int
	// Operations are the gets, and the puts, that are measured in a round, after half as many that are not.
	Operations int
	// Rounds are measured with each size in turn; percentiles and ratios are medians of theirs.
	Rounds int
	// Dir is a folder for the databases, which is left empty.
	Dir string
	// Progress is told what is begun, and how much of all is done; nil is not told.
	Progress func(doing string, done, all int)
}

// StateResult is one size. Each round is a process of its own, on the database as the one before it left it.
type StateResult struct {
	Keys       int         `json:"keys"`
	Partitions int         `json:"partitions"`
	ValueBytes int         `json:"value_bytes"`
	Get        Percentiles `json:"get"`
	Put        Percentiles `json:"put"`
	// Base is the number of keys that the ratios compare with: as many partitions, measured in the same rounds.
	Base     int    `json:"base_keys"`
	GetRatio Ratios `json:"get_ratio"`
	PutRatio Ratios `json:"put_ratio"`
	// DiskBytes and PeakRSSBytes are the largest of all rounds. What filled the database counts for neither.
	DiskBytes    int64 `json:"disk_bytes"`
	PeakRSSBytes int64 `json:"peak_rss_bytes"`
}

// Percentiles are of the time that an operation takes, in nanoseconds.
type Percentiles struct {
	P50 float64 `json:"p50_ns"`
	P99 float64 `json:"p99_ns"`
}

// Ratios are percentiles over those of the base.
type Ratios struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
}

// StateRound is what a process measured of a table.
type StateRound struct {
	Get          Percentiles `json:"get"`
	Put          Percentiles `json:"put"`
	DiskBytes    int64       `json:"disk_bytes"`
	PeakRSSBytes int64       `json:"peak_rss_bytes"`
}

// MeasureState fills a database for each size and measures them in turn.
func MeasureState(ctx context.Context, o StateOptions) ([]StateResult, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(o.Dir, "wasmstream-bench-")
	if err != nil {
		return nil, err
	}
	m := stateMeasurement{StateOptions: o, session: &Session{self: self, dir: dir}}
	for _, partitions := range o.Partitions {
		for _, keys := range o.Keys {
			m.tables = append(m.tables, StateTable{Keys: keys, Partitions: partitions, ValueBytes: o.ValueBytes, Dir: filepath.Join(dir, fmt.Sprintf("%d-%d", keys, partitions))})
		}
	}
	results, err := m.run(ctx)
	return results, errors.Join(err, os.RemoveAll(dir))
}

type stateMeasurement struct {
	StateOptions
	session *Session
	tables  []StateTable
	steps   int
}

func (m *stateMeasurement) run(ctx context.Context) ([]StateResult, error) {
	for _, t := range m.tables {
		m.tell(fmt.Sprintf("filling %d keys, %d partitions", t.Keys, t.Partitions))
		if _, err := m.session.output(ctx, m.child(t, "--fill")); err != nil {
			return nil, err
		}
	}
	rounds := make([][]StateRound, len(m.tables))
	for n := range m.Rounds {
		for i, t := range m.tables {
			m.tell(fmt.Sprintf("round %d of %d, %d keys, %d partitions", n+1, m.Rounds, t.Keys, t.Partitions))
			var r StateRound
			if err := m.session.measured(ctx, m.child(t, "--operations", strconv.Itoa(m.Operations), "--seed", strconv.Itoa(n)), &r); err != nil {
				return nil, err
			}
			rounds[i] = append(rounds[i], r)
		}
	}
	return m.results(rounds), nil
}

func (m *stateMeasurement) tell(doing string) {
	if m.Progress != nil {
		m.Progress(doing, m.steps, len(m.tables)*(1+m.Rounds))
	}
	m.steps++
}

func (m *stateMeasurement) child(t StateTable, flags ...string) *exec.Cmd {
	return exec.Command(m.session.self, append([]string{
		"bench", "table", "--dir", t.Dir, "--keys", strconv.Itoa(t.Keys),
		"--partitions", strconv.Itoa(t.Partitions), "--value-bytes", strconv.Itoa(t.ValueBytes),
	}, flags...)...)
}

// baseKeys is what a store of any size is compared with; the smallest number of keys, if it is not among them.
const baseKeys = 100_000

func (m *stateMeasurement) results(rounds [][]StateRound) []StateResult {
	base := slices.Min(m.Keys)
	if slices.Contains(m.Keys, baseKeys) {
		base = baseKeys
	}
	results := make([]StateResult, len(m.tables))
	for i, t := range m.tables {
		of := rounds[slices.IndexFunc(m.tables, func(b StateTable) bool { return b.Partitions == t.Partitions && b.Keys == base })]
		get, put := func(r StateRound) Percentiles { return r.Get }, func(r StateRound) Percentiles { return r.Put }
		r := StateResult{
			Keys: t.Keys, Partitions: t.Partitions, ValueBytes: t.ValueBytes, Base: base,
			Get: medianPercentiles(rounds[i], get), Put: medianPercentiles(rounds[i], put),
			GetRatio: medianRatios(rounds[i], of, get), PutRatio: medianRatios(rounds[i], of, put),
		}
		for _, round := range rounds[i] {
			r.DiskBytes, r.PeakRSSBytes = max(r.DiskBytes, round.DiskBytes), max(r.PeakRSSBytes, round.PeakRSSBytes)
		}
		results[i] = r
	}
	return results
}

func medianPercentiles(rounds []StateRound, of func(StateRound) Percentiles) Percentiles {
	return Percentiles{
		P50: medianOf(rounds, func(i int) float64 { return of(rounds[i]).P50 }),
		P99: medianOf(rounds, func(i int) float64 { return of(rounds[i]).P99 }),
	}
}

func medianRatios(rounds, base []StateRound, of func(StateRound) Percentiles) Ratios {
	return Ratios{
		P50: medianOf(rounds, func(i int) float64 { return of(rounds[i]).P50 / of(base[i]).P50 }),
		P99: medianOf(rounds, func(i int) float64 { return of(rounds[i]).P99 / of(base[i]).P99 }),
	}
}

func medianOf(rounds []StateRound, value func(i int) float64) float64 {
	all := make([]float64, len(rounds))
	for i := range all {
		all[i] = value(i)
	}
	return percentile(all, 50)
}

// percentile sorts v.
func percentile[T cmp.Ordered](v []T, p int) T {
	slices.Sort(v)
	return v[min(len(v)*p/100, len(v)-1)]
}

// StateTable is a database of one size, in a process of its own.
type StateTable struct {
	Keys, Partitions, ValueBytes int
	Dir                          string
}

// stateBatch is how many records are restored at once, and how many operations a transaction has.
const stateBatch = 1000

// Fill restores all keys, and returns when what that gave to compact is compacted.
func (t StateTable) Fill(ctx context.Context) error {
	db, stores, err := t.open()
	if err != nil {
		return err
	}
	for p, s := range stores {
		if err := t.fill(ctx, s, p); err != nil {
			return errors.Join(err, db.Close())
		}
	}
	return errors.Join(compacted(ctx, db), db.Close())
}

// compacted waits until nothing is compacted, and nothing new begins for a while.
func compacted(ctx context.Context, db *state.DB) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for quiet := 0; quiet < 10; quiet++ {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		if db.Stats().Compactions > 0 {
			quiet = 0
		}
	}
	return nil
}

func (t StateTable) fill(ctx context.Context, s state.TransactionalStore, partition int) error {
	records, value := make([]state.KV, 0, stateBatch), make([]byte, t.ValueBytes)
	keys := make([][]byte, stateBatch)
	for i := partition; i < t.Keys; i += t.Partitions {
		n := len(records)
		keys[n] = appendMixedKey(keys[n][:0], i)
		records = append(records, state.KV{Key: keys[n], Value: value, Timestamp: 1})
		if len(records) < stateBatch && i+t.Partitions < t.Keys {
			continue
		}
		if err := errors.Join(ctx.Err(), s.Restore(records, int64(i))); err != nil {
			return err
		}
		records = records[:0]
	}
	return s.Settle()
}

// appendMixedKey appends 16 bytes for i, at random in the order of keys.
func appendMixedKey(dst []byte, i int) []byte {
	const digits = "0123456789abcdef"
	for v, n := uint64(i)*0x9e3779b97f4a7c15, 60; n >= 0; n -= 4 {
		dst = append(dst, digits[v>>n&15])
	}
	return dst
}

func (t StateTable) open() (*state.DB, []state.TransactionalStore, error) {
	db, err := state.OpenDB(t.Dir, state.Options{})
	if err != nil {
		return nil, nil, err
	}
	stores := make([]state.TransactionalStore, t.Partitions)
	for p := range stores {
		if stores[p], err = db.NewStore(state.StoreConfig{ID: t.id(p)}); err != nil {
			return nil, nil, errors.Join(err, db.Close())
		}
	}
	return db, stores, nil
}

func (t StateTable) id(partition int) state.StoreID {
	return state.StoreID{Task: fmt.Sprintf("0_%d", partition), Store: "rows"}
}

// Measure gets and puts random keys and commits every thousand, as a thread does that has all of the tasks.
func (t StateTable) Measure(ctx context.Context, operations int, seed uint64) (StateRound, error) {
	db, stores, err := t.open()
	if err != nil {
		return StateRound{}, err
	}
	u := &tableUse{StateTable: t, db: db, stores: stores, chance: rand.New(rand.NewPCG(seed, 1)), value: make([]byte, t.ValueBytes)}
	err = u.run(ctx, operations/2)
	u.gets, u.puts = make([]time.Duration, 0, operations), make([]time.Duration, 0, operations)
	err = errors.Join(err, u.run(ctx, operations))
	disk := db.Stats().DiskBytes
	if err := errors.Join(err, db.Close()); err != nil {
		return StateRound{}, err
	}
	return StateRound{Get: percentiles(u.gets), Put: percentiles(u.puts), DiskBytes: disk, PeakRSSBytes: peakRSS()}, nil
}

func percentiles(took []time.Duration) Percentiles {
	return Percentiles{P50: float64(percentile(took, 50)), P99: float64(percentile(took, 99))}
}

// tableUse is the work on a table.
type tableUse struct {
	StateTable
	db         *state.DB
	stores     []state.TransactionalStore
	chance     *rand.Rand
	key, value []byte
	offset     int64
	gets, puts []time.Duration // nil: not measured
}

func (u *tableUse) run(ctx context.Context, operations int) error {
	for n := 1; n <= operations; n++ {
		i := u.chance.IntN(u.Keys)
		u.key = appendMixedKey(u.key[:0], i)
		if err := u.use(u.stores[i%u.Partitions].(state.KeyValueStore)); err != nil {
			return err
		}
		if n%stateBatch == 0 || n == operations {
			if err := errors.Join(ctx.Err(), u.commit()); err != nil {
				return err
			}
		}
	}
	return nil
}

func (u *tableUse) use(s state.KeyValueStore) error {
	began := time.Now()
	value, err := s.Get(u.key)
	got := time.Now()
	if err != nil {
		return err
	}
	if len(value) != u.ValueBytes {
		return fmt.Errorf("the key %s has %d bytes: %w", u.key, len(value), state.ErrNotFound)
	}
	beforePut := time.Now()
	if err := s.Put(u.key, u.value); err != nil {
		return err
	}
	if u.gets != nil {
		u.puts, u.gets = append(u.puts, time.Since(beforePut)), append(u.gets, got.Sub(began))
	}
	return nil
}

func (u *tableUse) commit() error {
	u.offset++
	batch := u.db.NewBatch()
	defer batch.Close()
	for p, s := range u.stores {
		if err := errors.Join(s.Flush(), s.Stage(batch)); err != nil {
			return err
		}
		batch.SetOffset(u.id(p), int64(u.Keys)+u.offset)
	}
	return batch.Commit()
}
