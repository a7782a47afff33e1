package main_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/internal/brokertest"
)

// fleet is several processes of one application, each with a state directory that stays from life to life.
type fleet struct {
	t     *testing.T
	dir   string
	file  string
	procs map[string]*process
	lives map[string]string // what the predecessors of procs printed
	// revivals are the times from a kill to the state RUNNING of the process that followed.
	revivals []time.Duration
	slowest  time.Duration            // stop
	kills    int                      // deaths by SIGKILL
	missed   int                      // processes that did not come to the step at which they were to die
	settings []string                 // of every process, KEY=VALUE
	logs     string                   // the level of the logs of every process
	timeline []string                 // what happened, for the case that the test fails
	extras   []func(dir string) error // what else a failed run leaves
	// deaf are the names whose process died of an interrupt that it did not listen to yet: what a killed predecessor
	// left in the group is there still.
	deaf map[string]bool
}

// process is one life of "wasmstream run".
type process struct {
	name  string
	cmd   *exec.Cmd
	out   *transcript
	born  time.Time // of its predecessor's death
	ready <-chan struct{}
	ended chan struct{}
	err   error // of the end
	ran   bool
	// mortal says that the process may die, by SIGKILL, at a failpoint.
	mortal bool
	// mayExit is a status with which it may end by itself.
	mayExit int
}

func newFleet(t *testing.T, yaml string) *fleet {
	t.Helper()
	f := &fleet{t: t, logs: "warn", dir: t.TempDir(), procs: map[string]*process{}, lives: map[string]string{}, deaf: map[string]bool{}}
	f.file = filepath.Join(f.dir, "app.yaml")
	if err := os.WriteFile(f.file, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.end)
	return f
}

// start runs the process of a name; set are more settings, KEY=VALUE, or variables, $NAME=VALUE.
func (f *fleet) start(name string, set ...string) *process {
	f.t.Helper()
	return f.startAs(name, nil, set...)
}

// startAs does so through a command before its own.
func (f *fleet) startAs(name string, before []string, set ...string) *process {
	f.t.Helper()
	p := &process{name: name, out: &transcript{}, ended: make(chan struct{}), born: time.Now()}
	args := []string{"run", "-f", f.file, "--log-level", f.logs, "--set", "state.dir=" + filepath.Join(f.dir, "state-"+name)}
	env := append(os.Environ(), "NO_COLOR=1", "XDG_CACHE_HOME="+filepath.Join(f.dir, "cache"))
	for _, s := range slices.Concat(f.settings, set) {
		if variable, ok := strings.CutPrefix(s, "$"); ok {
			env = append(env, variable)
			p.mortal = true
			continue
		}
		args = append(args, "--set", s)
	}
	line := slices.Concat(before, []string{"wasmstream"}, args)
	p.cmd = exec.Command(line[0], line[1:]...)
	p.cmd.Env = env
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	killWithParent(p.cmd)
	p.ready = p.out.contains("RUNNING after")
	if old := f.procs[name]; old != nil {
		f.bury(old, "killed")
	}
	if err := p.cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	f.procs[name] = p
	f.note("process %s starts %v", name, set)
	delete(f.deaf, name)
	return p
}

// isRunning tells whether the process has said that it is.
func (p *process) isRunning() bool {
	select {
	case <-p.ready:
		return true
	default:
		return false
	}
}

// kill ends a process by SIGKILL.
func (f *fleet) kill(p *process) {
	f.t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		f.t.Fatalf("killing process %s: %v", p.name, err)
	}
	<-p.ended
	f.kills++
}

// checkAlive fails the test if a process has ended by itself, and notes how long those took that run now.
func (f *fleet) checkAlive() {
	f.t.Helper()
	for _, p := range f.procs {
		if !p.ran && p.isRunning() {
			p.ran = true
			f.revivals = append(f.revivals, time.Since(p.born))
		}
		select {
		case <-p.ended:
			switch code := p.cmd.ProcessState.ExitCode(); {
			case p.mortal && code == -1, p.mayExit != 0 && code == p.mayExit:
			default:
				f.t.Fatalf("process %s ended by itself: %v", p.name, p.err)
			}
		default:
		}
	}
}

// stopAll interrupts all processes once they run, which have to commit and end with status 0.
func (f *fleet) stopAll() {
	f.t.Helper()
	for _, p := range f.procs {
		select {
		case <-p.ready:
		case <-time.After(stall):
			f.dump()
			f.t.Fatalf("process %s does not run", p.name)
		}
	}
	f.stop(slices.Collect(maps.Values(f.procs))...)
}

// stop interrupts processes at any moment of their lives.
func (f *fleet) stop(procs ...*process) {
	f.t.Helper()
	began := time.Now()
	for _, p := range procs {
		if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
			f.t.Fatalf("stopping process %s: %v", p.name, err)
		}
	}
	for _, p := range procs {
		f.awaitEnd(p)
	}
	f.slowest = max(f.slowest, time.Since(began))
}

// awaitEnd wants the status 0 of a process that was interrupted. One that had not begun to listen to signals died of it,
// and had not done anything yet either.
func (f *fleet) awaitEnd(p *process) {
	f.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(stall):
		f.dump()
		f.t.Fatalf("process %s goes on after an interrupt", p.name)
	}
	if p.err != nil {
		if p.cmd.ProcessState.ExitCode() != -1 {
			f.t.Fatalf("process %s did not stop well: %v", p.name, p.err)
		}
		f.deaf[p.name] = true
	}
	f.bury(p, "stopped")
}

// bury keeps what a process printed for the case that the test fails.
func (f *fleet) bury(p *process, how string) {
	f.note("process %s %s", p.name, how)
	said := p.out.String()
	f.lives[p.name] += said + "-- " + how + " --\n"
	if fault := logFault(said); fault != "" {
		f.t.Errorf("process %s (%s) %s", p.name, how, fault)
	}
	delete(f.procs, p.name)
}

var (
	logErrors = regexp.MustCompile(`(?m)^.*\blevel=ERROR\b.*$`)
	logCode   = regexp.MustCompile(`\bE-[A-Z]+-[A-Z-]+`)
	logPanic  = regexp.MustCompile(`(?m)^(?:panic: |fatal error: ).*$`)
)

// logFault is what must not be in a log: an error without a code, or the end of a program that nobody foresaw. "" is
// nothing.
func logFault(text string) string {
	if line := logPanic.FindString(text); line != "" {
		return "panicked: " + line
	}
	for _, line := range logErrors.FindAllString(text, -1) {
		if !logCode.MatchString(line) {
			return "logged an error without a code: " + line
		}
	}
	return ""
}

// dump has every process print its goroutines and end.
func (f *fleet) dump() {
	for _, p := range f.procs {
		_ = p.cmd.Process.Signal(syscall.SIGQUIT)
		select {
		case <-p.ended:
		case <-time.After(10 * time.Second):
		}
	}
}

// end kills what still runs; if the test has failed, it shows what the processes said.
func (f *fleet) end() {
	for _, p := range f.procs {
		_ = p.cmd.Process.Kill()
		<-p.ended
		f.bury(p, "killed at the end")
	}
	if f.t.Failed() {
		for name, text := range f.lives {
			f.t.Logf("-- process %s --\n%s", name, tail(text))
		}
	}
	if f.t.Failed() || os.Getenv(faultDir) != "" {
		f.keep()
	}
}

// note adds to the timeline.
func (f *fleet) note(format string, args ...any) {
	f.timeline = append(f.timeline, time.Now().Format("15:04:05.000 ")+fmt.Sprintf(format, args...))
}

// tail is the end of a text that may be long.
func tail(text string) string { return text[max(0, len(text)-20_000):] }

// startEmbedded runs "wasmstream broker" until the test ends.
func startEmbedded(t *testing.T) *brokertest.Broker {
	t.Helper()
	out := &transcript{}
	cmd := exec.Command("wasmstream", "broker", "--port", "0")
	cmd.Stdout, cmd.Stderr = out, out
	killWithParent(cmd)
	ready := out.contains("in memory")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	select {
	case <-ready:
	case <-time.After(time.Minute):
		t.Fatalf("the broker does not start:\n%s", out)
	}
	line, _, _ := strings.Cut(out.String(), "\n")
	return brokertest.At(line[strings.LastIndex(line, " ")+1:])
}

// membersOf are the instances in a group.
func membersOf(t *testing.T, cl *kgo.Client, group string) (ids []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	groups, err := kadm.NewClient(cl).DescribeGroups(ctx, group)
	if err != nil {
		t.Fatalf("describing the group: %v", err)
	}
	for _, m := range groups[group].Members {
		ids = append(ids, m.MemberID)
	}
	return ids
}

// groupFault tells what is wrong with a group that has been stopped after it has processed all of in: members that are
// left, input that is not committed, a transaction in out that is still open. "" is nothing.
func groupFault(t *testing.T, cl *kgo.Client, group, in, out string) string {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	adm := kadm.NewClient(cl)
	committed, err1 := adm.FetchOffsets(ctx, group)
	ends, err2 := adm.ListEndOffsets(ctx, in, out)
	stable, err3 := adm.ListCommittedOffsets(ctx, out)
	for _, err := range []error{err1, err2, err3} {
		if err != nil {
			return err.Error()
		}
	}
	var faults bytes.Buffer
	if members := membersOf(t, cl, group); len(members) > 0 {
		fmt.Fprintf(&faults, "members %v are left; ", members)
	}
	ends.Each(func(end kadm.ListedOffset) {
		if o, _ := committed.Lookup(in, end.Partition); end.Topic == in && o.At != end.Offset {
			fmt.Fprintf(&faults, "%s-%d is committed up to %d of %d; ", in, end.Partition, o.At, end.Offset)
		}
		if s, _ := stable.Lookup(out, end.Partition); end.Topic == out && s.Offset != end.Offset {
			fmt.Fprintf(&faults, "%s-%d is stable up to %d of %d; ", out, end.Partition, s.Offset, end.Offset)
		}
	})
	return faults.String()
}

// transcript collects what a command prints and tells when a word has appeared.
type transcript struct {
	mu    sync.Mutex
	text  bytes.Buffer
	words []string
	seen  chan struct{}
}

// contains returns a channel that is closed once one of words was printed.
func (p *transcript) contains(words ...string) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.words, p.seen = words, make(chan struct{})
	return p.seen
}

func (p *transcript) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	from := max(0, p.text.Len()-100) // a word may come in two pieces
	p.text.Write(b)
	for _, w := range p.words {
		if bytes.Contains(p.text.Bytes()[from:], []byte(w)) {
			close(p.seen)
			p.words = nil
			break
		}
	}
	return len(b), nil
}

func (p *transcript) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}
