//go:build integration

package brokertest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// Real returns the address of a real Apache Kafka for tests that make sense nowhere else.
func Real(t testing.TB) *Broker {
	t.Helper()
	return &Broker{Addr: real(t), unique: token()}
}

// Own starts a broker that no other test sees and that ends with the test.
func Own(t testing.TB) *Broker {
	t.Helper()
	addr, err := start()
	if err != nil {
		t.Fatalf("starting Apache Kafka: %v\ninstall what it needs with: make deps", err)
	}
	return &Broker{Addr: addr, unique: token()}
}

var startOnce = sync.OnceValues(start)

func real(t testing.TB) string {
	t.Helper()
	if addr := os.Getenv("WASMSTREAM_TEST_BROKERS"); addr != "" {
		return addr
	}
	addr, err := startOnce()
	if err != nil {
		t.Fatalf("starting Apache Kafka: %v\ninstall what it needs with: make deps", err)
	}
	return addr
}

// start runs a node until the test binary ends: a shell that waits for the end of its standard input stops it then,
// also when the binary is killed.
func start() (string, error) {
	port, err := freePort()
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "wasmstream-kafka-")
	if err != nil {
		return "", err
	}
	script := Script()
	if out, err := exec.Command(script, "start", dir, fmt.Sprint(port)).CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, strings.TrimSpace(string(out)))
	}
	guard := exec.Command("sh", "-c", `cat > /dev/null; "$0" stop "$1"; rm -rf "$1"`, script, dir)
	if _, err := guard.StdinPipe(); err != nil {
		return "", err
	}
	return fmt.Sprintf("127.0.0.1:%d", port), guard.Start()
}

// Script is the path of .ci/kafka.sh.
func Script() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..", ".ci", "kafka.sh")
}

// freePort finds a port whose neighbour 1000 higher, the controller's, is free as well.
func freePort() (int, error) {
	for range 50 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return 0, err
		}
		port := l.Addr().(*net.TCPAddr).Port
		l.Close()
		c, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port+1000))
		if err != nil {
			continue
		}
		c.Close()
		return port, nil
	}
	return 0, fmt.Errorf("no pair of free ports found")
}
