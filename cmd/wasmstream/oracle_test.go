package main_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	crashPartitions = 4
	// Half of the records have one of a few keys, whose counts change in every transaction. The others have one of many
	// keys, whose counts come from transactions long ago: a change that was lost on the way to the store or to its
	// changelog is not hidden by a later one.
	crashHotKeys  = 50
	crashColdKeys = 20_000
	// crashWindow is the size of the windows, in milliseconds.
	crashWindow = 5000
	// crashApart is about how many records may lie between the two sides of a pair.
	crashApart = 20_000
)

// keyed are n records with keys of both sorts.
func keyed(rng *rand.Rand, n int) []subjectRecord {
	batch := make([]subjectRecord, n)
	now := time.Now().Truncate(time.Millisecond)
	for i := range batch {
		key := fmt.Appendf(nil, "hot%d", rng.IntN(crashHotKeys))
		if i%2 == 1 {
			key = fmt.Appendf(nil, "cold%d", rng.IntN(crashColdKeys))
		}
		batch[i].Record = &kgo.Record{Key: key, Value: []byte("w"), Timestamp: now}
	}
	return batch
}

// fold counts keys, or keys and windows, of each partition in the order of the input.
type fold struct {
	windows bool
	// keys[p] are those of partition p that the output has not shown yet; counts[p] is the fold so far.
	keys   [crashPartitions][]string
	counts [crashPartitions]map[string]int64
}

func newFold() oracle {
	f := &fold{}
	for p := range f.counts {
		f.counts[p] = map[string]int64{}
	}
	return f
}

func newWindowFold() oracle {
	f := newFold().(*fold)
	f.windows = true
	return f
}

func (f *fold) input(rng *rand.Rand, n int) []subjectRecord { return keyed(rng, n) }

func (f *fold) wrote(r *kgo.Record, _ bool) int {
	key := r.Key
	if f.windows {
		start := r.Timestamp.UnixMilli() / crashWindow * crashWindow
		key = binary.BigEndian.AppendUint64(slices.Clone(key), uint64(start))
	}
	f.keys[r.Partition] = append(f.keys[r.Partition], string(key))
	return 1
}

func (f *fold) came(r *kgo.Record) (int, string) {
	p, key := r.Partition, string(r.Key)
	if len(f.keys[p]) == 0 {
		return 0, fmt.Sprintf("%q appears though all inputs are counted", key)
	}
	want := f.keys[p][0]
	f.keys[p] = f.keys[p][1:]
	f.counts[p][want]++
	if got := longOf(r.Value); key != want || got != f.counts[p][want] {
		return 0, fmt.Sprintf("got %q %d, the fold gives %q %d", key, got, want, f.counts[p][want])
	}
	return 1, ""
}

func (f *fold) owed(p int32) int                { return len(f.keys[p]) }
func (f *fold) folded(p int32) map[string]int64 { return f.counts[p] }

// words counts words wherever they lie. The order of different words is open, that of one word's counts is not.
type words struct {
	left   map[string]int // words whose counts have not come out yet
	counts [crashPartitions]map[string]int64
}

func newWords() oracle {
	w := &words{left: map[string]int{}}
	for p := range w.counts {
		w.counts[p] = map[string]int64{}
	}
	return w
}

func (w *words) input(rng *rand.Rand, n int) []subjectRecord {
	batch := keyed(rng, n)
	for i := range batch {
		batch[i].Value, batch[i].Key = batch[i].Key, nil
	}
	return batch
}

func (w *words) wrote(r *kgo.Record, _ bool) int {
	w.left[string(r.Value)]++
	return 1
}

func (w *words) came(r *kgo.Record) (int, string) {
	p, word := r.Partition, string(r.Key)
	if w.left[word]--; w.left[word] < 0 {
		return 0, fmt.Sprintf("%q appears though all of it is counted", word)
	}
	w.counts[p][word]++
	if got := longOf(r.Value); got != w.counts[p][word] {
		return 0, fmt.Sprintf("got %q %d, the fold gives %d", word, got, w.counts[p][word])
	}
	return 1, ""
}

func (w *words) owed(int32) int                  { return 0 }
func (w *words) folded(p int32) map[string]int64 { return w.counts[p] }

// copies are what was written, record for record.
type copies struct {
	next   int
	values [crashPartitions][]string
}

func newCopies() oracle { return &copies{} }

func (c *copies) input(rng *rand.Rand, n int) []subjectRecord {
	batch := keyed(rng, n)
	for i := range batch {
		c.next++
		batch[i].Value = strconv.AppendInt(nil, int64(c.next), 10)
	}
	return batch
}

func (c *copies) wrote(r *kgo.Record, _ bool) int {
	c.values[r.Partition] = append(c.values[r.Partition], recordText(r))
	return 1
}

func (c *copies) came(r *kgo.Record) (int, string) {
	got, p := recordText(r), r.Partition
	if len(c.values[p]) == 0 {
		return 0, got + " appears though all inputs are copied"
	}
	want := c.values[p][0]
	c.values[p] = c.values[p][1:]
	if got != want {
		return 0, fmt.Sprintf("got %s, the fold gives %s", got, want)
	}
	return 1, ""
}

func (c *copies) owed(p int32) int              { return len(c.values[p]) }
func (c *copies) folded(int32) map[string]int64 { return nil }

// pairs are two records of one number, of either topic first, and as long after each other as chance wants: half of what
// the state holds has lain there for many transactions.
type pairs struct {
	next    int
	waiting []subjectRecord // the other sides of those that were written
	half    map[string]bool // numbers of which one side was written
	due     map[string]int  // pairs that must come out
}

func newPairs() oracle { return &pairs{half: map[string]bool{}, due: map[string]int{}} }

func (j *pairs) input(rng *rand.Rand, n int) []subjectRecord {
	batch := make([]subjectRecord, 0, n)
	now := time.Now().Truncate(time.Millisecond)
	for range n {
		if len(j.waiting) > rng.IntN(crashApart) {
			i := rng.IntN(len(j.waiting))
			r := j.waiting[i]
			j.waiting[i] = j.waiting[len(j.waiting)-1]
			j.waiting = j.waiting[:len(j.waiting)-1]
			r.Timestamp = now
			batch = append(batch, r)
			continue
		}
		j.next++
		number := strconv.AppendInt(nil, int64(j.next), 10)
		sides := []subjectRecord{
			{Record: &kgo.Record{Value: number, Timestamp: now}},
			{Record: &kgo.Record{Key: number, Value: number, Timestamp: now}, right: true},
		}
		first := rng.IntN(2)
		batch = append(batch, sides[first])
		j.waiting = append(j.waiting, sides[1-first])
	}
	return batch
}

func (j *pairs) wrote(r *kgo.Record, _ bool) int {
	number := string(r.Value)
	if !j.half[number] {
		j.half[number] = true
		return 0
	}
	delete(j.half, number)
	j.due[number+"|"+number]++
	return 1
}

func (j *pairs) came(r *kgo.Record) (int, string) {
	pair := string(r.Value)
	if j.due[pair] == 0 {
		return 0, fmt.Sprintf("%q appears though all pairs are made", pair)
	}
	delete(j.due, pair)
	if number := string(r.Key); pair != number+"|"+number {
		return 0, fmt.Sprintf("got %q for %q, the fold gives another", pair, number)
	}
	return 1, ""
}

func (j *pairs) owed(int32) int                { return 0 }
func (j *pairs) folded(int32) map[string]int64 { return nil }

// tally lines up the spans of counts that a processor tells of each key.
type tally struct {
	written map[string]int64
	told    [crashPartitions]map[string]int64
}

func newTally() oracle {
	t := &tally{written: map[string]int64{}}
	for p := range t.told {
		t.told[p] = map[string]int64{}
	}
	return t
}

func (t *tally) input(rng *rand.Rand, n int) []subjectRecord { return keyed(rng, n) }

func (t *tally) wrote(r *kgo.Record, _ bool) int {
	t.written[string(r.Key)]++
	return 1
}

func (t *tally) came(r *kgo.Record) (int, string) {
	key, told := string(r.Key), t.told[r.Partition]
	if len(r.Value) != 16 {
		return 0, fmt.Sprintf("got %q, the fold gives two longs", r.Value)
	}
	from, to := longOf(r.Value[:8]), longOf(r.Value[8:])
	if from != told[key] || to <= from || to > t.written[key] {
		return 0, fmt.Sprintf("got %q %d to %d, the fold gives %d to %d at most", key, from, to, told[key], t.written[key])
	}
	told[key] = to
	return int(to - from), ""
}

func (t *tally) owed(int32) int                  { return 0 }
func (t *tally) folded(p int32) map[string]int64 { return t.told[p] }

// longOf reads Kafka's long, or -1 where there is none.
func longOf(b []byte) int64 {
	if len(b) != 8 {
		return -1
	}
	return int64(binary.BigEndian.Uint64(b))
}
