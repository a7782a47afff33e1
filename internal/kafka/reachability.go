package kafka

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/internal/errs"
)

// remindAfter is how often an address that stays out of reach is named.
const remindAfter = time.Minute

// Reachability is a hook that tells of brokers which cannot be reached, as Kafka's NetworkClient warns of them, and of those which
// are reached again: clients retry in silence. Each address is named when it fails first and once a minute while it does. One is
// shared by the clients of an application; it may be used by many goroutines.
type Reachability struct {
	log *slog.Logger
	mu  struct {
		sync.Mutex
		out map[string]time.Time // when an address that is out of reach was named last
	}
}

var _ kgo.HookBrokerConnect = (*Reachability)(nil)

// NewReachability makes a hook that tells a log.
func NewReachability(log *slog.Logger) *Reachability {
	r := &Reachability{log: log}
	r.mu.out = map[string]time.Time{}
	return r
}

// OnBrokerConnect implements [kgo.HookBrokerConnect].
func (r *Reachability) OnBrokerConnect(broker kgo.BrokerMetadata, _ time.Duration, _ net.Conn, err error) {
	if errors.Is(err, context.Canceled) || errors.Is(err, kgo.ErrClientClosed) {
		return
	}
	addr := net.JoinHostPort(broker.Host, strconv.Itoa(int(broker.Port)))
	switch named, again := r.note(addr, err != nil, time.Now()); {
	case named:
		r.log.Warn("a broker cannot be reached; it is tried again until it can", "code", errs.KafkaUnreachable.ID, "broker", addr, "err", err)
	case again:
		r.log.Info("a broker is reached again", "broker", addr)
	}
}

// note keeps what is known of an address, and tells whether it is to be named as out of reach or as reached again.
func (r *Reachability) note(addr string, failed bool, now time.Time) (named, again bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	last, out := r.mu.out[addr]
	switch {
	case !failed:
		delete(r.mu.out, addr)
		return false, out
	case out && now.Sub(last) < remindAfter:
		return false, false
	}
	r.mu.out[addr] = now
	return true, false
}
