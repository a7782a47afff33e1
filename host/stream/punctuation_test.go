package stream

import (
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmstream/wasmstream/topology"
)

// ticking is a task whose node schedules a punctuator at the start and notes its calls.
func ticking(t *testing.T, interval time.Duration, typ topology.PunctuationType, calls *[]int64) *Task {
	t.Helper()
	task, _ := startStub(t, &stub{init: func(ctx topology.Context) error {
		_, err := ctx.Schedule(interval, typ, func(at int64) error {
			*calls = append(*calls, at)
			return nil
		})
		return err
	}}, nil)
	return task
}

func TestStreamTimePunctuation(t *testing.T) {
	var calls []int64
	task := ticking(t, 100*time.Millisecond, topology.StreamTime, &calls)
	if n, err := task.PunctuateStreamTime(1000); n != 0 || err != nil {
		t.Errorf("before the first record: %d calls, %v", n, err)
	}
	// Records at 0, 10, ... 990 ms: at once, then on the grid of 100 ms.
	_ = task.AddRecords(inputOf, inputs(0, 100), -1)
	mustProcess(t, task, 100)
	want := []int64{0, 100, 200, 300, 400, 500, 600, 700, 800, 900}
	if diff := cmp.Diff(want, calls); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// A gap of several intervals is one call; the grid stays.
	calls = nil
	_ = task.AddRecords(inputOf, inputs(155, 171), -1)
	mustProcess(t, task, 16)
	if diff := cmp.Diff([]int64{1550, 1600, 1700}, calls); diff != "" {
		t.Errorf("after a gap (-want +got):\n%s", diff)
	}
}

func TestWallClockPunctuation(t *testing.T) {
	var calls []int64
	task := ticking(t, 100*time.Millisecond, topology.WallClockTime, &calls) // starts at 1000
	for _, now := range []int64{1000, 1099, 1100, 1101, 1350, 1399, 1400} {
		if _, err := task.PunctuateSystemTime(now); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]int64{1100, 1350, 1400}, calls); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := task.NextSystemPunctuation(); got != 1500 {
		t.Errorf("next at %d, want 1500", got)
	}
	if !task.CommitNeeded() {
		t.Error("a punctuator ran, but no commit is needed")
	}
}

// TestPunctuationWhenTheClockJumps: forward it is one call, and back the calls go on from there, on the same grid.
func TestPunctuationWhenTheClockJumps(t *testing.T) {
	const day, hour = 24 * 60 * 60_000, 60 * 60_000
	var calls []int64
	task := ticking(t, 100*time.Millisecond, topology.WallClockTime, &calls) // starts at 1000
	for _, now := range []int64{1100, day + 1150, day + 1199, day + 1200, day - hour + 1210, day - hour + 1299, day - hour + 1300} {
		if _, err := task.PunctuateSystemTime(now); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]int64{1100, day + 1150, day + 1200, day - hour + 1300}, calls); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestNoPunctuationBeforeItsStart: a first call that was asked for a time is not brought nearer.
func TestNoPunctuationBeforeItsStart(t *testing.T) {
	q := punctuationQueue{typ: topology.WallClockTime}
	s := q.schedule(nil, 5000, 5000, 100, nil)
	if n, err := q.punctuate(1000); n != 0 || err != nil || s.next != 5000 {
		t.Errorf("%d calls, %v, the next one at %d", n, err, s.next)
	}
}

func TestPunctuatorsSeeNoRecordAndMayForward(t *testing.T) {
	task, collector := startStub(t, &stub{init: func(ctx topology.Context) error {
		_, err := ctx.Schedule(10*time.Millisecond, topology.WallClockTime, func(at int64) error {
			return ctx.Forward([]topology.Record{{Value: []byte("tick"), Timestamp: at, Offset: -1}})
		})
		return err
	}}, nil)
	if n, err := task.PunctuateSystemTime(1010); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if diff := cmp.Diff([]string{"-1 =tick at 1010, offset -1, 0 headers"}, collector.Topics["out"]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCancelInsideAndOutside(t *testing.T) {
	calls := 0
	var first, second topology.Cancellable
	task, _ := startStub(t, &stub{init: func(ctx topology.Context) (err error) {
		first, err = ctx.Schedule(10*time.Millisecond, topology.WallClockTime, func(int64) error {
			calls++
			first.Cancel()
			second.Cancel() // it was due as well
			return nil
		})
		if err != nil {
			return err
		}
		second, err = ctx.Schedule(10*time.Millisecond, topology.WallClockTime, func(int64) error { return errors.New("canceled, but called") })
		return err
	}}, nil)
	for range 3 {
		if _, err := task.PunctuateSystemTime(5000); err != nil {
			t.Fatal(err)
		}
	}
	if calls != 1 || task.NextSystemPunctuation() != math.MaxInt64 {
		t.Errorf("%d calls, next at %d", calls, task.NextSystemPunctuation())
	}
}

func TestScheduleFromAPunctuatorAndFromARecord(t *testing.T) {
	var order []string
	schedule := func(ctx topology.Context, name string, every time.Duration, then func()) {
		if _, err := ctx.Schedule(every, topology.WallClockTime, func(at int64) error {
			order = append(order, fmt.Sprint(name, at))
			if then != nil {
				then()
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
	}
	task, _ := startStub(t, &stub{process: func(ctx topology.Context, frame []topology.Record) error {
		schedule(ctx, "record ", 10*time.Millisecond, func() {
			if len(order) == 1 {
				schedule(ctx, "punctuator ", 5*time.Millisecond, nil)
			}
		})
		return nil
	}}, nil)
	_ = task.AddRecords(inputOf, inputs(0, 1), -1)
	mustProcess(t, task, 1) // at 1000
	for _, now := range []int64{1010, 1015, 1020} {
		if _, err := task.PunctuateSystemTime(now); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"record 1010", "punctuator 1015", "record 1020", "punctuator 1020"}
	if diff := cmp.Diff(want, order); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestFailingPunctuatorNamesTheNode(t *testing.T) {
	task, _ := startStub(t, &stub{init: func(ctx topology.Context) error {
		_, err := ctx.Schedule(time.Millisecond, topology.WallClockTime, func(int64) error { return errors.New("no") })
		return err
	}}, nil)
	_, err := task.PunctuateSystemTime(2000)
	e, ok := errors.AsType[*ProcessingError](err)
	if !ok || e.Node != "stub" || e.Origin != nil {
		t.Errorf("%v", err)
	}
}

func TestFirstCall(t *testing.T) {
	tests := []struct {
		typ                  topology.PunctuationType
		now, start, interval int64
		want                 int64
	}{
		{topology.StreamTime, 500, -1, 100, 0},
		{topology.StreamTime, 500, 750, 100, 750},
		{topology.WallClockTime, 500, -1, 100, 600},
		{topology.WallClockTime, 500, 750, 100, 750},
		{topology.WallClockTime, 500, 20, 100, 520},
		{topology.WallClockTime, 520, 20, 100, 620},
		{topology.WallClockTime, 500, 0, 100, 600},
	}
	for _, tt := range tests {
		if got := firstCall(tt.typ, tt.now, tt.start, tt.interval); got != tt.want {
			t.Errorf("%+v: %d", tt, got)
		}
	}
}
