package kafka

import (
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// TestSilentConnectionsAreGivenUpTogether: a request without an answer ends the connections to its broker of which nothing
// was heard since, those that wait and those that do not, and no others.
func TestSilentConnectionsAreGivenUpTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newLines(t)
		idle, waiting, elsewhere := r.open("a:1"), r.open("a:1"), r.open("b:1")
		lively, asking := r.open("a:1"), r.open("a:1")
		time.Sleep(time.Minute)
		waiting.ask(t, 10*time.Minute)
		elsewhere.ask(t, 10*time.Minute)
		lively.ask(t, 10*time.Minute)
		asking.ask(t, 3*time.Second)
		time.Sleep(time.Second)
		lively.answer(t)
		late := r.open("a:1")
		synctest.Wait()
		time.Sleep(3 * time.Second)
		synctest.Wait()
		for name, want := range map[string]bool{"idle": true, "waiting": true, "asking": true, "lively": false, "late": false, "elsewhere": false} {
			l := map[string]*line{"idle": idle, "waiting": waiting, "asking": asking, "lively": lively, "late": late, "elsewhere": elsewhere}[name]
			if got := l.isClosed(); got != want {
				t.Errorf("%s: closed is %v, want %v", name, got, want)
			}
		}
	})
}

// TestWhoStopsWaitingSaysNothingOfTheBroker: a wait that is cut off ends no other connection.
func TestWhoStopsWaitingSaysNothingOfTheBroker(t *testing.T) {
	for name, stop := range map[string]func(net.Conn) error{
		"read":  func(c net.Conn) error { return c.SetReadDeadline(time.Now()) },
		"both":  func(c net.Conn) error { return c.SetDeadline(time.Now()) },
		"close": net.Conn.Close,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newLines(t)
				other, one := r.open("a:1"), r.open("a:1")
				other.ask(t, 10*time.Minute)
				one.ask(t, 10*time.Minute)
				time.Sleep(time.Minute)
				if err := stop(one.conn); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if other.isClosed() {
					t.Error("the other connection is closed")
				}
			})
		})
	}
}

// lines are connections of one set, whose other ends the test has.
type lines struct {
	t   *testing.T
	set *Connections
}

// line is one of them: read holds what the last read of it gave.
type line struct {
	conn   *connection
	broker net.Conn
	read   chan error
}

func newLines(t *testing.T) *lines { return &lines{t, NewConnections()} }

func (r *lines) open(address string) *line {
	near, far := net.Pipe()
	l := &line{conn: r.set.add(near, address), broker: far, read: make(chan error, 1)}
	r.t.Cleanup(func() { _ = l.conn.Close(); _ = far.Close() })
	return l
}

// ask sends a request and waits for its answer in the background.
func (l *line) ask(t *testing.T, patience time.Duration) {
	t.Helper()
	go func() { _, _ = io.ReadFull(l.broker, make([]byte, 1)) }()
	if _, err := l.conn.Write([]byte{1}); err != nil {
		t.Fatal(err)
	}
	if err := l.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	go func() {
		_, err := l.conn.Read(make([]byte, 1))
		l.read <- err
	}()
}

func (l *line) answer(t *testing.T) {
	t.Helper()
	if _, err := l.broker.Write([]byte{1}); err != nil {
		t.Fatal(err)
	}
}

// isClosed tells whether this end has been closed.
func (l *line) isClosed() bool {
	return errors.Is(l.conn.Conn.SetDeadline(time.Time{}), io.ErrClosedPipe)
}
