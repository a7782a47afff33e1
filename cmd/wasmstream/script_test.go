package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/wasmstream/wasmstream/host/wasm"
	"github.com/wasmstream/wasmstream/internal/brokertest"
	"github.com/wasmstream/wasmstream/internal/guestbuild"
	"github.com/wasmstream/wasmstream/internal/kafka"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && (os.Args[1] == compileChild || os.Args[1] == describeChild) {
		main() // testscript knows its commands by the name of their file, and these are /proc/self/exe
	}
	testscript.Main(m, map[string]func(){"wasmstream": main})
}

// TestScripts runs testdata/script/*.txtar, each against an embedded broker of its own at $BROKER, which is also the
// default of every command; $EXAMPLES is the folder of examples, $LF a line feed. Beside testscript's commands there are
//
//	start NAME REGEXP COMMAND...   starts a command and waits until it has printed REGEXP; the match is $NAME
//	interrupt NAME [SIGNAL...]     sends INT (or the signals) and wants status 0, with ! another; HUP and STOP do not end it
//	output NAME REGEXP [VAR]       waits until the started command has printed REGEXP; VAR is its first group
//	freeport VAR                   sets VAR to a port that nobody listens on
//	damage DIR                     overwrites the end of every file of the store under DIR
//	append FILE LINE...            appends lines to a file
//	until REGEXP COMMAND...        repeats a command until it succeeds and prints REGEXP
//	newer DIR                      makes the store under DIR one that a later release has written
//	status N COMMAND...            runs a command that ends with that exit status
//	pin MODULE DOCUMENT            writes the module's digest into the document
//	bomb FILE                      writes a small document that a careless reader needs gigabytes for
//	guest NAME FILE                writes the module of the guest of that name (package guestbuild), built if need be
//	module NAME [AS]               writes AS.wasm (or NAME.wasm), a module of moduleFolders
func TestScripts(t *testing.T) {
	testscript.Run(t, scripts("testdata/script"))
}

// scripts are the parameters for the scripts of a folder.
func scripts(dir string) testscript.Params {
	return testscript.Params{
		Dir: dir,
		Setup: func(env *testscript.Env) error {
			broker := brokertest.Fake(env.T().(testing.TB))
			env.Setenv("BROKER", broker.Addr)
			env.Setenv("WASMSTREAM_BOOTSTRAP_SERVER", broker.Addr)
			env.Setenv("WASMSTREAM_STATE_DIR", filepath.Join(env.WorkDir, "state"))
			env.Setenv("DOCS", absolute(env.T().(testing.TB), "../../docs"))
			env.Setenv("LF", "\n")
			env.Setenv("EXAMPLES", absolute(env.T().(testing.TB), "../../examples"))
			env.Setenv("XDG_CACHE_HOME", cacheForTests(env.T().(testing.TB)))
			env.Values["terminals"] = map[string]*terminal{}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"start": startCommand, "interrupt": interruptCommand, "output": outputCommand, "freeport": freeportCommand, "module": copyModule, "damage": damageCommand, "newer": newerCommand,
			"status": statusCommand, "until": untilCommand, "append": appendCommand, "pin": pinCommand, "bomb": bombCommand, "guest": guestCommand,
		},
		Condition: func(cond string) (bool, error) {
			path, ok := strings.CutPrefix(cond, "exists:")
			if !ok {
				return false, fmt.Errorf("there is no condition %q", cond)
			}
			_, err := os.Stat(path)
			return err == nil, nil
		},
		RequireUniqueNames: true,
		Deadline:           time.Now().Add(3 * time.Minute), // a command that should have failed may run for ever
	}
}

func absolute(t testing.TB, path string) string {
	t.Helper()
	abs, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return abs
}

// cacheForTests is one folder of compiled modules for all scripts.
func cacheForTests(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("wasmstream-test-cache-%d", os.Getuid()))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// terminal is a command that stays while a script goes on.
type terminal struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error

	mu      sync.Mutex
	text    bytes.Buffer
	printed chan struct{} // closed and replaced with each write
}

func (t *terminal) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text.Write(b)
	close(t.printed)
	t.printed = make(chan struct{})
	return len(b), nil
}

// wait returns the first match of pattern in what was or will be printed.
func (t *terminal) wait(ts *testscript.TestScript, pattern string) string {
	re, err := regexp.Compile(pattern)
	ts.Check(err)
	limit := time.After(60 * time.Second)
	for {
		t.mu.Lock()
		found, text, more := re.FindString(t.text.String()), t.text.String(), t.printed
		t.mu.Unlock()
		if found != "" {
			return found
		}
		select {
		case <-more:
		case <-t.done:
			t.mu.Lock()
			text = t.text.String()
			t.mu.Unlock()
			if found = re.FindString(text); found != "" {
				return found
			}
			ts.Fatalf("it ended (%v) without printing %q:\n%s", t.err, pattern, text)
		case <-limit:
			ts.Fatalf("it does not print %q:\n%s", pattern, text)
		}
	}
}

func terminalsOf(ts *testscript.TestScript) map[string]*terminal {
	return ts.Value("terminals").(map[string]*terminal)
}

func startCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: start NAME REGEXP COMMAND...")
	}
	path, err := lookPath(ts, args[2])
	ts.Check(err)
	t := &terminal{cmd: exec.Command(path, args[3:]...), done: make(chan struct{}), printed: make(chan struct{})}
	t.cmd.Dir, t.cmd.Stdout, t.cmd.Stderr = ts.MkAbs("."), t, t
	t.cmd.Env = environOf(ts)
	ts.Check(t.cmd.Start())
	go func() { t.err = t.cmd.Wait(); close(t.done) }()
	ts.Defer(func() {
		_ = t.cmd.Process.Kill()
		<-t.done
	})
	terminalsOf(ts)[args[0]] = t
	ts.Setenv(args[0], t.wait(ts, args[1]))
}

// environOf are the variables of the script that commands of ours read.
func environOf(ts *testscript.TestScript) []string {
	var env []string
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "WASMSTREAM_BOOTSTRAP_SERVER", "WASMSTREAM_STATE_DIR", "XDG_CACHE_HOME", "GOCOVERDIR"} {
		if v := ts.Getenv(name); v != "" {
			env = append(env, name+"="+v)
		}
	}
	return env
}

func lookPath(ts *testscript.TestScript, name string) (string, error) {
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && !info.IsDir() {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s is not on the PATH of the script", name)
}

var signalsByName = map[string]os.Signal{
	"INT": syscall.SIGINT, "TERM": syscall.SIGTERM, "KILL": syscall.SIGKILL, "HUP": syscall.SIGHUP, "STOP": syscall.SIGSTOP,
}

func interruptCommand(ts *testscript.TestScript, neg bool, args []string) {
	t := terminalsOf(ts)[args[0]]
	signals := args[1:]
	if len(signals) == 0 {
		signals = []string{"INT"}
	}
	for _, name := range signals {
		ts.Check(t.cmd.Process.Signal(signalsByName[name]))
		if name == "HUP" || name == "STOP" {
			return
		}
	}
	select {
	case <-t.done:
	case <-time.After(60 * time.Second):
		ts.Fatalf("it goes on:\n%s", t.text.String())
	}
	ts.Logf("%s printed:\n%s", args[0], t.text.String())
	if signals[len(signals)-1] != "KILL" && (t.err == nil) == neg {
		ts.Fatalf("it ended with %v", t.err)
	}
}

func outputCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: output NAME REGEXP [VAR]")
	}
	found := terminalsOf(ts)[args[0]].wait(ts, args[1])
	if len(args) == 3 {
		ts.Setenv(args[2], regexp.MustCompile(args[1]).FindStringSubmatch(found)[1])
	}
}

func appendCommand(ts *testscript.TestScript, _ bool, args []string) {
	text := ts.ReadFile(args[0]) + strings.Join(args[1:], "\n") + "\n"
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}

func untilCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: until REGEXP COMMAND...")
	}
	re, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	limit, tick := time.After(60*time.Second), time.NewTicker(100*time.Millisecond)
	defer tick.Stop()
	for {
		err := ts.Exec(args[1], args[2:]...)
		if out := ts.ReadFile("stdout"); err == nil && re.MatchString(out) {
			return
		}
		select {
		case <-tick.C:
		case <-limit:
			ts.Fatalf("%v: it does not print %q:\n%s%s", err, args[0], ts.ReadFile("stdout"), ts.ReadFile("stderr"))
		}
	}
}

func freeportCommand(ts *testscript.TestScript, _ bool, args []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	ts.Check(err)
	ts.Setenv(args[0], port)
}

// quietLogger says nothing but what ends the test.
type quietLogger struct{}

func (quietLogger) Infof(string, ...any)              {}
func (quietLogger) Errorf(string, ...any)             {}
func (quietLogger) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// newerCommand overwrites the record that says which format a database has, its first.
func newerCommand(ts *testscript.TestScript, _ bool, args []string) {
	db, err := pebble.Open(filepath.Join(ts.MkAbs(args[0]), "db"), &pebble.Options{ErrorIfNotExists: true, Logger: quietLogger{}})
	ts.Check(err)
	iter, err := db.NewIter(nil)
	ts.Check(err)
	for ok := iter.First(); ok; ok = iter.Next() {
		fields := strings.Split(string(iter.Value()), "\n")
		if fields[0] == "wasmstream-state" {
			fields[1] = "99"
			ts.Check(db.Set(iter.Key(), []byte(strings.Join(fields, "\n")), pebble.Sync))
			// The list of the files is of what we wrote; who reads a later format has none to compare.
			ts.Check(errors.Join(iter.Close(), db.Close(), os.Remove(filepath.Join(ts.MkAbs(args[0]), "db", "FILES"))))
			return
		}
	}
	ts.Fatalf("there is no record of the format in %s", args[0])
}

func damageCommand(ts *testscript.TestScript, _ bool, args []string) {
	n := 0
	ts.Check(filepath.WalkDir(ts.MkAbs(args[0]), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains(path, "/db/") || strings.HasSuffix(path, "LOCK") {
			return err
		}
		data, err := os.ReadFile(path)
		for i := len(data) / 2; i < len(data); i++ {
			data[i] ^= 0x55
		}
		n++
		return errors.Join(err, os.WriteFile(path, data, 0o600))
	}))
	if n == 0 {
		ts.Fatalf("there is no store under %s", args[0])
	}
}

func statusCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N COMMAND...")
	}
	err := ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	if !errors.As(err, &exit) || strconv.Itoa(exit.ExitCode()) != args[0] {
		ts.Fatalf("it ended with %v, want exit status %s", err, args[0])
	}
}

func pinCommand(ts *testscript.TestScript, _ bool, args []string) {
	module, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	document, err := os.ReadFile(ts.MkAbs(args[1]))
	ts.Check(err)
	pinned := strings.Replace(string(document), args[0], args[0]+`, digest: "`+wasm.Digest(module)+`"`, 1)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(pinned), 0o600))
}

func bombCommand(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte("a: "+strings.Repeat("[", 200_000)), 0o600))
}

// moduleFolders hold modules for scripts: the examples, those that fail on demand, those that break a rule of the ABI.
var moduleFolders = []string{"../../examples/NAME", "testdata/guests", "../../host/wasm/tck/testdata/bad"}

// guestCommand writes the module of a guest of this repository, which is built if need be.
func guestCommand(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), guestbuild.Load(scriptTB{ts}, args[0]), 0o600))
}

// scriptTB ends a script where a test would end.
type scriptTB struct{ *testscript.TestScript }

func (scriptTB) Helper() {}

func (s scriptTB) Fatalf(format string, args ...any) { s.TestScript.Fatalf(format, args...) }

func copyModule(ts *testscript.TestScript, _ bool, args []string) {
	to := args[len(args)-1]
	for _, folder := range moduleFolders {
		data, err := os.ReadFile(filepath.Join(strings.ReplaceAll(folder, "NAME", args[0]), args[0]+".wasm"))
		if err == nil {
			ts.Check(os.WriteFile(ts.MkAbs(to+".wasm"), data, 0o600))
			return
		}
	}
	ts.Fatalf("there is no module %s", args[0])
}

func TestIntersperse(t *testing.T) {
	cases := map[string]string{
		"topic create a --partitions 2 b":         "topic create --partitions 2 a b",
		"topic create a -p=2 --if-not-exists b":   "topic create -p=2 --if-not-exists a b",
		"consume t -n 1 --from-beginning -o json": "consume -n 1 --from-beginning -o json t",
		"produce t - -k x":                        "produce -k x t -",
		"produce t -- -k x":                       "produce t -- -k x",
		"topic create a -p 2 --help":              "topic create --help",
		"produce t -k -h":                         "produce -k -h t",
		"reset app --shift-by -5":                 "reset --shift-by -5 app",
		"nothing -x y":                            "nothing -x y",
		"topic":                                   "topic",
	}
	for in, want := range cases {
		got := strings.Join(intersperse(commands(), append([]string{"wasmstream"}, strings.Fields(in)...)), " ")
		if got != "wasmstream "+want {
			t.Errorf("%s becomes %s, want %s", in, got, want)
		}
	}
}

func FuzzParseFormat(f *testing.F) {
	f.Add(`%k\t%v\x00\n`)
	f.Fuzz(func(_ *testing.T, format string) { _, _ = parseFormat(format) })
}

func FuzzReadProperties(f *testing.F) {
	f.Add([]byte("a=b\n# c\nd : e \\\n f"))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "p")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		_ = readProperties(t.Context(), path, kafka.Properties{})
	})
}
