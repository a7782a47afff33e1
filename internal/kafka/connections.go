package kafka

import (
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Connections are those of clients that belong together: what one of them learns of a broker, the others use. A request
// that is not answered in its time says that the network has lost its connection, or the broker stands still; then every
// other connection to that address of which nothing has been heard since that request was sent is closed too, and what
// waits on it is sent again over a new one. Without that, each connection of each client would be given up by a timeout of
// its own, and a commit, whose requests go over three of them, would wait for one after the other.
//
// It may be used by many goroutines.
type Connections struct {
	began time.Time // what the times of connections count from

	mu struct {
		sync.Mutex
		byAddress map[string]map[*connection]struct{}
	}
}

// NewConnections returns a set that is empty.
func NewConnections() *Connections {
	s := &Connections{began: time.Now()}
	s.mu.byAddress = make(map[string]map[*connection]struct{})
	return s
}

// connection notes when it was last asked and heard. kgo writes and reads each from one goroutine, and sets deadlines from
// any.
type connection struct {
	net.Conn
	set     *Connections
	address string       // that was dialled
	asked   atomic.Int64 // when what has had no answer yet began to be sent; 0: nothing waits
	heard   atomic.Int64 // when something last came, at first when it was opened
	ended   atomic.Bool  // whoever waits does not want to any longer: a deadline that has passed says nothing of the broker
}

func (s *Connections) now() int64 { return int64(time.Since(s.began)) }

// add makes a connection one of the set until it is closed.
func (s *Connections) add(conn net.Conn, address string) *connection {
	c := &connection{Conn: conn, set: s, address: address}
	c.heard.Store(s.now())
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.byAddress[address] == nil {
		s.mu.byAddress[address] = make(map[*connection]struct{})
	}
	s.mu.byAddress[address][c] = struct{}{}
	return c
}

// drop closes the connections to an address of which nothing has been heard since then.
func (s *Connections) drop(address string, since int64) {
	s.mu.Lock()
	var silent []*connection
	for c := range s.mu.byAddress[address] {
		if c.heard.Load() <= since {
			silent = append(silent, c)
		}
	}
	s.mu.Unlock()
	for _, c := range silent {
		_ = c.Close()
	}
}

// Write implements net.Conn.
func (c *connection) Write(b []byte) (int, error) {
	c.asked.CompareAndSwap(0, max(c.set.now(), 1))
	n, err := c.Conn.Write(b)
	c.judge(err)
	return n, err
}

// Read implements net.Conn.
func (c *connection) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.heard.Store(c.set.now())
		c.asked.Store(0)
	}
	c.judge(err)
	return n, err
}

// judge takes the end of a request's time for a word on the broker. Nothing was heard here since the later of the two times.
func (c *connection) judge(err error) {
	if err != nil && errors.Is(err, os.ErrDeadlineExceeded) && !c.ended.Load() {
		c.set.drop(c.address, max(c.asked.Load(), c.heard.Load()))
	}
}

// SetReadDeadline implements net.Conn.
func (c *connection) SetReadDeadline(t time.Time) error {
	c.noteEnd(t)
	return c.Conn.SetReadDeadline(t)
}

// SetWriteDeadline implements net.Conn.
func (c *connection) SetWriteDeadline(t time.Time) error {
	c.noteEnd(t)
	return c.Conn.SetWriteDeadline(t)
}

// SetDeadline implements net.Conn.
func (c *connection) SetDeadline(t time.Time) error {
	c.noteEnd(t)
	return c.Conn.SetDeadline(t)
}

// noteEnd sees a wait that is cut off, which kgo does by a deadline of now, and closes the connection after.
func (c *connection) noteEnd(deadline time.Time) {
	if !deadline.IsZero() && !deadline.After(time.Now()) {
		c.ended.Store(true)
	}
}

// Close implements net.Conn.
func (c *connection) Close() error {
	c.set.mu.Lock()
	delete(c.set.mu.byAddress[c.address], c)
	if len(c.set.mu.byAddress[c.address]) == 0 {
		delete(c.set.mu.byAddress, c.address)
	}
	c.set.mu.Unlock()
	return c.Conn.Close()
}
