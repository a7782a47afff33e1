package brokertest

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/wasmstream/wasmstream/internal/fakekafka"
)

// Proxy stands between a cluster of one node and its clients, who know no other address of it. What it has carried is
// lost, late or left without an answer as a test says. The clients of the test itself, those of Broker.Client, go past it.
type Proxy struct {
	listener net.Listener
	target   string
	pace     atomic.Int64 // nanoseconds that each piece waits

	mu struct {
		sync.Mutex
		links  map[*link]struct{}
		closed bool
	}
}

// pieceBytes is how much a slow proxy carries at a time.
const pieceBytes = 16 << 10

// link is a connection of a client and the one that carries it on.
type link struct {
	client, broker net.Conn
	lost           atomic.Bool // what the client sends goes nowhere
}

// Proxied is Fake behind a Proxy.
func Proxied(t testing.TB) (*Broker, *Proxy) {
	t.Helper()
	p := newProxy(t)
	b := Fake(t, kfake.ListenFn(fakekafka.Listener(p.listen)))
	b.direct = p.past
	return b, p
}

// newProxy ends with the test.
func newProxy(t testing.TB) *Proxy {
	p := &Proxy{}
	p.mu.links = map[*link]struct{}{}
	t.Cleanup(p.close)
	return p
}

// past connects a client of the test, whatever address the cluster has told it.
func (p *Proxy) past(ctx context.Context, network, _ string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, network, p.target)
}

// listen makes the broker listen where nobody but the proxy looks, and say that it is where the proxy is.
func (p *Proxy) listen(network, address string) (net.Listener, error) {
	inner, err := net.Listen(network, "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p.target = inner.Addr().String()
	if p.listener, err = net.Listen(network, address); err != nil {
		return nil, errors.Join(err, inner.Close())
	}
	go p.accept()
	return &elsewhere{inner, p.listener.Addr()}, nil
}

// elsewhere is a listener that says another address.
type elsewhere struct {
	net.Listener
	addr net.Addr
}

func (e *elsewhere) Addr() net.Addr { return e.addr }

// accept ends with the listener.
func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		broker, err := net.Dial("tcp", p.target)
		if err != nil {
			client.Close()
			continue
		}
		l := &link{client: client, broker: broker}
		if !p.add(l) {
			l.close()
			return
		}
		go p.carry(l, l.broker, l.client)
		go p.carry(l, l.client, l.broker)
	}
}

func (p *Proxy) add(l *link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.mu.closed {
		p.mu.links[l] = struct{}{}
	}
	return !p.mu.closed
}

// carry takes bytes from one end to the other until either has closed.
func (p *Proxy) carry(l *link, to, from net.Conn) {
	buf := make([]byte, pieceBytes)
	for {
		n, err := from.Read(buf)
		if pace := p.pace.Load(); pace > 0 {
			<-time.After(time.Duration(pace))
		}
		if n > 0 && !l.lost.Load() {
			_, werr := to.Write(buf[:n])
			err = errors.Join(err, werr)
		}
		if err != nil {
			break
		}
	}
	if l.lost.Load() && from == l.broker {
		return // the client is left with a connection that looks well
	}
	p.mu.Lock()
	delete(p.mu.links, l)
	p.mu.Unlock()
	l.close()
}

func (l *link) close() {
	l.client.Close()
	l.broker.Close()
}

// Cut ends every connection in the middle of what it carries, and returns how many there were.
func (p *Proxy) Cut() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.mu.links {
		if tcp, ok := l.client.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // a reset, not an end
		}
		l.close()
	}
	return len(p.mu.links)
}

// HalfOpen takes the broker's end of every connection away without the client hearing of it: what it sends goes nowhere,
// and nothing comes. It returns how many there were. Connections made later are well.
func (p *Proxy) HalfOpen() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for l := range p.mu.links {
		if !l.lost.Swap(true) {
			n++
		}
		l.broker.Close()
	}
	return n
}

// Slow lets each piece of 16 KiB wait; 0 ends that.
func (p *Proxy) Slow(pace time.Duration) { p.pace.Store(int64(pace)) }

func (p *Proxy) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.closed = true
	if p.listener != nil {
		p.listener.Close()
	}
	for l := range p.mu.links {
		l.close()
	}
}
