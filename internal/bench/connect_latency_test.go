package bench

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// TestConveyMeasuresEachRecordOnce: whatever order and form records come out in, and however often.
func TestConveyMeasuresEachRecordOnce(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	const records = 50
	belt := make(chan []byte, 3*records)
	c := conveyor{
		text: appendDue,
		put: func(_ context.Context, values [][]byte) error {
			for _, v := range values {
				belt <- []byte(`{host=web-1, line=` + strings.ReplaceAll(string(v), `"due":`, "due=") + "}")
				belt <- v
			}
			return nil
		},
		seen: func(ctx context.Context, see func([]byte)) error {
			select {
			case v := <-belt:
				see([]byte("of somebody else, due 7"))
				see(v)
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		},
	}
	took, err := c.convey(ctx, schedule{began: time.Now(), rate: 997, records: records})
	if err != nil || len(took) != records {
		t.Fatal(len(took), err)
	}
	for i, d := range took {
		if d <= 0 || d > time.Minute {
			t.Errorf("record %d took %v", i, d)
		}
	}
}

func TestConveyEndsWhenTheInputFails(t *testing.T) {
	full := errors.New("full")
	c := conveyor{
		text: appendDue,
		put:  func(context.Context, [][]byte) error { return full },
		seen: func(ctx context.Context, _ func([]byte)) error { <-ctx.Done(); return ctx.Err() },
	}
	if _, err := c.convey(t.Context(), schedule{began: time.Now(), rate: 10, records: 5}); !errors.Is(err, full) {
		t.Error(err)
	}
}

func TestSchedule(t *testing.T) {
	s := schedule{began: time.Unix(1000, 0), rate: 3, records: 7}
	for i := range s.records {
		if n, ok := s.numberOf(s.due(i)); !ok || n != i {
			t.Errorf("record %d is taken for %d", i, n)
		}
		if n := s.dueBy(s.due(i)); n < i || n > i+1 {
			t.Errorf("%d are due with record %d", n, i)
		}
	}
	if _, ok := s.numberOf(s.due(1).Add(1)); ok {
		t.Error("a time between two records is one")
	}
	if n := s.dueBy(s.began.Add(time.Hour)); n != s.records {
		t.Errorf("%d at the end", n)
	}
	if n := s.dueBy(s.began.Add(-time.Hour)); n != 0 {
		t.Errorf("%d before the beginning", n)
	}
	l := latencyOf([]time.Duration{4e6, 1e6, 3e6, 2e6})
	if l.P50 != 3 || l.P99 != 4 || l.Max != 4 {
		t.Errorf("%+v", l)
	}
}
