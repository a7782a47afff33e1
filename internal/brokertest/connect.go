//go:build integration

package brokertest

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// ConnectWorker is a worker of Apache Kafka Connect.
type ConnectWorker struct {
	// URL of its REST API.
	URL string

	cmd *exec.Cmd
	dir string
}

// KafkaConnect starts a worker with the settings of its mode, standalone or distributed, and returns when it is healthy. It
// ends with the test.
func KafkaConnect(t testing.TB, mode string, settings map[string]string) *ConnectWorker {
	t.Helper()
	port, err := freePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	w := &ConnectWorker{URL: fmt.Sprintf("http://127.0.0.1:%d", port), dir: t.TempDir()}
	lines := []string{"listeners=" + w.URL, "rest.advertised.host.name=127.0.0.1"}
	for k, v := range settings {
		lines = append(lines, k+"="+v)
	}
	slices.Sort(lines)
	props := filepath.Join(w.dir, "worker.properties")
	if err := os.WriteFile(props, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.cmd = exec.Command(Script(), "connect", mode, w.dir, props)
	w.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Kill() })
	w.awaitHealthy(t)
	return w
}

func (w *ConnectWorker) awaitHealthy(t testing.TB) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); ; <-time.After(50 * time.Millisecond) {
		resp, err := http.Get(w.URL + "/health")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		if time.Now().After(end) || w.cmd.Process.Signal(syscall.Signal(0)) != nil {
			log, _ := os.ReadFile(filepath.Join(w.dir, "worker.out"))
			t.Fatalf("Kafka Connect does not start: %s", log)
		}
	}
}

// Kill ends it at once.
func (w *ConnectWorker) Kill() {
	if w.cmd != nil {
		_ = w.cmd.Process.Kill()
		_ = w.cmd.Wait()
		w.cmd = nil
	}
}
