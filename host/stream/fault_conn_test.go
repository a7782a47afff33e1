package stream

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// faultyNetwork cuts connections at requests: before the request is sent, so that the broker never acts, or after it
// was sent, so that the broker acts and nobody hears of it. It works on any broker.
type faultyNetwork struct {
	mu struct {
		sync.Mutex
		rand *rand.Rand
		keys map[int16]float64 // the chance that a request of a kind is cut
		cuts map[int16]int
	}
}

func newFaultyNetwork(seed uint64) *faultyNetwork {
	n := &faultyNetwork{}
	n.mu.rand = rand.New(rand.NewPCG(seed, 1))
	n.mu.keys = make(map[int16]float64)
	n.mu.cuts = make(map[int16]int)
	return n
}

// set gives requests a chance to be cut.
func (n *faultyNetwork) set(chance float64, keys ...kmsg.Key) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, k := range keys {
		n.mu.keys[int16(k)] = chance
	}
}

// heal ends the cutting and returns how many requests were cut.
func (n *faultyNetwork) heal() (cuts int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.mu.keys)
	for _, c := range n.mu.cuts {
		cuts += c
	}
	return cuts
}

// verdict on a request.
type verdict int

const (
	pass verdict = iota
	cutBefore
	cutAfter
)

func (n *faultyNetwork) judge(key int16) verdict {
	n.mu.Lock()
	defer n.mu.Unlock()
	chance := n.mu.keys[key]
	if chance == 0 || n.mu.rand.Float64() >= chance {
		return pass
	}
	n.mu.cuts[key]++
	if n.mu.rand.IntN(2) == 0 {
		return cutBefore
	}
	return cutAfter
}

// dialer is the option that puts the network under a client.
func (n *faultyNetwork) dialer() kgo.Opt {
	return kgo.Dialer(func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &faultyConn{Conn: c, network: n}, nil
	})
}

// faultyConn looks at the requests that kgo writes, one with each call of Write: int32 length, int16 key.
type faultyConn struct {
	net.Conn
	network *faultyNetwork
}

var errCut = errors.New("the connection was cut")

func (c *faultyConn) Write(b []byte) (int, error) {
	if len(b) < 6 {
		return c.Conn.Write(b)
	}
	switch c.network.judge(int16(binary.BigEndian.Uint16(b[4:]))) {
	case cutBefore:
		_ = c.Conn.Close()
		return 0, errCut
	case cutAfter:
		n, err := c.Conn.Write(b)
		// Half-closing lets the broker read the request, which closing at once might discard.
		if tcp, ok := c.Conn.(*net.TCPConn); ok && err == nil {
			_ = tcp.CloseWrite()
			_ = tcp.CloseRead()
		}
		return n, err
	}
	return c.Conn.Write(b)
}

// total is how many requests have been cut so far.
func (n *faultyNetwork) total() (cuts int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range n.mu.cuts {
		cuts += c
	}
	return cuts
}
