package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmstream/wasmstream/internal/brokertest"
)

// TestPages runs the pages whose commands print the same everywhere, each in a folder where the examples and the SDKs
// are at hand as in a clone, and which may be written to.
//
// A block with file=PATH is a file that the reader saves; a command without output on the page may print anything. What
// a block of "console eventually" shows may take a moment to come true; … stands for any text within a line.
func TestPages(t *testing.T) {
	for _, page := range []string{
		"docs/getting-started.md",
		"examples/hello/README.md",
		"examples/wordcount/README.md",
		"examples/mapvalues/README.md",
		"examples/branches/README.md",
	} {
		t.Run(page, func(t *testing.T) {
			own := page == "docs/getting-started.md"
			addr := freeAddr(t)
			if !own {
				addr = brokertest.Fake(t).Addr
			}
			newLab(t, addr, own).follow(page)
		})
	}
}

// TestReadmeShowsWhatConnectPrints runs the pipeline of README.md on the embedded broker, as in a fresh clone.
func TestReadmeShowsWhatConnectPrints(t *testing.T) {
	l := newLab(t, freeAddr(t), true)
	page, err := os.ReadFile(filepath.Join(l.root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	if err := os.CopyFS(filepath.Join(root, "examples/connect"), os.DirFS(filepath.Join(l.root, "examples/connect"))); err != nil {
		t.Fatal(err)
	}
	l.root = root
	for _, b := range consoleBlocks(string(page)) {
		if s := b.steps[0]; strings.Contains(s.command, "connect run") {
			l.foreground([]step{{command: "{ " + s.command + "; } 2>&1", output: s.output}})
			return
		}
	}
	t.Error("README.md runs no pipeline")
}

// follow works through the page in a clone of its own, its admin server on a free port.
func (l *lab) follow(page string) {
	l.t.Helper()
	text, err := os.ReadFile(filepath.Join(l.root, page))
	if err != nil {
		l.t.Fatal(err)
	}
	clone := l.t.TempDir()
	for _, folder := range []string{"examples", "guest-sdk"} {
		if err := os.Symlink(filepath.Join(l.root, folder), filepath.Join(clone, folder)); err != nil {
			l.t.Fatal(err)
		}
	}
	l.root = clone
	// The lab's cache folder is empty; Go's own holds the standard library for wasm, which takes a minute to compile.
	gocache, err := exec.Command("go", "env", "GOCACHE").Output()
	if err != nil {
		l.t.Fatal(err)
	}
	l.env = append(l.env, "GOCACHE="+strings.TrimSpace(string(gocache)))
	l.blocks(strings.ReplaceAll(string(text), "127.0.0.1:9090", freeAddr(l.t)))
}

// blocks works through the fenced blocks of a page's text.
func (l *lab) blocks(text string) {
	l.t.Helper()
	defer l.hangUp()
	for _, f := range fences(text) {
		l.fence(f)
	}
}

func (l *lab) fence(f fence) {
	l.t.Helper()
	if _, path, ok := strings.Cut(f.info, "file="); ok {
		l.save(path, f.body)
		return
	}
	for _, b := range consoleBlocks("```" + f.info + "\n" + f.body + "```\n") {
		switch {
		case b.terminal == "broker" && !l.embedded:
		case b.eventually:
			l.eventually(b.steps)
		case b.terminal == "":
			l.quietly(b.steps)
		case b.steps[0].command == "^C":
			l.interrupt(b.terminal)
		default:
			l.background(b.terminal, b.steps[0].command)
		}
	}
}

// quietly runs steps of which those without output on the page may print anything.
func (l *lab) quietly(steps []step) {
	l.t.Helper()
	for _, s := range steps {
		if s.output == "" {
			s.command = "{ " + s.command + "; } >/dev/null"
		}
		l.foreground([]step{s})
	}
}

// eventually repeats each command until it prints what the page shows.
func (l *lab) eventually(steps []step) {
	l.t.Helper()
	for _, s := range steps {
		deadline, tick := time.After(time.Minute), time.NewTicker(100*time.Millisecond)
		defer tick.Stop()
		for {
			out, err := l.command(s.command).Output()
			diff := shownDiff(s.output, string(out))
			if err == nil && diff == "" {
				break
			}
			select {
			case <-tick.C:
			case <-deadline:
				l.t.Fatalf("$ %s prints something else (-page +really): %v\n%s\n%s", s.command, err, diff, l.transcripts())
			}
		}
	}
}

// shownDiff is "" if out is what a page shows.
func shownDiff(shown, out string) string {
	if strings.Contains(shown, "…") {
		pattern := "^" + strings.ReplaceAll(regexp.QuoteMeta(shown), "…", "[^\n]*") + "$"
		if regexp.MustCompile(pattern).MatchString(out) {
			return ""
		}
	}
	return cmp.Diff(shown, out)
}

func (l *lab) save(path, text string) {
	l.t.Helper()
	path = filepath.Join(l.root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		l.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		l.t.Fatal(err)
	}
}

// fence is a fenced block of a page.
type fence struct{ info, body string }

var fencePattern = regexp.MustCompile("(?ms)^```([^\n]*)\n(.*?)^```$")

func fences(page string) []fence {
	var all []fence
	for _, m := range fencePattern.FindAllStringSubmatch(page, -1) {
		all = append(all, fence{info: m[1], body: m[2]})
	}
	return all
}
