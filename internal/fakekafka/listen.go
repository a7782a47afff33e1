package fakekafka

import (
	"encoding/binary"
	"net"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// joinPatience bounds how long a connection is kept whose client is gone: kfake leaves some joins without an answer.
const joinPatience = 5 * time.Minute

// Listener is what a cluster listens by (kfake.ListenFn) so that it hears of the end of a connection only when it has answered
// the join that it was asked there. Kafka does not look at a connection before that either, and the session of the member
// begins with the answer. kfake begins none where it knows that nobody hears the answer, and never misses the member then.
func Listener(listen func(network, address string) (net.Listener, error)) func(network, address string) (net.Listener, error) {
	return func(network, address string) (net.Listener, error) {
		l, err := listen(network, address)
		if err != nil {
			return nil, err
		}
		return listener{l}, nil
	}
}

type listener struct{ net.Listener }

func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c, closed: make(chan struct{})}, nil
}

// conn keeps the error of a read back while a join waits. kfake reads and writes by one goroutine each.
type conn struct {
	net.Conn
	head   []byte // of a request: its size and its kind, as far as they have come
	left   int    // of its body, which is still to come
	once   sync.Once
	closed chan struct{}

	mu struct {
		sync.Mutex
		answered chan struct{} // closed when the last join was answered, nil before the first
	}
}

// headBytes are the size of a request and its kind.
const headBytes = 6

func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.saw(b[:n])
	if err != nil {
		c.await()
	}
	return n, err
}

// saw follows the requests in what was read, and notes those that join.
func (c *conn) saw(b []byte) {
	for len(b) > 0 {
		n := min(len(b), c.left)
		if c.left == 0 {
			n = min(len(b), headBytes-len(c.head))
			c.head = append(c.head, b[:n]...)
			if len(c.head) == headBytes {
				c.left = max(0, int(binary.BigEndian.Uint32(c.head))-2)
			}
		} else {
			c.left -= n
		}
		b = b[n:]
		if len(c.head) == headBytes && c.left == 0 {
			if kmsg.Key(binary.BigEndian.Uint16(c.head[4:])) == kmsg.JoinGroup {
				c.ask()
			}
			c.head = c.head[:0]
		}
	}
}

func (c *conn) ask() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.answered = make(chan struct{})
}

// await returns when the last join was answered.
func (c *conn) await() {
	c.mu.Lock()
	answered := c.mu.answered
	c.mu.Unlock()
	if answered == nil {
		return
	}
	patience := time.NewTimer(joinPatience)
	defer patience.Stop()
	select {
	case <-answered:
	case <-c.closed:
	case <-patience.C:
	}
}

// Write takes the first answer after a join for that of the join: there is one request at a time.
func (c *conn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.mu.Lock()
	defer c.mu.Unlock()
	if answered := c.mu.answered; answered != nil {
		close(answered)
		c.mu.answered = nil
	}
	return n, err
}

func (c *conn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}
