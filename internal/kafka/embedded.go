package kafka

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/internal/fakekafka"
)

// retentionInterval is how often the embedded broker drops what is past its retention. kfake does so by itself only
// while a topic with settings of its own exists.
const retentionInterval = time.Minute

// EmbeddedConfig sets up an embedded broker.
type EmbeddedConfig struct {
	// Host is a loopback address; "" is 127.0.0.1.
	Host string
	// Port 0 takes a free one.
	Port int
	// Retention is how long records are kept in topics that do not say so themselves, by their own timestamps; 0 is for
	// ever.
	Retention time.Duration
}

// Embedded is a broker inside this process: in memory, not durable, without authentication. Transactions, groups and
// admin requests work as on a real one, so it serves demonstrations, development and tests.
type Embedded struct {
	Addr string

	cluster *kfake.Cluster
	stop    func()
}

// StartEmbedded starts a broker; a port in use and an address that is not loopback are errors with a code.
func StartEmbedded(cfg EmbeddedConfig) (*Embedded, error) {
	if cfg.Host == "" {
		cfg.Host = "127.0.0.1"
	}
	addr := net.JoinHostPort(cfg.Host, strconv.Itoa(cfg.Port))
	if err := CheckLoopback(addr); err != nil {
		return nil, err
	}
	retention := cfg.Retention.Milliseconds()
	if retention == 0 {
		retention = -1
	}
	cluster, err := kfake.NewCluster(
		kfake.Ports(cfg.Port),
		kfake.ListenFn(fakekafka.Listener(func(network, _ string) (net.Listener, error) { return net.Listen(network, addr) })),
		kfake.DefaultNumPartitions(1),
		kfake.ClusterID("wasmstream-embedded"),
		kfake.BrokerConfigs(map[string]string{"log.retention.ms": strconv.FormatInt(retention, 10)}),
	)
	if err != nil {
		return nil, ListenError(addr, err)
	}
	fakekafka.Mend(cluster)
	e := &Embedded{Addr: cluster.ListenAddrs()[0], cluster: cluster}
	done := make(chan struct{})
	var retaining sync.WaitGroup
	retaining.Go(func() { retain(cluster, done) })
	e.stop = sync.OnceFunc(func() {
		close(done)
		retaining.Wait()
		cluster.Close()
	})
	return e, nil
}

func retain(cluster *kfake.Cluster, done <-chan struct{}) {
	ticker := time.NewTicker(retentionInterval)
	defer ticker.Stop()
	for {
		select {
		case <-done:
			return
		case <-ticker.C:
			cluster.ApplyRetention()
		}
	}
}

// Close ends the broker and forgets its records. It can be called twice.
func (e *Embedded) Close() { e.stop() }

// CheckLoopback refuses addresses that other machines could reach.
func CheckLoopback(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return errs.CLIUsage.New(addr, "want an address as HOST:PORT", "for example 127.0.0.1:9090")
	}
	if ip := net.ParseIP(host); host == "localhost" || (ip != nil && ip.IsLoopback()) {
		return nil
	}
	return errs.CLINotLoopback.New(addr, "there is no authentication, so only this machine may reach it", "use 127.0.0.1, ::1 or localhost")
}

// ListenError explains why addr cannot be listened on.
func ListenError(addr string, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) || strings.Contains(err.Error(), "address already in use") || strings.Contains(err.Error(), "Only one usage of each socket address") {
		return errs.CLIPortInUse.New(addr, "another process listens there", "stop it, or choose another port; port 0 takes a free one")
	}
	return fmt.Errorf("listening on %s: %w", addr, err)
}
