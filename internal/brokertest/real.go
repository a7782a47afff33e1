//go:build integration

package brokertest

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Real returns a real Apache Kafka for tests that make sense nowhere else: the one that all tests share.
func Real(t testing.TB) *Broker {
	t.Helper()
	return At(real(t))
}

// Own starts a node that no other test sees and that ends with the test.
func Own(t testing.TB) *Broker {
	t.Helper()
	return OwnCluster(t, 1).Broker
}

// Cluster is an Apache Kafka of a test's own, whose nodes may be killed. Their ids count from 0.
type Cluster struct {
	*Broker
	node *node
}

// OwnCluster starts a cluster of 1 or 3 nodes that no other test sees and that ends with the test. With three nodes
// each partition has three replicas, two of which must have what is acknowledged.
func OwnCluster(t testing.TB, nodes int) *Cluster {
	t.Helper()
	n, err := start(nodes)
	if err != nil {
		t.Fatalf("starting Apache Kafka: %v\ninstall what it needs with: make deps", err)
	}
	t.Cleanup(n.stop)
	return &Cluster{Broker: At(n.addr()), node: n}
}

// Servers lists all nodes as bootstrap.servers takes them.
func (c *Cluster) Servers() string {
	var list []string
	for i := range c.node.nodes {
		list = append(list, fmt.Sprintf("127.0.0.1:%d", c.node.port+i))
	}
	return strings.Join(list, ",")
}

// Proxied is a cluster of one node behind a Proxy, as another Broker with names of its own. Proxies of a cluster have one
// address, so a test has to end before the next one can have its own.
func (c *Cluster) Proxied(t testing.TB) (*Broker, *Proxy) {
	t.Helper()
	p := newProxy(t)
	p.target = fmt.Sprintf("127.0.0.1:%d", c.node.port+proxiedPort)
	var err error
	if p.listener, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", c.node.port+proxyPort)); err != nil {
		t.Fatalf("listening before Apache Kafka: %v", err)
	}
	go p.accept()
	b := At(p.listener.Addr().String())
	b.direct = p.past
	return b, p
}

// Kill ends a node by SIGKILL and returns when it is gone.
func (c *Cluster) Kill(t testing.TB, id int32) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(c.node.dir, fmt.Sprintf("node%d", id), "pid"))
	if err != nil {
		t.Fatalf("finding node %d: %v", id, err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err == nil {
		err = syscall.Kill(pid, syscall.SIGKILL)
	}
	if err != nil {
		t.Fatalf("killing node %d: %v", id, err)
	}
	for end := time.Now().Add(10 * time.Second); syscall.Kill(pid, 0) == nil; <-time.After(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("node %d does not end", id)
		}
	}
}

// Restart starts the nodes that were killed, with what they had on disk, and returns when they serve.
func (c *Cluster) Restart(t testing.TB) {
	t.Helper()
	if out, err := exec.Command(Script(), c.node.args()...).CombinedOutput(); err != nil {
		t.Fatalf("restarting a node: %v: %s", err, out)
	}
}

// shared is the cluster of all tests of this binary. The variable keeps its guard's standard input from being
// collected, and so closed, while tests run.
var shared = sync.OnceValues(func() (*node, error) { return start(1) })

func real(t testing.TB) string {
	t.Helper()
	if addr := os.Getenv("WASMSTREAM_TEST_BROKERS"); addr != "" {
		return addr
	}
	n, err := shared()
	if err != nil {
		t.Fatalf("starting Apache Kafka: %v\ninstall what it needs with: make deps", err)
	}
	return n.addr()
}

// node is what .ci/kafka.sh runs in one folder: one node or several.
type node struct {
	dir         string
	port, nodes int
	guard       *exec.Cmd
	alive       io.Closer // the guard stops the nodes when this is closed
}

func (n *node) addr() string { return fmt.Sprintf("127.0.0.1:%d", n.port) }

func (n *node) args() []string {
	return []string{"start", n.dir, strconv.Itoa(n.port), strconv.Itoa(n.nodes)}
}

// guardScript starts nodes, says so, and kills them at the end of its standard input, which comes when the test says
// so and also when the test binary is killed.
const guardScript = `script=$1 dir=$2; "$script" start "$dir" "$3" "$4" && { exec >&-; cat > /dev/null; }; "$script" kill "$dir"; rm -rf "$dir"`

func start(nodes int) (*node, error) {
	port, err := freePorts(nodes)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "wasmstream-kafka-")
	if err != nil {
		return nil, err
	}
	n := &node{dir: dir, port: port, nodes: nodes}
	n.guard = exec.Command("bash", "-c", guardScript, "guard", Script(), dir, strconv.Itoa(port), strconv.Itoa(nodes))
	n.guard.Env = append(os.Environ(), "KAFKA_PROXIED=1")
	n.guard.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C in a terminal must not reach the guard
	if n.alive, err = n.guard.StdinPipe(); err != nil {
		return nil, err
	}
	said, err := n.guard.StdoutPipe()
	if err != nil {
		return nil, err
	}
	var complaint bytes.Buffer
	n.guard.Stderr = &complaint
	if err := n.guard.Start(); err != nil {
		return nil, err
	}
	text, _ := io.ReadAll(said)
	if !bytes.Contains(text, []byte("Apache Kafka")) {
		n.stop()
		return nil, fmt.Errorf("%s", strings.TrimSpace(complaint.String()))
	}
	return n, nil
}

// stop returns when the nodes are gone and their folder is.
func (n *node) stop() {
	n.alive.Close()
	_ = n.guard.Wait()
}

// Script is the path of .ci/kafka.sh.
func Script() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..", ".ci", "kafka.sh")
}

// What a node has beside its port, so much higher: its controller, where it listens behind a proxy, and that proxy.
const (
	controllerPort = 1000
	proxiedPort    = 2000
	proxyPort      = 3000
)

// freePorts finds the first of n ports that are free, as those of their nodes beside them are. They are below those that
// the system gives to outgoing connections.
func freePorts(n int) (int, error) {
	for range 50 {
		port := 20_000 + rand.IntN(9_000)
		free := true
		for i := range n {
			for _, higher := range []int{0, controllerPort, proxiedPort, proxyPort} {
				free = free && isFree(port+higher+i)
			}
		}
		if free {
			return port, nil
		}
	}
	return 0, fmt.Errorf("no free ports found between 20000 and 32000")
}

func isFree(port int) bool {
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err == nil {
		l.Close()
	}
	return err == nil
}
