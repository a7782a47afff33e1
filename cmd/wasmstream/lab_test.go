package main_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// lab runs a page of docs as a reader would: every console block in order, a named terminal in the background.
//
// Three things differ from a reader's machine, and the lab puts them in: the broker's address, the folder of local
// state, and Kafka's own commands, which are .ci/kafka.sh's.
type lab struct {
	t         *testing.T
	root      string
	env       []string
	addr      string // of the broker
	embedded  bool   // the page's own broker is started, else there is one already
	stateDir  string
	tools     string // folder of Kafka's commands; "" leaves blocks of the terminal "kafka" out
	terminals map[string]*terminal
}

// terminal is a command that stays while the page goes on.
type terminal struct {
	cmd  *exec.Cmd
	out  *transcript
	done chan error
}

// newLab prepares a page for a broker at addr, which the page starts by itself if embedded is set.
func newLab(t *testing.T, addr string, embedded bool) *lab {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{t: t, root: root, addr: addr, embedded: embedded, stateDir: t.TempDir(), terminals: map[string]*terminal{}}
	l.env = append(os.Environ(), "NO_COLOR=1", "WASMSTREAM_BOOTSTRAP_SERVER="+addr, "WASMSTREAM_STATE_DIR="+l.stateDir,
		"XDG_CACHE_HOME="+t.TempDir())
	return l
}

// run works through the page at path.
func (l *lab) run(path string) {
	l.t.Helper()
	page, err := os.ReadFile(filepath.Join(l.root, path))
	if err != nil {
		l.t.Fatal(err)
	}
	defer l.hangUp()
	blocks := consoleBlocks(string(page))
	if len(blocks) == 0 {
		l.t.Fatalf("%s has no console block", path)
	}
	for _, b := range blocks {
		switch {
		case b.terminal == "broker" && !l.embedded, b.terminal == "kafka" && l.tools == "":
		case b.terminal == "", b.terminal == "kafka":
			l.foreground(b.steps)
		case b.steps[0].command == "^C":
			l.interrupt(b.terminal)
		default:
			l.background(b.terminal, b.steps[0].command)
		}
	}
}

func (l *lab) foreground(steps []step) {
	l.t.Helper()
	for _, s := range steps {
		cmd := l.command(s.command)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			l.t.Fatalf("$ %s\n%s%s%v\n%s", s.command, out, stderr.String(), err, l.transcripts())
		}
		if d := shownDiff(strings.ReplaceAll(s.output, "/tmp/kafka-streams", l.stateDir), string(out)); d != "" {
			l.t.Fatalf("$ %s printed something else (-page +really):\n%s\n%s", s.command, d, l.transcripts())
		}
	}
}

// background starts a command and returns when it says that it is ready.
func (l *lab) background(name, command string) {
	l.t.Helper()
	if name == "broker" {
		_, port, _ := net.SplitHostPort(l.addr)
		command += " --port " + port
	}
	cmd := l.command("exec " + command)
	killWithParent(cmd)
	term := &terminal{cmd: cmd, out: &transcript{}, done: make(chan error, 1)}
	cmd.Stdout = term.out
	cmd.Stderr = term.out
	ready := term.out.contains("ready", "RUNNING")
	if err := cmd.Start(); err != nil {
		l.t.Fatal(err)
	}
	go func() { term.done <- cmd.Wait() }()
	l.terminals[name] = term
	select {
	case <-ready:
	case err := <-term.done:
		l.t.Fatalf("$ %s ended: %v\n%s", command, err, term.out)
	case <-time.After(time.Minute):
		l.t.Fatalf("$ %s is not ready:\n%s", command, term.out)
	}
}

// interrupt presses Ctrl-C in a terminal, which has to end well.
func (l *lab) interrupt(name string) {
	l.t.Helper()
	term := l.terminals[name]
	delete(l.terminals, name)
	if err := term.cmd.Process.Signal(syscall.SIGINT); err != nil {
		l.t.Fatal(err)
	}
	select {
	case err := <-term.done:
		if err != nil {
			l.t.Fatalf("Ctrl-C in the terminal %s: %v\n%s", name, err, term.out)
		}
	case <-time.After(time.Minute):
		l.t.Fatalf("the terminal %s goes on after Ctrl-C:\n%s", name, term.out)
	}
}

func (l *lab) hangUp() {
	for _, term := range l.terminals {
		_ = term.cmd.Process.Kill()
		<-term.done
	}
}

func (l *lab) transcripts() string {
	var b strings.Builder
	for name, term := range l.terminals {
		fmt.Fprintf(&b, "-- terminal %s --\n%s\n", name, term.out)
	}
	return b.String()
}

func (l *lab) command(line string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	l.t.Cleanup(cancel)
	line = strings.ReplaceAll(line, "localhost:9092", l.addr)
	cmd := exec.CommandContext(ctx, "bash", "-o", "pipefail", "-c", line)
	cmd.Dir, cmd.Env = l.root, l.env
	return cmd
}

// block is one fenced console block of a page.
type block struct {
	terminal   string
	eventually bool // what it shows may take a moment to come true
	steps      []step
}

// step is a command and what it prints.
type step struct{ command, output string }

func consoleBlocks(page string) []block {
	var blocks []block
	var open *block
	for line := range strings.Lines(page) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case open == nil && strings.HasPrefix(line, "```console"):
			_, name, _ := strings.Cut(line, "terminal=")
			open = &block{terminal: name, eventually: strings.HasSuffix(line, " eventually")}
		case open != nil && line == "```":
			blocks = append(blocks, *open)
			open = nil
		case open != nil:
			open.add(line)
		}
	}
	return blocks
}

func (b *block) add(line string) {
	if command, ok := strings.CutPrefix(line, "$ "); ok || line == "^C" {
		if !ok {
			command = line
		}
		b.steps = append(b.steps, step{command: command})
		return
	}
	b.steps[len(b.steps)-1].output += line + "\n"
}

// freeAddr is an address on loopback that nobody listens on now.
func freeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestLabOnTheEmbeddedBroker(t *testing.T) {
	newLab(t, freeAddr(t), true).run("docs/lab-wordcount.md")
}

func TestConnectLabOnTheEmbeddedBroker(t *testing.T) {
	newLab(t, freeAddr(t), true).runConnect()
}

// runConnect works through the Connect lab in an empty folder, its workers on free ports.
func (l *lab) runConnect() {
	l.t.Helper()
	page, err := os.ReadFile(filepath.Join(l.root, "docs/lab-connect.md"))
	if err != nil {
		l.t.Fatal(err)
	}
	first, second := freeAddr(l.t), freeAddr(l.t)
	here := strings.NewReplacer("localhost:9092", l.addr, "localhost:8083", first, "localhost:8084", second)
	l.env = append(l.env, "WASMSTREAM_CONNECT_URL=http://"+first)
	l.root = l.t.TempDir()
	l.blocks(here.Replace(string(page)))
}

func TestConsoleBlocks(t *testing.T) {
	page := "text\n```console terminal=x\n$ run\n```\n```console\n$ a\n1\n2\n$ b\n```\n```sh\nno\n```\n"
	want := []block{
		{terminal: "x", steps: []step{{command: "run"}}},
		{steps: []step{{command: "a", output: "1\n2\n"}, {command: "b"}}},
	}
	if d := cmp.Diff(want, consoleBlocks(page), cmp.AllowUnexported(block{}, step{})); d != "" {
		t.Error(d)
	}
}
