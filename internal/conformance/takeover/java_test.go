//go:build integration

package takeover_test

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// jvm is the process of the Java applications.
type jvm struct {
	t      *testing.T
	cmd    *exec.Cmd
	stdin  io.Closer // its end is the order to close
	lines  chan string
	failed bytes.Buffer
}

// rootOf is the folder of the checkout.
func rootOf() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..", "..")
}

// buildJava makes the Java programs current.
func buildJava(t *testing.T) {
	t.Helper()
	if out, err := exec.Command(filepath.Join(rootOf(), ".ci", "kafka-streams.sh")).CombinedOutput(); err != nil {
		t.Fatalf("building the Java programs: %v\n%s", err, out)
	}
}

// startJava runs the applications by Kafka Streams, and returns when all of them are RUNNING.
func startJava(t *testing.T, broker, prefix, dir string, apps []application) *jvm {
	t.Helper()
	var names []string
	for _, a := range apps {
		names = append(names, a.name)
	}
	built := filepath.Join(rootOf(), ".cache", "conformance")
	j := &jvm{t: t, lines: make(chan string, 100)}
	j.cmd = exec.Command("java", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
		"-cp", filepath.Join(built, "classes")+":"+filepath.Join(built, "libs", "*"), "wasmstream.conformance.Takeover",
		"bootstrap="+broker, "prefix="+prefix, "state="+dir, "names="+strings.Join(names, ","))
	j.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	j.cmd.Stderr = &j.failed
	stdin, err1 := j.cmd.StdinPipe()
	stdout, err2 := j.cmd.StdoutPipe()
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	j.stdin = stdin
	if err := j.cmd.Start(); err != nil {
		t.Fatalf("starting Java: %v", err)
	}
	t.Cleanup(func() { _ = j.cmd.Process.Kill() })
	go func() {
		defer close(j.lines)
		for s := bufio.NewScanner(stdout); s.Scan(); {
			j.lines <- s.Text()
		}
	}()
	for range apps {
		j.await("RUNNING ")
	}
	return j
}

// await wants a line that begins with a word.
func (j *jvm) await(word string) {
	j.t.Helper()
	select {
	case line, ok := <-j.lines:
		if !ok {
			err := j.cmd.Wait()
			j.t.Fatalf("the Java applications ended: %v\n%s", err, j.failed.String())
		}
		if !strings.HasPrefix(line, word) {
			j.t.Fatalf("the Java applications say %q where %q is due", line, word)
		}
	case <-time.After(2 * time.Minute):
		_ = j.cmd.Process.Signal(syscall.SIGQUIT)
		j.t.Fatalf("the Java applications do not say %q", word)
	}
}

// stop closes the applications cleanly; their members leave.
func (j *jvm) stop() {
	j.t.Helper()
	if err := j.stdin.Close(); err != nil {
		j.t.Fatal(err)
	}
	j.await("CLOSED")
	if err := j.cmd.Wait(); err != nil {
		j.t.Fatalf("the Java applications end with %v\n%s", err, j.failed.String())
	}
}

// described is the description of a topology that Java has written.
func described(t *testing.T, dir, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
