//go:build failpoints && linux

package main_test

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/wasmstream/wasmstream/internal/brokertest"
)

var (
	faultSeed = flag.Uint64("fault.seed", 0, "the seed of the fault programme; 0 takes a new one")
	faultOnly = flag.String("fault.only", "", "a regular expression: only faults whose names it matches")
	faultApps = flag.String("fault.apps", "", "a regular expression: only applications whose names it matches")
	faultTime = flag.Duration("fault.time", 0, "how long the fault programme goes on, as long for each application; 0 is each fault with some of them")
)

const (
	// faultRecords is what must be committed between two faults, or the run proves nothing.
	faultRecords = 1_000
	// faultStall is how long nothing may come out while a fault lasts: three sessions, and some for the machine.
	faultStall = 40 * time.Second
	// faultLap is how long an application suffers before it is the turn of the next one, on a cluster that has nothing
	// in it yet: what has to be restored grows with the time.
	faultLap = 150 * time.Second
	// faultSession is short, so that zombies are missed soon.
	faultSession = 6 * time.Second
	// faultRebalance is max.poll.interval.ms, and faultRequest request.timeout.ms.
	faultRebalance = 10 * time.Second
	faultRequest   = 3 * time.Second
	// faultLump is so much input that a process has more of it than it can process between two commits.
	faultLump = 3 * crashBacklog
)

// faultKills is how many deaths of processes and connections a run of all faults with all applications has at least.
const faultKills = 200

// TestFaults has two processes suffer every kind of fault again and again, in an order that the seed gives, and checks
// each record that comes out: of counts where the records lie, with and without a copy of the state in the other process,
// of words that go through a repartition topic, of counts in windows, of copies, of pairs of two topics, and of what a
// processor tells by a punctuator.
func TestFaults(t *testing.T) {
	if addr := os.Getenv("WASMSTREAM_TEST_BROKERS"); addr != "" {
		sufferAll(t, faultShare, func(*testing.T) (*brokertest.Broker, *brokertest.Proxy) { return brokertest.At(addr), nil })
		return
	}
	sufferAll(t, faultShare, func(t *testing.T) (*brokertest.Broker, *brokertest.Proxy) { return brokertest.Proxied(t) })
}

// faultShare says that each application has every so manieth of the faults where no time is given.
const faultShare = 2

// sufferAll has every application suffer, one after the other, for as long as was asked for, each on a cluster that has
// nothing of the others. Without a time each gets one of share of the faults, and the next application the next ones.
func sufferAll(t *testing.T, share int, cluster func(t *testing.T) (*brokertest.Broker, *brokertest.Proxy)) {
	t.Helper()
	only := regexp.MustCompile(*faultApps)
	all := slices.DeleteFunc(slices.Clone(subjects), func(s subject) bool { return !only.MatchString(s.name) })
	lap := min(faultLap, *faultTime/time.Duration(len(all)))
	end := time.Now().Add(*faultTime)
	var sum totals
	for i := 0; i < len(all) || time.Now().Add(lap/2).Before(end); i++ {
		s := all[i%len(all)]
		ok := t.Run(s.name, func(t *testing.T) {
			b, proxy := cluster(t)
			p := newProgramme(t, b, proxy, s)
			p.seeded(i)
			p.run(lap, i%share, share)
			sum.add(p)
		})
		t.Logf("so far %s", sum)
		if !ok && *faultTime > 0 {
			break
		}
	}
	if sum.missed > 1+sum.faults/10 {
		t.Errorf("vacuous: %d of %d faults did not come about", sum.missed, sum.faults)
	}
	if *faultApps == "" && *faultOnly == "" && sum.kills+sum.cuts < faultKills/share && !t.Failed() {
		t.Errorf("vacuous: %d deaths of processes and %d of connections", sum.kills, sum.cuts)
	}
}

// totals are what a run did.
type totals struct {
	faults, missed, kills, cuts, checked, compared int
	slowest                                        time.Duration // healing
}

func (s totals) String() string {
	return fmt.Sprintf("%d faults (%d more did not come about), %d deaths of processes, %d of connections, %d records checked one by one, %d pairs of stores; healed within %.1f s",
		s.faults-s.missed, s.missed, s.kills, s.cuts, s.checked, s.compared, s.slowest.Seconds())
}

func (s *totals) add(p *programme) {
	for _, n := range p.faults {
		s.faults += n
	}
	s.kills += p.kills
	s.missed += p.missed
	s.cuts += p.cuts
	s.checked += p.checked
	s.compared += p.compared
	s.slowest = max(s.slowest, p.slowestHealing)
}

// programme is a crash test that knows more ways to hurt, and can be repeated by its seed.
type programme struct {
	*crash
	proxy  *brokertest.Proxy // nil where there is none
	faults map[string]int
	last   int // records checked before the last fault
	cuts   int // connections
	// slowestHealing is the longest time from the end of a fault to an output of every partition, and healed that fault.
	slowestHealing time.Duration
	healed         string
}

// fault is one way to hurt.
type fault struct {
	name string
	do   func()
	// limit is within what all goes on after it; 0 is healLimit.
	limit time.Duration
}

func newProgramme(t *testing.T, b *brokertest.Broker, proxy *brokertest.Proxy, s subject) *programme {
	t.Helper()
	p := &programme{crash: newCrash(t, b, b.Addr, s), proxy: proxy, faults: map[string]int{}}
	p.stall, p.logs = faultStall, "info"
	p.extras = append(p.extras, p.dumpGroup)
	// kfake loses count of the members that join when a static one comes back while its predecessor waits for a leader
	// that is dead, and waits for the whole time of a rebalance then.
	p.settings = append(
		p.settings,
		fmt.Sprintf("session.timeout.ms=%d", faultSession.Milliseconds()), "heartbeat.interval.ms=500",
		fmt.Sprintf("max.poll.interval.ms=%d", faultRebalance.Milliseconds()), fmt.Sprintf("request.timeout.ms=%d", faultRequest.Milliseconds()),
	)
	return p
}

// seeded has chance begin with the seed that was given, and the number of the lap, or with a new one.
func (p *programme) seeded(lap int) {
	if *faultSeed != 0 {
		p.seed = *faultSeed
		p.rng = rand.New(rand.NewPCG(p.seed, uint64(lap)))
	}
	p.t.Logf("repeat with -fault.seed=%d", p.seed)
	p.note("seed %d, lap %d", p.seed, lap)
}

// run goes through all faults in rounds until time is up and then has everything counted. Without a time it takes one of
// share of them, from the one of the index first on.
func (p *programme) run(until time.Duration, first, share int) {
	p.t.Helper()
	only := regexp.MustCompile(*faultOnly)
	began := time.Now()
	p.start("0")
	p.start("1")
	p.feedUntil(p.outputs(faultRecords))
	var list []fault
	for i, f := range p.list() {
		if only.MatchString(f.name) && (until > 0 || *faultOnly != "" || i%share == first) {
			list = append(list, f)
		}
	}
	for n := 0; n < len(list) && until == 0 || time.Since(began) < until; n++ {
		if n%len(list) == 0 {
			p.rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		}
		p.suffer(list[n%len(list)])
	}
	p.finish()
	total := 0
	for _, n := range p.faults {
		total += n
	}
	p.t.Logf("%d faults in %.0f s, %d deaths, %d connections cut, %d records checked one by one, %d pairs of stores; longest wait for an output of a partition that had input: %.1f s, from the end of a fault: %.1f s (%s); %v",
		total, time.Since(began).Seconds(), p.kills, p.cuts, p.checked, p.compared, p.gap.Seconds(), p.slowestHealing.Seconds(), p.healed, p.faults)
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
	p.healWithin(f.name, cmp.Or(f.limit, healLimit))
	p.feedUntil(p.outputs(faultRecords))
	if p.checked < p.last+faultRecords {
		p.t.Fatalf("vacuous: %d records between two faults", p.checked-p.last)
	}
	p.last = p.checked
}

// list is every fault once.
func (p *programme) list() (list []fault) {
	for _, at := range failpoints {
		if at != "restoring" || !p.subject.stateless {
			list = append(list, fault{name: "death at " + at, do: func() { p.dieAsOne(at) }})
		}
	}
	list = append(
		list,
		fault{name: "death of the leader between revoke and join", do: p.dieRevoked},
		fault{name: "death of a follower between revoke and join", do: p.dieRevokedBehind},
		fault{name: "death with much to process", do: p.dieBehind},
		fault{name: "SIGKILL", do: func() { p.revive(p.one()) }},
		fault{name: "SIGKILL of both", do: func() { p.kill(p.procs["0"]); p.kill(p.procs["1"]); p.start("0"); p.start("1") }},
		fault{name: "interrupt", do: func() { p.stop(p.one()) }},
		fault{name: "a member comes and goes", do: p.comeAndGo},
		fault{name: "zombie", do: p.zombie},
	)
	if !p.subject.stateless {
		list = append(list, p.stateFaults()...)
	}
	if p.proxy != nil {
		list = append(list, p.networkFaults()...)
	}
	if p.b.Fake != nil {
		list = append(list, p.errorFaults()...)
	}
	return list
}

// errorFaults are what the programme of errors (TestCountSurvivesEveryError of host/stream) has more of.
func (p *programme) errorFaults() (list []fault) {
	for _, r := range []struct {
		key  kmsg.Key
		errs []*kerr.Error
	}{
		{kmsg.EndTxn, []*kerr.Error{kerr.UnknownServerError, kerr.RequestTimedOut, kerr.InvalidTxnState}},
		{kmsg.TxnOffsetCommit, []*kerr.Error{kerr.UnknownServerError, kerr.RequestTimedOut, kerr.IllegalGeneration}},
		{kmsg.Produce, []*kerr.Error{kerr.UnknownServerError, kerr.RequestTimedOut, kerr.OutOfOrderSequenceNumber}},
	} {
		for _, err := range r.errs {
			list = append(list, fault{name: r.key.Name() + " " + err.Message, do: func() { p.refuse(r.key, err) }})
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

// comeAndGo lets a third process join and leave, as it comes to run and before.
func (p *programme) comeAndGo() {
	p.t.Helper()
	for i := range 4 {
		third := p.start("2")
		moment := time.Now().Add(time.Duration(p.rng.IntN(800)) * time.Millisecond)
		p.feedUntil(func() bool { return time.Now().After(moment) && (i%2 == 0 || third.isRunning()) })
		p.stop(third)
	}
}

// dieAsOne has one of the processes die at a step of its way, and another life of it begin.
func (p *programme) dieAsOne(at string) {
	p.t.Helper()
	name := p.one().name
	p.kill(p.procs[name])
	p.dieAt(name, at, 1+p.rng.IntN(4))
	p.start(name)
}

// dieBehind has a process die after a commit at which it had fetched more than it had processed, and what it was given
// while it was away is much: another life has to process all of the rest.
func (p *programme) dieBehind() {
	p.t.Helper()
	name := p.one().name
	p.kill(p.procs[name])
	for n := 0; n < faultLump; n += crashBatch {
		p.feed(crashBatch)
	}
	p.dieAt(name, "stored", 1+p.rng.IntN(2))
	p.start(name)
	p.feedUntil(p.outputs(faultLump))
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
	p.awaitDeath(dying, "revoked")
	p.start(one.name)
}

// dieRevokedBehind is the same for a member that does not lead the group. A leader that comes back looks at the whole
// assignment, and finds what nobody has. Of two processes with the same number of tasks the one with the larger id has
// to give one up for a third.
func (p *programme) dieRevokedBehind() {
	p.t.Helper()
	p.feedUntil(func() bool { return p.procs["0"].isRunning() && p.procs["1"].isRunning() }) // a new identity is written by then
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
	p.awaitDeath(dying, "revoked")
	p.start(one.name)
	p.heal("of three")
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

// zombie has a process stand still with a transaction that is complete but for its offsets, until the group has given
// its tasks to the other one, which works on them; then it goes on, and must not commit.
func (p *programme) zombie() {
	p.t.Helper()
	name := p.one().name
	p.kill(p.procs[name])
	z := p.start(name, fmt.Sprintf("$WASMSTREAM_FAILPOINT=flushed:%d:stop", 2+p.rng.IntN(4)), "transaction.timeout.ms=60000") // it must not end by that
	late := time.Now().Add(awayFromStep)
	p.feedUntil(func() bool { return z.standsStill() || time.Now().After(late) })
	if !z.standsStill() {
		p.missed++
		p.revive(z)
		return
	}
	other := p.other(z)
	had := other.tasksGiven()
	late = time.Now().Add(awayFromStep)
	p.feedUntil(func() bool { return other.tasksGiven() > had || time.Now().After(late) })
	if other.tasksGiven() == had {
		p.missed++
	}
	if err := z.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		p.t.Fatalf("waking a zombie: %v", err)
	}
	p.heal("awake")
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

// tasksGiven is how often the process was given a task, and knew what is committed.
func (p *process) tasksGiven() int { return strings.Count(p.out.String(), `msg="task assigned"`) }

// standsStill tells whether a process was stopped by a signal.
func (p *process) standsStill() bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	_, fields, ok := bytes.Cut(stat, []byte(") "))
	return err == nil && ok && fields[0] == 'T'
}
