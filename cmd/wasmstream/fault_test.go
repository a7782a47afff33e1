//go:build failpoints && linux

package main_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/wasmstream/wasmstream/internal/brokertest"
)

var (
	faultSeed = flag.Uint64("fault.seed", 0, "the seed of the fault programme; 0 takes a new one")
	faultOnly = flag.String("fault.only", "", "a regular expression: only faults whose names it matches")
	faultTime = flag.Duration("fault.time", 0, "how long the fault programme goes on, a third of it for each application; 0 is two rounds of all faults")
)

const (
	// faultRecords is what must be committed between two faults, or the run proves nothing.
	faultRecords = 1_000
	// faultStall is how long nothing may come out in the fault programme: three sessions, and some for the machine.
	faultStall = 40 * time.Second
	// faultSession is short, so that zombies are missed soon.
	faultSession = 6 * time.Second
)

// TestFaults has two processes suffer every kind of fault again and again, in an order that the seed gives, and checks
// each record that comes out: of counts where the records lie, of words that go through a repartition topic, and of counts
// in windows.
func TestFaults(t *testing.T) {
	for _, app := range []struct{ name, yaml string }{{"count", countYAML}, {"words", wordCountYAML}, {"windows", windowYAML}} {
		t.Run(app.name, func(t *testing.T) { newProgramme(t, app.yaml).run(*faultTime / 3) })
	}
}

// programme is a crash test that knows more ways to hurt, and can be repeated by its seed.
type programme struct {
	*crash
	faults map[string]int
	last   int // records checked before the last fault
}

// fault is one way to hurt.
type fault struct {
	name string
	do   func()
}

func newProgramme(t *testing.T, yaml string) *programme {
	t.Helper()
	b := brokertest.Fake(t)
	if addr := os.Getenv("WASMSTREAM_TEST_BROKERS"); addr != "" {
		b = brokertest.At(addr)
	}
	p := &programme{crash: newCrash(t, b, b.Addr, yaml), faults: map[string]int{}}
	if *faultSeed != 0 {
		p.seed = *faultSeed
		p.rng = rand.New(rand.NewPCG(p.seed, 0))
	}
	t.Logf("repeat with -fault.seed=%d", p.seed)
	p.stall, p.logs = faultStall, "info"
	p.extras = append(p.extras, p.dumpGroup)
	// kfake loses count of the members that join when a static one comes back while its predecessor waits for a leader
	// that is dead, and waits for the whole time of a rebalance then.
	p.settings = []string{
		fmt.Sprintf("session.timeout.ms=%d", faultSession.Milliseconds()), "heartbeat.interval.ms=500", "max.poll.interval.ms=10000",
	}
	p.note("seed %d", p.seed)
	return p
}

// run goes through all faults in rounds until time is up, at least twice, and then has everything counted.
func (p *programme) run(until time.Duration) {
	p.t.Helper()
	only := regexp.MustCompile(*faultOnly)
	began := time.Now()
	p.start("0")
	p.start("1")
	p.feedUntil(p.outputs(faultRecords))
	for round := 0; round < 2 || time.Since(began) < until; round++ {
		list := slices.DeleteFunc(p.list(), func(f fault) bool { return !only.MatchString(f.name) })
		p.rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		for _, f := range list {
			p.suffer(f)
		}
	}
	p.finish()
	total := 0
	for _, n := range p.faults {
		total += n
	}
	p.t.Logf("%d faults in %.0f s, %d records checked one by one; longest wait for an output of a partition that had input: %.1f s; %v",
		total, time.Since(began).Seconds(), p.checked, p.gap.Seconds(), p.faults)
}

// suffer lets one fault happen, and waits until the application has gone on.
func (p *programme) suffer(f fault) {
	p.t.Helper()
	for _, name := range []string{"0", "1"} {
		if p.procs[name] == nil {
			p.start(name)
		}
	}
	p.note("%s", f.name)
	p.faults[f.name]++
	f.do()
	p.feedUntil(p.outputs(faultRecords))
	if p.checked < p.last+faultRecords {
		p.t.Fatalf("vacuous: %d records between two faults", p.checked-p.last)
	}
	p.last = p.checked
}

// list is every fault once.
func (p *programme) list() (list []fault) {
	for _, at := range failpoints {
		list = append(list, fault{"death at " + at, func() { p.dieAsOne(at) }})
	}
	list = append(
		list,
		fault{"death of the leader between revoke and join", p.dieRevoked},
		fault{"death of a follower between revoke and join", p.dieRevokedBehind},
		fault{"SIGKILL", func() { p.revive(p.one()) }},
		fault{"SIGKILL of both", func() { p.kill(p.procs["0"]); p.kill(p.procs["1"]); p.start("0"); p.start("1") }},
		fault{"state deleted", func() { p.lose(p.one()) }},
		fault{"state damaged", func() { p.damage(p.one()) }},
		fault{"interrupt", func() { p.stop(p.one()) }},
		fault{"zombie", p.zombie},
	)
	if p.b.Fake == nil {
		return list
	}
	for _, r := range []struct {
		key  kmsg.Key
		errs []*kerr.Error
	}{
		{kmsg.EndTxn, []*kerr.Error{kerr.UnknownServerError, kerr.RequestTimedOut, kerr.InvalidTxnState}},
		{kmsg.TxnOffsetCommit, []*kerr.Error{kerr.UnknownServerError, kerr.RequestTimedOut, kerr.IllegalGeneration}},
		{kmsg.Produce, []*kerr.Error{kerr.UnknownServerError, kerr.RequestTimedOut, kerr.OutOfOrderSequenceNumber}},
	} {
		for _, err := range r.errs {
			list = append(list, fault{r.key.Name() + " " + err.Message, func() { p.refuse(r.key, err) }})
		}
	}
	return list
}

func (p *programme) one() *process { return p.procs[[]string{"0", "1"}[p.rng.IntN(2)]] }

// other is the process beside one.
func (p *programme) other(one *process) *process {
	if one.name == "0" {
		return p.procs["1"]
	}
	return p.procs["0"]
}

// revive kills a process at a random moment and starts it again.
func (p *programme) revive(one *process) {
	p.t.Helper()
	moment := time.Now().Add(time.Duration(p.rng.IntN(200)) * time.Millisecond)
	p.feedUntil(func() bool { return time.Now().After(moment) })
	p.kill(one)
	p.start(one.name)
}

// dieAsOne has one of the processes die at a step of its way, and another life of it begin.
func (p *programme) dieAsOne(at string) {
	p.t.Helper()
	name := p.one().name
	p.kill(p.procs[name])
	p.dieAt(name, at, 1+p.rng.IntN(4))
	p.start(name)
}

// dieRevoked has a process die when it has given up tasks for another that came, before it has joined again: nobody has
// them then.
func (p *programme) dieRevoked() {
	p.t.Helper()
	one := p.one()
	other := p.other(one)
	p.stop(one, other)
	dying := p.start(one.name, "$WASMSTREAM_FAILPOINT=revoked:1")
	p.feedUntil(func() bool { return dying.isRunning() })
	p.feedUntil(p.outputs(faultRecords))
	p.start(other.name)
	p.feedUntil(dying.isDead)
	p.bury(dying, "died at revoked")
	p.start(one.name)
	p.awaitAll()
}

// dieRevokedBehind is the same for a member that does not lead the group. A leader that comes back looks at the whole
// assignment, and finds what nobody has. Of two processes with the same number of tasks the one with the larger id has
// to give one up for a third.
func (p *programme) dieRevokedBehind() {
	p.t.Helper()
	one := p.procs["0"]
	if p.identity("1") > p.identity("0") {
		one = p.procs["1"]
	}
	p.stop(one)
	p.feedUntil(func() bool { return p.other(one).isRunning() })
	p.feedUntil(p.outputs(faultRecords))
	dying := p.start(one.name, "$WASMSTREAM_FAILPOINT=revoked:1")
	p.feedUntil(func() bool { return dying.isRunning() })
	p.feedUntil(p.outputs(2 * p.backlog))
	third := p.start("2")
	p.feedUntil(dying.isDead)
	p.bury(dying, "died at revoked")
	p.start(one.name)
	p.awaitAll()
	p.stop(third)
}

// identity is what the group knows a process by.
func (p *programme) identity(name string) string {
	p.t.Helper()
	files, err := filepath.Glob(filepath.Join(p.dir, "state-"+name, "*", "*", "process-metadata"))
	if err != nil || len(files) != 1 {
		p.t.Fatalf("looking for the identity of process %s: %v %v", name, files, err)
	}
	id, err := os.ReadFile(files[0])
	if err != nil {
		p.t.Fatal(err)
	}
	return string(id)
}

// lose kills a process and takes its state away.
func (p *programme) lose(one *process) {
	p.t.Helper()
	p.kill(one)
	if err := os.RemoveAll(filepath.Join(p.dir, "state-"+one.name)); err != nil {
		p.t.Fatal(err)
	}
	p.start(one.name)
}

// damage kills a process and cuts off a file of its database.
func (p *programme) damage(one *process) {
	p.t.Helper()
	p.kill(one)
	files, err := filepath.Glob(filepath.Join(p.dir, "state-"+one.name, "*", "*", "db", "*"))
	if err != nil || len(files) == 0 {
		p.t.Fatalf("no files of a database: %v", err)
	}
	file := files[p.rng.IntN(len(files))]
	info, err := os.Stat(file)
	if err == nil && info.Size() > 0 {
		err = os.Truncate(file, p.rng.Int64N(info.Size()))
	}
	if err != nil {
		p.t.Fatal(err)
	}
	p.start(one.name)
}

// zombie has a process stand still with a transaction that is complete but for its offsets, until the group has given
// its tasks to the other one, which works on them; then it goes on, and must not commit.
func (p *programme) zombie() {
	p.t.Helper()
	name := p.one().name
	p.kill(p.procs[name])
	z := p.start(name, fmt.Sprintf("$WASMSTREAM_FAILPOINT=flushed:%d:stop", 2+p.rng.IntN(4)))
	p.feedUntil(func() bool { return z.standsStill() })
	moment := time.Now().Add(faultSession + 2*time.Second)
	p.feedUntil(func() bool { return time.Now().After(moment) })
	if err := z.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		p.t.Fatalf("waking a zombie: %v", err)
	}
	p.awaitAll()
	p.revive(z)
}

// refuse has the broker answer a request of the application with an error. A timeout is answered after it has acted.
func (p *programme) refuse(key kmsg.Key, err *kerr.Error) {
	p.t.Helper()
	mine := func(r kmsg.Request) bool {
		produce, ok := r.(*kmsg.ProduceRequest)
		return !ok || produce.TransactionID != nil
	}
	hits := p.b.Fake.Fault(kfake.Fault{Keys: []kmsg.Key{key}, Err: err, When: mine, TopLevel: key == kmsg.EndTxn})
	defer hits.Remove()
	late := time.Now().Add(faultStall / 2)
	p.feedUntil(func() bool { return hits.Hits() > 0 || time.Now().After(late) })
	if hits.Hits() == 0 {
		p.t.Errorf("vacuous: the application sent no %s", key.Name())
	}
}

// awaitAll waits until every partition has given an output for input of after the call.
func (p *programme) awaitAll() {
	p.t.Helper()
	if p.words {
		p.feedUntil(p.outputs(2 * p.backlog))
		return
	}
	called := time.Now()
	p.feedUntil(p.outputs(2 * p.backlog))
	p.feedUntil(func() bool {
		for _, last := range p.crash.last {
			if last.Before(called) {
				return false
			}
		}
		return true
	})
}

// standsStill tells whether a process was stopped by a signal.
func (p *process) standsStill() bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	_, fields, ok := bytes.Cut(stat, []byte(") "))
	return err == nil && ok && fields[0] == 'T'
}

// dumpGroup writes who is in the group and has which partitions, and how far each partition is: its start, what is
// committed by the group, the last stable offset, the end.
func (c *crash) dumpGroup(dir string) error {
	adm, ctx, group := kadm.NewClient(c.consumer), context.Background(), c.b.Name("crash")
	var b bytes.Buffer
	groups, err := adm.DescribeGroups(ctx, group)
	if err != nil {
		return err
	}
	fmt.Fprintf(&b, "group %s\n", groups[group].State)
	for _, m := range groups[group].Members {
		fmt.Fprintf(&b, "member %s %s\n", m.MemberID, *m.InstanceID)
		if assigned, ok := m.Assigned.AsConsumer(); ok {
			for _, t := range assigned.Topics {
				fmt.Fprintf(&b, "  %s %v\n", t.Topic, t.Partitions)
			}
		}
	}
	starts, err1 := adm.ListStartOffsets(ctx)
	stable, err2 := adm.ListCommittedOffsets(ctx)
	ends, err3 := adm.ListEndOffsets(ctx)
	committed, err4 := adm.FetchOffsets(ctx, group)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return err
	}
	for _, end := range ends.Offsets().Sorted() {
		start, _ := starts.Lookup(end.Topic, end.Partition)
		lso, _ := stable.Lookup(end.Topic, end.Partition)
		at, _ := committed.Lookup(end.Topic, end.Partition)
		fmt.Fprintf(&b, "%s-%d start %d committed %d stable %d end %d\n", end.Topic, end.Partition, start.Offset, at.At, lso.Offset, end.At)
	}
	return os.WriteFile(filepath.Join(dir, "group.txt"), b.Bytes(), 0o600)
}
