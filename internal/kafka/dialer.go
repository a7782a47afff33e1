package kafka

import (
	"context"
	"crypto/tls"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/wasmstream/wasmstream/internal/tlsconfig"
)

// dialer opens connections as the properties say: with TLS or without, with the socket buffers asked for, within the
// set-up timeout, and not sooner than the reconnect backoff after a failure. It may be used by many goroutines.
type dialer struct {
	connections                *Connections
	tls                        *tls.Config // nil: plain text
	sendBuffer, receiveBuffer  int
	setupTimeout, setupLongest time.Duration
	backoff                    func(failures int) time.Duration

	mu struct {
		sync.Mutex
		failures map[string]failure // by address
	}
}

// failure is how often in a row an address could not be dialled, and when it may be dialled again.
type failure struct {
	count int
	next  time.Time
}

func newDialer(p Properties, where string, connections *Connections) (*dialer, error) {
	d := &dialer{
		connections:   connections,
		sendBuffer:    int(p.integer("send.buffer.bytes")),
		receiveBuffer: int(p.integer(receiveBufferBytes)),
		setupTimeout:  max(p.duration("socket.connection.setup.timeout.ms"), time.Millisecond),
		setupLongest:  p.duration("socket.connection.setup.timeout.max.ms"),
		backoff:       backoff(p.duration("reconnect.backoff.ms"), p.duration("reconnect.backoff.max.ms")),
	}
	d.mu.failures = map[string]failure{}
	if strings.HasSuffix(p.str("security.protocol"), "SSL") {
		c, err := tlsconfig.New(tlsconfig.Settings(p), where)
		if err != nil {
			return nil, err
		}
		d.tls = c
	}
	return d, nil
}

// DialContext waits for the backoff of addr, then connects.
func (d *dialer) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	d.mu.Lock()
	f := d.mu.failures[addr]
	d.mu.Unlock()
	if err := sleep(ctx, time.Until(f.next)); err != nil {
		return nil, err
	}
	conn, err := d.dial(ctx, network, addr, f.count)
	if ctx.Err() != nil {
		return conn, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err == nil {
		delete(d.mu.failures, addr)
		return conn, nil
	}
	f.count++
	f.next = time.Now().Add(d.backoff(f.count))
	d.mu.failures[addr] = f
	return nil, err
}

func (d *dialer) dial(ctx context.Context, network, addr string, failures int) (net.Conn, error) {
	timeout := d.setupTimeout << min(failures, 20)
	if timeout > d.setupLongest || timeout < d.setupTimeout {
		timeout = max(d.setupLongest, d.setupTimeout)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		d.setBuffers(tcp)
	}
	conn = d.connections.add(conn, addr)
	if d.tls == nil {
		return conn, nil
	}
	return handshake(ctx, conn, d.tls, addr)
}

// setBuffers asks for the buffers; a system that grants less is as good as Java gets.
func (d *dialer) setBuffers(tcp *net.TCPConn) {
	if d.sendBuffer > 0 {
		_ = tcp.SetWriteBuffer(d.sendBuffer)
	}
	if d.receiveBuffer > 0 {
		_ = tcp.SetReadBuffer(d.receiveBuffer)
	}
}

func handshake(ctx context.Context, conn net.Conn, config *tls.Config, addr string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		host = addr
	}
	c := config.Clone()
	c.ServerName = host
	secured := tls.Client(conn, c)
	if err := secured.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return secured, nil
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// TLS are the settings that the ssl. properties of props stand for, for a server or client of another protocol than Kafka's.
func TLS(props Properties, where string) (*tls.Config, error) {
	p, err := props.Check(Admin, where)
	if err != nil {
		return nil, err
	}
	return tlsconfig.New(tlsconfig.Settings(p), where)
}
