package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// pacePause is between two looks at the clock, or at a file that has not grown: latencies are exact to this.
const pacePause = time.Millisecond

// warmShare is the part of a paced input, from its beginning, that is not counted.
const warmShare = 5

// Latency is the time from the moment when a record was due at the one end, an application's input, a source's file or a
// sink's topic, until it was seen at the other, in milliseconds.
type Latency struct {
	P50 float64 `json:"p50_ms"`
	P90 float64 `json:"p90_ms"`
	P99 float64 `json:"p99_ms"`
	Max float64 `json:"max_ms"`
}

// latencyOf sorts what was measured.
func latencyOf(all []time.Duration) *Latency {
	slices.Sort(all)
	at := func(percent int) float64 {
		return float64(all[min(len(all)*percent/100, len(all)-1)].Microseconds()) / 1000
	}
	return &Latency{P50: at(50), P90: at(90), P99: at(99), Max: at(100)}
}

// schedule is an input that comes at a rate. Each record carries the time at which it is due.
type schedule struct {
	began   time.Time
	rate    int // records a second
	records int
}

func (s *schedule) due(i int) time.Time {
	return s.began.Add(time.Duration(i) * time.Second / time.Duration(s.rate))
}

// dueBy is how many records are due.
func (s *schedule) dueBy(now time.Time) int {
	return min(max(int(now.Sub(s.began)*time.Duration(s.rate)/time.Second)+1, 0), s.records)
}

// numberOf is the record that was due then, false for one of another schedule.
func (s *schedule) numberOf(due time.Time) (int, bool) {
	i := int((due.Sub(s.began)*time.Duration(s.rate) + time.Second/2) / time.Second)
	return i, i >= 0 && i < s.records && s.due(i).Equal(due)
}

const dueField = `"due":`

// appendDue appends an event of some 190 bytes, in JSON, that is due at a time.
func appendDue(dst []byte, due time.Time) []byte {
	dst = strconv.AppendInt(append(dst, `{`+dueField...), due.UnixNano(), 10)
	return append(dst, `,"user":"u0012345","type":"click","amount":482.17,"country":"DE","page":"/products/category/item-0042","agent":"Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101"}`...)
}

// readDue finds the time in what became of an event, however that is written: the digits behind the word.
func readDue(text []byte) (due time.Time, ok bool) {
	_, rest, ok := bytes.Cut(text, []byte("due"))
	if !ok {
		return due, false
	}
	from := bytes.IndexAny(rest, "0123456789")
	if from < 0 {
		return due, false
	}
	rest = rest[from:]
	to := 0
	for to < len(rest) && rest[to] >= '0' && rest[to] <= '9' {
		to++
	}
	nanos, err := strconv.ParseInt(string(rest[:to]), 10, 64)
	return time.Unix(0, nanos), err == nil
}

// conveyor has records put in at one end of a worker or an application and sees them at the other.
type conveyor struct {
	text func(dst []byte, due time.Time) []byte // the value of the record that is due then
	put  func(ctx context.Context, values [][]byte) error
	seen func(ctx context.Context, see func(value []byte)) error // what has come since the last call
}

// convey runs a schedule and returns how long each record took.
func (c *conveyor) convey(ctx context.Context, s schedule) ([]time.Duration, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	fed := make(chan struct{})
	go func() {
		defer close(fed)
		if err := c.feed(ctx, &s); err != nil {
			cancel(err)
		}
	}()
	took := make([]time.Duration, s.records)
	left := s.records
	var err error
	for left > 0 && err == nil {
		err = c.seen(ctx, func(value []byte) {
			due, ok := readDue(value)
			if !ok {
				return
			}
			if i, ok := s.numberOf(due); ok && took[i] == 0 {
				took[i] = max(time.Since(due), 1)
				left--
			}
		})
	}
	if err != nil {
		err = errors.Join(err, context.Cause(ctx))
		cancel(nil)
	}
	<-fed
	return took, err
}

// feed puts records in as they are due.
func (c *conveyor) feed(ctx context.Context, s *schedule) error {
	for i := 0; i < s.records; {
		var values [][]byte
		for n := s.dueBy(time.Now()); i < n; i++ {
			values = append(values, c.text(nil, s.due(i)))
		}
		if len(values) > 0 {
			if err := c.put(ctx, values); err != nil {
				return fmt.Errorf("writing the input: %w", err)
			}
		}
		if err := pause(ctx, pacePause); err != nil {
			return err
		}
	}
	return nil
}

// pace measures the latency of records that come at a rate.
func (r *connectRun) pace(ctx context.Context, s *Session, j connectJob, o ConnectOptions) (*Latency, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-r.ended:
			cancel(errors.New("the worker ended"))
		case <-ctx.Done():
		}
	}()
	c, done, err := r.conveyor(s, j)
	if err != nil {
		return nil, err
	}
	defer done()
	return c.latency(ctx, o.Rate, o.Records)
}

// latency has one record conveyed, and when that is through a whole schedule.
func (c *conveyor) latency(ctx context.Context, rate, records int) (*Latency, error) {
	if _, err := c.convey(ctx, schedule{began: time.Now(), rate: rate, records: 1}); err != nil {
		return nil, err
	}
	took, err := c.convey(ctx, schedule{began: time.Now(), rate: rate, records: records})
	if err != nil {
		return nil, err
	}
	return latencyOf(took[len(took)/warmShare:]), nil
}

// conveyor feeds a source's file and reads its topic, or feeds a sink's topic and reads its file.
func (r *connectRun) conveyor(s *Session, j connectJob) (c *conveyor, done func(), err error) {
	opts := []kgo.Opt{kgo.SeedBrokers(s.bootstrap), kgo.ProducerLinger(0), kgo.DefaultProduceTopic(r.topic)}
	if j.source {
		opts = append(opts, kgo.ConsumeTopics(r.topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	}
	cl, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, nil, err
	}
	flags := os.O_RDONLY
	if j.source {
		flags = os.O_WRONLY | os.O_APPEND
	}
	f, err := os.OpenFile(r.file(j), flags, 0)
	if err != nil {
		cl.Close()
		return nil, nil, err
	}
	done = func() { cl.Close(); f.Close() }
	if j.source {
		return &conveyor{text: appendDue, put: putLines(f), seen: seenRecords(cl)}, done, nil
	}
	return &conveyor{text: appendDue, put: putRecords(cl), seen: seenLines(f)}, done, nil
}

// file is the one that the connector reads, or writes when its records are paced.
func (r *connectRun) file(j connectJob) string {
	if j.source {
		return filepath.Join(r.dir, "input")
	}
	return filepath.Join(r.dir, "output")
}

func putLines(f *os.File) func(context.Context, [][]byte) error {
	var text []byte
	return func(_ context.Context, values [][]byte) error {
		text = text[:0]
		for _, v := range values {
			text = append(append(text, v...), '\n')
		}
		_, err := f.Write(text)
		return err
	}
}

func putRecords(cl *kgo.Client) func(context.Context, [][]byte) error {
	return func(ctx context.Context, values [][]byte) error {
		failed := make(chan error, 1)
		for _, v := range values {
			cl.Produce(ctx, &kgo.Record{Value: v}, func(_ *kgo.Record, err error) {
				if err != nil {
					select {
					case failed <- err:
					default:
					}
				}
			})
		}
		select {
		case err := <-failed: // of what was told at once; a record that is lost later is missed at the other end
			return err
		default:
			return nil
		}
	}
}

func seenRecords(cl *kgo.Client) func(context.Context, func([]byte)) error {
	return func(ctx context.Context, see func([]byte)) error {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return err
		}
		fetches.EachRecord(func(r *kgo.Record) {
			see(r.Key) // a counted word
			see(r.Value)
		})
		return nil
	}
}

// seenLines reads the lines that a file grows by.
func seenLines(f *os.File) func(context.Context, func([]byte)) error {
	chunk, rest := make([]byte, 256<<10), []byte(nil)
	return func(ctx context.Context, see func([]byte)) error {
		n, err := f.Read(chunk)
		if n == 0 && (err == nil || errors.Is(err, io.EOF)) {
			return pause(ctx, pacePause)
		}
		if err != nil {
			return err
		}
		rest = append(rest, chunk[:n]...)
		for {
			line, after, whole := bytes.Cut(rest, []byte("\n"))
			if !whole {
				break
			}
			see(line)
			rest = after
		}
		rest = slices.Clone(rest)
		return nil
	}
}
