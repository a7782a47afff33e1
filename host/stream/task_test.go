package stream

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/state"
	"github.com/wasmstream/wasmstream/topology"
)

// stub is a processor made of functions, those that are nil do nothing; it forwards what process returns.
type stub struct {
	init    func(ctx topology.Context) error
	process func(ctx topology.Context, frame []topology.Record) error
	flush   func(ctx topology.Context) error
	close   func() error
	ctx     topology.Context
}

func (s *stub) New() (topology.Processor, error) { return s, nil }

func (s *stub) Init(ctx topology.Context) error {
	s.ctx = ctx
	if s.init != nil {
		return s.init(ctx)
	}
	return nil
}

func (s *stub) Process(frame []topology.Record) error {
	if s.process != nil {
		return s.process(s.ctx, frame)
	}
	return s.ctx.Forward(frame)
}

func (s *stub) Flush() error {
	if s.flush != nil {
		return s.flush(s.ctx)
	}
	return nil
}

func (s *stub) Close() error {
	if s.close != nil {
		return s.close()
	}
	return nil
}

// inputOf is the only source partition of the tasks below.
var inputOf = topology.TopicPartition{Topic: "in"}

// stubTask is in -> stub -> out.
func stubTask(t testing.TB, s *stub, change func(*TaskConfig)) (*Task, *recordingCollector) {
	t.Helper()
	topo := topology.New()
	if err := errors.Join(
		topo.AddSource("source", topology.SourceOptions{}, "in"),
		topo.AddProcessor("stub", s, "source"),
		topo.AddSink("sink", "out", topology.SinkOptions{}, "stub"),
	); err != nil {
		t.Fatal(err)
	}
	collector := &recordingCollector{Topics: make(map[string][]string)}
	c := TaskConfig{
		ID: topology.TaskID{Partition: 3}, ApplicationID: "app", Subtopology: topo.Subtopologies("app")[0], Collector: collector,
		Inputs: []topology.TopicPartition{inputOf}, Settings: map[string]string{"colour": "blue"},
	}
	if change != nil {
		change(&c)
	}
	task, err := NewTask(c)
	if err != nil {
		t.Fatal(err)
	}
	return task, collector
}

func startStub(t testing.TB, s *stub, change func(*TaskConfig)) (*Task, *recordingCollector) {
	t.Helper()
	task, collector := stubTask(t, s, change)
	if err := task.Init(1000); err != nil {
		t.Fatal(err)
	}
	return task, collector
}

// inputs are records of the topic in: value vN at N*10 ms, for the offsets from to below to.
func inputs(from, to int64) []*kgo.Record {
	var recs []*kgo.Record
	for o := from; o < to; o++ {
		recs = append(recs, &kgo.Record{Topic: "in", Offset: o, LeaderEpoch: 7, Value: fmt.Appendf(nil, "v%d", o), Timestamp: time.UnixMilli(o * 10)})
	}
	return recs
}

func mustProcess(t testing.TB, task *Task, want int) {
	t.Helper()
	n, err := task.Process(1000, math.MaxInt)
	if err != nil || n != want {
		t.Fatalf("processed %d records, error %v; want %d", n, err, want)
	}
}

func TestTaskCommitsWhatItProcessed(t *testing.T) {
	task, collector := startStub(t, &stub{}, nil)
	if task.CommitNeeded() || len(task.Offsets()) > 0 {
		t.Error("a new task wants to commit")
	}
	if err := task.AddRecords(inputOf, inputs(40, 50), 50); err != nil {
		t.Fatal(err)
	}
	if task.CommitNeeded() || len(task.Offsets()) > 0 {
		t.Error("records that wait are committed")
	}
	n, err := task.Process(1000, 4)
	if n != 4 || err != nil {
		t.Fatal(n, err)
	}
	metadata := TopicPartitionMetadata{PartitionTime: 430}.Encode()
	want := map[topology.TopicPartition]OffsetAndMetadata{inputOf: {Offset: 44, LeaderEpoch: 7, Metadata: metadata}}
	if diff := cmp.Diff(want, task.Offsets()); diff != "" {
		t.Errorf("offsets (-want +got):\n%s", diff)
	}
	if records, bytes := task.Buffered(inputOf); records != 6 || bytes <= 0 {
		t.Errorf("buffered: %d records, %d bytes; want 6", records, bytes)
	}
	if err := task.PrepareCommit(); err != nil {
		t.Fatal(err)
	}
	task.PostCommit()
	if task.CommitNeeded() || len(task.Offsets()) > 0 {
		t.Error("a commit is needed just after one")
	}
	mustProcess(t, task, 6)
	if got := task.Offsets()[inputOf].Offset; got != 50 {
		t.Errorf("offset at the end: %d, want 50", got)
	}
	if len(collector.Topics["out"]) != 10 {
		t.Errorf("outputs: %q", collector.Topics["out"])
	}
}

func TestPositionPassesTransactionMarkers(t *testing.T) {
	task, _ := startStub(t, &stub{}, nil)
	task.SetPosition(inputOf, 5, 5)
	if task.CommitNeeded() {
		t.Error("nothing was processed, yet a commit is needed")
	}
	_ = task.AddRecords(inputOf, inputs(5, 7), 9)
	task.SetPosition(inputOf, 9, 9)
	mustProcess(t, task, 2)
	if got := task.Offsets()[inputOf].Offset; got != 9 {
		t.Errorf("offset: %d, want 9, the consumer's position", got)
	}
	task.PostCommit()
	task.SetPosition(inputOf, 12, 12)
	if got := task.Offsets()[inputOf].Offset; !task.CommitNeeded() || got != 12 {
		t.Errorf("commit needed %v, offset %d; want true, 12", task.CommitNeeded(), got)
	}
}

func TestLagIsWhatIsNotProcessed(t *testing.T) {
	task, _ := startStub(t, &stub{}, nil)
	want := func(when string, records, timestamp int64, known bool) {
		t.Helper()
		if r, ts, ok := task.Lag(inputOf); r != records || ts != timestamp || ok != known {
			t.Errorf("%s: %d, %d, %v; want %d, %d, %v", when, r, ts, ok, records, timestamp, known)
		}
	}
	want("at first", 0, 0, false)
	_ = task.AddRecords(inputOf, inputs(5, 8), 20)
	want("with records that wait", 15, -1, true)
	mustProcess(t, task, 3)
	want("with records that are not fetched", 12, 70, true)
	_ = task.AddRecords(inputOf, inputs(8, 20), 20)
	mustProcess(t, task, 12)
	want("at the end", 0, 190, true)
}

func TestTaskGoesOnFromCommittedTime(t *testing.T) {
	task, _ := startStub(t, &stub{}, nil)
	task.RestoreTime(inputOf, TopicPartitionMetadata{PartitionTime: 5000}.Encode())
	task.RestoreTime(inputOf, "not of Kafka Streams")
	_ = task.AddRecords(inputOf, inputs(0, 1), -1)
	mustProcess(t, task, 1)
	if task.StreamTime() != 5000 {
		t.Errorf("stream time %d, want 5000", task.StreamTime())
	}
}

func TestFullBeyondEitherBound(t *testing.T) {
	task, _ := startStub(t, &stub{}, func(c *TaskConfig) { c.BufferedRecords, c.BufferedBytes = 4, 1<<20 })
	_ = task.AddRecords(inputOf, inputs(0, 4), -1)
	if task.Full(inputOf) {
		t.Error("full at the bound")
	}
	_ = task.AddRecords(inputOf, inputs(4, 5), -1)
	if !task.Full(inputOf) {
		t.Error("not full above the bound")
	}
	mustProcess(t, task, 5)
	_ = task.AddRecords(inputOf, []*kgo.Record{{Topic: "in", Offset: 5, Value: make([]byte, 2<<20)}}, -1)
	if !task.Full(inputOf) {
		t.Error("not full above the bound in bytes")
	}
}

func TestCommitRequestEndsTheRound(t *testing.T) {
	asked := 0
	task, _ := startStub(t, &stub{process: func(ctx topology.Context, frame []topology.Record) error {
		asked++
		ctx.Commit()
		return nil
	}}, func(c *TaskConfig) { c.FrameRecords = 2 })
	_ = task.AddRecords(inputOf, inputs(0, 6), -1)
	mustProcess(t, task, 2)
	if !task.CommitRequested() {
		t.Error("no commit is requested")
	}
	mustProcess(t, task, 0)
	task.PostCommit()
	mustProcess(t, task, 2)
}

func TestErrorsNameNodeAndRecords(t *testing.T) {
	task, _ := startStub(t, &stub{process: func(topology.Context, []topology.Record) error { return errors.New("out of order") }}, nil)
	_ = task.AddRecords(inputOf, inputs(3, 6), -1)
	_, err := task.Process(1000, 10)
	e, ok := errors.AsType[*ProcessingError](err)
	if !ok || e.Node != "stub" || *e.Origin != inputOf || e.First != 3 || e.Last != 5 {
		t.Fatalf("%+v", err)
	}
	if !errs.RecordProcessing.Is(err) || !strings.Contains(err.Error(), "in-0@3..5") || !strings.Contains(err.Error(), "out of order") {
		t.Errorf("error for users: %v", err)
	}
	for _, again := range []error{task.PrepareCommit(), second(task.Process(0, 1)), second(task.PunctuateSystemTime(0))} {
		if !errors.Is(again, err) {
			t.Errorf("a task that failed answers %v", again)
		}
	}
	if err := errors.Join(task.Close(CloseDirty), task.Close(CloseDirty)); err != nil {
		t.Error(err)
	}
}

func second[T any](_ T, err error) error { return err }

// failingCollector cannot send.
type failingCollector struct{ err error }

func (c failingCollector) Send(string, int32, *topology.Record) error { return c.err }

func TestLogAndContinueDropsTheRecordThatFails(t *testing.T) {
	fail := func(ctx topology.Context, frame []topology.Record) error {
		for i := range frame {
			if frame[i].Offset == 4 {
				return errors.New("four")
			}
		}
		return ctx.Forward(frame)
	}
	task, collector := startStub(t, &stub{process: fail}, func(c *TaskConfig) { c.Processing = LogAndContinue })
	_ = task.AddRecords(inputOf, inputs(3, 6), -1)
	mustProcess(t, task, 3)
	if len(collector.Topics["out"]) != 2 || task.Metrics().Dropped.Load() != 1 {
		t.Errorf("outputs %q, dropped %d", collector.Topics["out"], task.Metrics().Dropped.Load())
	}

	gone := fmt.Errorf("%w: fenced", ErrTaskMigrated)
	task, _ = startStub(t, &stub{}, func(c *TaskConfig) { c.Processing, c.Collector = LogAndContinue, failingCollector{gone} })
	_ = task.AddRecords(inputOf, inputs(0, 1), -1)
	if _, err := task.Process(0, 1); !errors.Is(err, ErrTaskMigrated) {
		t.Errorf("an error of the collector was swallowed: %v", err)
	}
}

func TestSinkRefusesNegativeTimestamps(t *testing.T) {
	task, _ := startStub(t, &stub{process: func(ctx topology.Context, frame []topology.Record) error {
		return ctx.Forward([]topology.Record{{Timestamp: -1}})
	}}, nil)
	_ = task.AddRecords(inputOf, inputs(0, 1), -1)
	if _, err := task.Process(0, 1); !errs.RecordTimestamp.Is(err) {
		t.Errorf("got %v", err)
	}
}

func TestContextKnowsTheTask(t *testing.T) {
	var got string
	task, _ := startStub(t, &stub{init: func(ctx topology.Context) error {
		colour, ok := ctx.AppConfig("colour")
		_, missing := ctx.AppConfig("shape")
		got = fmt.Sprint(ctx.ApplicationID(), ctx.TaskID(), ctx.NodeName(), ctx.Children(), ctx.StreamTime(), ctx.SystemTime(), colour, ok, missing)
		return nil
	}}, nil)
	if want := "app0_3stub[sink]-1 1000 blue true false"; strings.ReplaceAll(got, " ", "") != strings.ReplaceAll(want, " ", "") {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if err := task.Close(CloseShutdown); err != nil {
		t.Error(err)
	}
}

func TestContextRefuses(t *testing.T) {
	tests := map[string]func(ctx topology.Context) error{
		"a store that is not connected": func(ctx topology.Context) error { return second(ctx.Store("counts")) },
		"a child that is not there":     func(ctx topology.Context) error { return ctx.ForwardTo(1, nil) },
		"a schedule without interval":   func(ctx topology.Context) error { return second(ctx.Schedule(0, topology.StreamTime, nil)) },
		"a guest without modules":       func(ctx topology.Context) error { return second(ctx.Guest(topology.GuestRef{Module: "m"})) },
	}
	for name, call := range tests {
		t.Run(name, func(t *testing.T) {
			task, _ := stubTask(t, &stub{init: call}, nil)
			err := task.Init(0)
			if err == nil {
				t.Fatal("no error")
			}
			if second := task.PrepareCommit(); !errors.Is(second, err) {
				t.Errorf("a task that did not start answers %v", second)
			}
		})
	}
}

func TestNewTaskReportsEveryFault(t *testing.T) {
	_, err := NewTask(TaskConfig{MaxTaskIdle: -time.Second, FrameRecords: -1})
	for _, part := range []string{"collector", "max.task.idle.ms", "bounds"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v does not speak of %s", err, part)
		}
	}
	if _, err := ParseTimestampExtractor("com.example.Mine"); err == nil {
		t.Error("a class of the user was taken for a timestamp extractor")
	}
	for class, want := range map[string]TimestampExtractor{
		"org.apache.kafka.streams.processor.WallclockTimestampExtractor": WallclockTimestampExtractor, "": FailOnInvalidTimestamp,
		"UsePartitionTimeOnInvalidTimestamp": UsePartitionTimeOnInvalidTimestamp, "LogAndSkipOnInvalidTimestamp": LogAndSkipOnInvalidTimestamp,
	} {
		if got, err := ParseTimestampExtractor(class); err != nil || got != want {
			t.Errorf("%q: %v, %v", class, got, err)
		}
	}
}

func TestUnknownTopicsAreRefused(t *testing.T) {
	task, _ := startStub(t, &stub{}, nil)
	other := topology.TopicPartition{Topic: "other"}
	if err := task.AddRecords(other, inputs(0, 1), -1); err == nil {
		t.Error("records of another topic were taken")
	}
	task.SetPosition(other, 1, 1)
	task.RestoreTime(other, "")
	if records, bytes := task.Buffered(other); records != 0 || bytes != 0 || task.Full(other) {
		t.Error("another topic is buffered")
	}
}

func TestFlushComesBeforeStoresInTopologicalOrder(t *testing.T) {
	var order []string
	note := func(what string) { order = append(order, what) }
	topo := topology.New()
	upper := &stub{flush: func(ctx topology.Context) error {
		note("flush of the first")
		return ctx.Forward([]topology.Record{{Key: []byte("k")}})
	}}
	lower := &stub{
		process: func(topology.Context, []topology.Record) error { note("record at the second"); return nil },
		flush:   func(topology.Context) error { note("flush of the second"); return nil },
	}
	if err := errors.Join(
		topo.AddSource("source", topology.SourceOptions{}, "in"),
		topo.AddProcessor("first", upper, "source"), topo.AddProcessor("second", lower, "first"),
		topo.AddStateStore(&topology.StoreSpec{Name: "a", Kind: topology.KeyValue}, "first"),
		topo.AddStateStore(&topology.StoreSpec{Name: "b", Kind: topology.KeyValue}, "second"),
	); err != nil {
		t.Fatal(err)
	}
	task, err := NewTask(TaskConfig{
		Subtopology: topo.Subtopologies("app")[0], Collector: &recordingCollector{},
		Stores: map[string]state.Store{"a": notedStore{"a", note}, "b": notedStore{"b", note}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(task.Init(0), task.PrepareCommit()); err != nil {
		t.Fatal(err)
	}
	want := []string{"flush of the first", "record at the second", "store a", "flush of the second", "store b"}
	if diff := cmp.Diff(want, order); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// notedStore notes when it is flushed.
type notedStore struct {
	name string
	note func(string)
}

func (s notedStore) Name() string     { return s.name }
func (s notedStore) Persistent() bool { return false }
func (s notedStore) Flush() error     { s.note("store " + s.name); return nil }
func (s notedStore) Close() error     { return nil }

func TestDropLogIsBounded(t *testing.T) {
	var d dropLog
	if n, say := d.note("n", "why", 3, 0); !say || n != 3 {
		t.Error("the first is not said")
	}
	for range 5 {
		if _, say := d.note("n", "why", 2, 100); say {
			t.Error("said again at once")
		}
	}
	if n, say := d.note("n", "why", 1, dropLogInterval); !say || n != 11 {
		t.Errorf("after the interval: %d, %v", n, say)
	}
	for i := range 2 * maxDropReasons {
		d.note("n", fmt.Sprint(i), 1, 0)
	}
	if len(d.reasons) != maxDropReasons {
		t.Errorf("%d reasons are kept", len(d.reasons))
	}
}
