//go:build unix

package connect_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"github.com/wasmstream/wasmstream/connectors/builtin"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/host/connect"
	"github.com/wasmstream/wasmstream/host/rest"
)

// workerVariable holds the settings of a worker, as JSON, in the environment of a process that is to be one.
const workerVariable = "WASMSTREAM_TEST_WORKER"

// TestMain lets this binary be a worker too, in a process of its own that a test kills or stops.
func TestMain(m *testing.M) {
	if settings := os.Getenv(workerVariable); settings != "" {
		flag.Parse()
		if err := workerMain(settings); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	flag.Parse()
	_ = flag.Set("test.parallel", "6") // the flag is known: tests wait for sessions to end, most of the time
	os.Exit(m.Run())
}

// workerMain is a worker until its standard input ends: with the test, however that ends.
func workerMain(settings string) error {
	var props map[string]string
	if err := json.Unmarshal([]byte(settings), &props); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	cfg, err := connect.ParseWorkerConfig(config.PropsOf(props), props["group.id"] != "")
	if err != nil {
		return err
	}
	var h *connect.Herder
	live := func(ctx context.Context) error { <-ctx.Done(); return nil }
	if cfg.Distributed() {
		if h, err = connect.NewDistributed(ctx, cfg, builtin.Plugins(), quiet()); err == nil {
			live = h.Join
		}
	} else {
		h, err = connect.NewStandalone(cfg, builtin.Plugins(), quiet())
	}
	if err != nil {
		return err
	}
	server, _, err := rest.Listen(rest.Config{Herder: h})
	if err != nil {
		return err
	}
	fmt.Println(strings.TrimSuffix(cfg.AdvertisedURL, "/"))
	served := make(chan error, 1)
	go func() { served <- server.Run(ctx) }()
	return errors.Join(live(ctx), <-served, h.Close())
}

// process is a worker in a process of its own.
type process struct {
	url string
	cmd *exec.Cmd
}

// startProcess returns when the worker answers requests.
func startProcess(t testing.TB, settings map[string]string) *process {
	t.Helper()
	b, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: exec.Command(os.Args[0], "-test.v="+fmt.Sprint(testing.Verbose()))}
	p.cmd.Env = append(os.Environ(), workerVariable+"="+string(b))
	p.cmd.Stderr = os.Stderr
	if _, err := p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the worker does not start: %v", err)
	}
	p.url = strings.TrimSpace(line)
	return p
}

// id is what statuses name the worker by.
func (p *process) id() string { return strings.TrimPrefix(p.url, "http://") }

func (p *process) signal(t testing.TB, s syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// kill ends it at once.
func (p *process) kill() {
	if p.cmd.ProcessState == nil {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
	}
}

// terminate ends it as an operator does.
func (p *process) terminate(t testing.TB) {
	t.Helper()
	p.signal(t, syscall.SIGTERM)
	if err := p.cmd.Wait(); err != nil {
		t.Error(err)
	}
}
