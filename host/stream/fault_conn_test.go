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
		// lies are the errors that the next answers carry; answers are those that are on their way.
		lies    map[int16]*lie
		answers map[answerID]answer
	}
}

func newFaultyNetwork(seed uint64) *faultyNetwork {
	n := &faultyNetwork{}
	n.mu.rand = rand.New(rand.NewPCG(seed, 1))
	n.mu.keys = make(map[int16]float64)
	n.mu.cuts = make(map[int16]int)
	n.mu.lies = make(map[int16]*lie)
	n.mu.answers = make(map[answerID]answer)
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
	network        *faultyNetwork
	partial, ready []byte // of the response that is being read, and of those that were
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
	c.note(b)
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

// pretend has the next answer to a request of a kind carry an error, though the broker has acted. told is closed then.
func (n *faultyNetwork) pretend(key kmsg.Key, code int16) (told <-chan struct{}) {
	n.mu.Lock()
	defer n.mu.Unlock()
	lie := &lie{code: code, told: make(chan struct{})}
	n.mu.lies[int16(key)] = lie
	return lie.told
}

// lie is an error that a broker did not mean.
type lie struct {
	code int16
	told chan struct{}
}

// answer is how a response is to be read that a lie is for.
type answer struct {
	key, version int16
	lie          *lie
}

// note keeps the number of a request whose answer is to be changed.
func (c *faultyConn) note(request []byte) {
	const header = 12 // length, key, version, number
	if len(request) < header {
		return
	}
	key := int16(binary.BigEndian.Uint16(request[4:]))
	c.network.mu.Lock()
	defer c.network.mu.Unlock()
	l := c.network.mu.lies[key]
	if l == nil || !ofATransaction(request) {
		return
	}
	delete(c.network.mu.lies, key)
	c.network.mu.answers[answerID{c, binary.BigEndian.Uint32(request[8:])}] = answer{
		key: key, version: int16(binary.BigEndian.Uint16(request[6:])), lie: l,
	}
}

// answerID is the number of a request on a connection.
type answerID struct {
	conn   *faultyConn
	number uint32
}

// ofATransaction tells whether a request to produce is one of the application: others have no transactional id.
func ofATransaction(request []byte) bool {
	if kmsg.Key(binary.BigEndian.Uint16(request[4:])) != kmsg.Produce {
		return true
	}
	req := kmsg.NewPtrProduceRequest()
	req.SetVersion(int16(binary.BigEndian.Uint16(request[6:])))
	body := request[12:]
	if client := int(int16(binary.BigEndian.Uint16(body))); client > 0 {
		body = body[2+client:]
	} else {
		body = body[2:]
	}
	if req.IsFlexible() {
		body = body[1:]
	}
	return req.ReadFrom(body) == nil && req.TransactionID != nil
}

// Read gives whole responses, some of them changed.
func (c *faultyConn) Read(b []byte) (int, error) {
	for len(c.ready) == 0 {
		if err := c.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(b, c.ready)
	c.ready = c.ready[n:]
	return n, nil
}

// fill reads a response. A deadline may come in the middle of it, so what was read is kept.
func (c *faultyConn) fill() error {
	for {
		if len(c.partial) >= 4 {
			if size := 4 + int(binary.BigEndian.Uint32(c.partial)); len(c.partial) >= size {
				c.ready = c.change(append(c.ready[:0:0], c.partial[:size]...))
				c.partial = append(c.partial[:0], c.partial[size:]...)
				return nil
			}
		}
		var block [32 << 10]byte
		n, err := c.Conn.Read(block[:])
		c.partial = append(c.partial, block[:n]...)
		if n == 0 && err != nil {
			return err
		}
	}
}

// change puts the error into the response that it is for.
func (c *faultyConn) change(response []byte) []byte {
	if len(response) < 8 {
		return response
	}
	id := answerID{c, binary.BigEndian.Uint32(response[4:])}
	c.network.mu.Lock()
	a, ok := c.network.mu.answers[id]
	delete(c.network.mu.answers, id)
	c.network.mu.Unlock()
	if !ok {
		return response
	}
	resp := kmsg.ResponseForKey(a.key)
	resp.SetVersion(a.version)
	header := 8
	if resp.IsFlexible() {
		header++
	}
	if resp.ReadFrom(response[header:]) != nil {
		return response
	}
	setError(resp, a.lie.code)
	changed := resp.AppendTo(append([]byte(nil), response[:header]...))
	binary.BigEndian.PutUint32(changed, uint32(len(changed)-4))
	close(a.lie.told)
	return changed
}

// setError makes all of a response an error.
func setError(resp kmsg.Response, code int16) {
	switch resp := resp.(type) {
	case *kmsg.EndTxnResponse:
		resp.ErrorCode = code
	case *kmsg.TxnOffsetCommitResponse:
		for i := range resp.Topics {
			for j := range resp.Topics[i].Partitions {
				resp.Topics[i].Partitions[j].ErrorCode = code
			}
		}
	case *kmsg.ProduceResponse:
		for i := range resp.Topics {
			for j := range resp.Topics[i].Partitions {
				resp.Topics[i].Partitions[j].ErrorCode = code
			}
		}
	}
}
