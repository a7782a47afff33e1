package stream

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/wasmstream/wasmstream/internal/errs"
)

var errorFaults = flag.Int("errors.faults", 0, "how many errors TestCountSurvivesEveryError gives; 0 is 120, or 30 in short tests; -1 is every error at each request, before and after the broker acts")

// lastErrorCode is behind all codes that Kafka has.
const lastErrorCode = 200

// stormError is one answer that a request gets.
type stormError struct {
	key   kmsg.Key
	err   *kerr.Error
	after bool // the broker has acted
}

func (e stormError) String() string {
	when := "before"
	if e.after {
		when = "after"
	}
	return fmt.Sprintf("%s %s %s", e.key.Name(), e.err.Message, when)
}

// everyError is each error that Kafka has, at each request of a commit, before and after the broker has acted: also those
// that no broker gives there.
func everyError() (list []stormError) {
	for code := int16(-1); code < lastErrorCode; code++ {
		err := kerr.TypedErrorForCode(code)
		if code == 0 || err == nil || code > 0 && err == kerr.UnknownServerError {
			continue
		}
		for _, key := range []kmsg.Key{kmsg.EndTxn, kmsg.TxnOffsetCommit, kmsg.Produce} {
			list = append(list, stormError{key, err, true})
			if key != kmsg.Produce || err != kerr.DuplicateSequenceNumber { // which says that the broker has the records
				list = append(list, stormError{key, err, false})
			}
		}
	}
	return list
}

// TestCountSurvivesEveryError answers requests of the commit with any error. An application may go on or end, with a code;
// then another one goes on. Every output is compared with the fold, in order.
func TestCountSurvivesEveryError(t *testing.T) {
	s, list, n := newStorm(t), everyError(), *errorFaults
	all := len(list)
	s.mortal = true
	s.rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	switch {
	case n == 0 && testing.Short():
		n = 30
	case n == 0:
		n = 120
	case n < 0:
		n = len(list)
	}
	began := time.Now()
	for _, e := range list[:min(n, len(list))] {
		s.kinds[e.String()]++
		s.err(e)
	}
	s.drained(s.in)
	s.nothingLeft()
	t.Logf("%d errors of %d in %.0f s, %d records checked one by one; applications that ended: %v", min(n, all), all, time.Since(began).Seconds(), s.checked, s.ended)
}

// err gives one request an error while records come, and waits until they have come out.
func (s *storm) err(e stormError) {
	s.t.Helper()
	var hit func() bool
	if e.after {
		told := s.network.pretend(e.key, e.err.Code)
		hit = func() bool {
			select {
			case <-told:
				return true
			default:
				return false
			}
		}
	} else {
		mine := ofTheApplication(s.appID)
		h := s.b.Fake.Fault(kfake.Fault{Keys: []kmsg.Key{e.key}, Err: e.err, When: mine, TopLevel: e.key == kmsg.EndTxn})
		hit = func() bool { return h.Hits() > 0 }
	}
	s.write()
	ctx, cancel := context.WithTimeout(context.Background(), stormStall)
	defer cancel()
	for !hit() {
		if pause(ctx, time.Millisecond) != nil {
			s.t.Fatalf("%s hit nothing", e)
		}
	}
	s.await(s.written)
}

// revive starts another application in the place of one that has ended with a code.
func (s *storm) revive(i int) {
	s.t.Helper()
	err := s.apps[i].end()
	var coded *errs.Error
	if !errors.As(err, &coded) {
		s.t.Fatalf("an application ended without a code: %v; the faults were %v", err, s.kinds)
	}
	s.ended[coded.Code]++
	s.apps[i] = s.member()
}

// spareResources is what the test's own clients may have opened since: 40 were seen, and there are three times as many faults.
const spareResources = 60

// nothingLeft ends the applications and waits until what they had open is closed, on their side and on the broker's.
func (s *storm) nothingLeft() {
	s.t.Helper()
	for _, app := range s.apps {
		if err := app.end(); err != nil {
			s.t.Errorf("the end of an application: %v", err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), stormStall)
	defer cancel()
	for now := resources(); now.more(s.before); now = resources() {
		if pause(ctx, 20*time.Millisecond) != nil {
			stacks := make([]byte, 1<<20)
			s.t.Fatalf("%+v are left of %+v:\n%s", now, s.before, stacks[:runtime.Stack(stacks, true)])
		}
	}
}

// held is what a process has open.
type held struct{ goroutines, files int }

func (h held) more(than held) bool {
	return h.goroutines > than.goroutines+spareResources || h.files > than.files+spareResources
}

func resources() held {
	files, _ := os.ReadDir("/proc/self/fd") // elsewhere than on Linux, goroutines are what is counted
	return held{runtime.NumGoroutine(), len(files)}
}
