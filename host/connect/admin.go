package connect

import (
	"context"
	"sync"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/internal/kafka"
)

// lazyAdmin is an admin client that is made when it is needed for the first time.
type lazyAdmin struct {
	cfg *WorkerConfig
	mu  struct {
		sync.Mutex
		client *kadm.Client
	}
}

func (a *lazyAdmin) get() (*kadm.Client, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.mu.client != nil {
		return a.mu.client, nil
	}
	opts, err := kafka.Options(kafka.Admin, a.cfg.ClientProperties(kafka.Admin, nil), "worker")
	if err != nil {
		return nil, err
	}
	cl, err := kgo.NewClient(append(opts, kgo.ClientID("connect-admin"))...)
	if err != nil {
		return nil, err
	}
	a.mu.client = kadm.NewClient(cl)
	return a.mu.client, nil
}

func (a *lazyAdmin) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.mu.client != nil {
		a.mu.client.Close()
		a.mu.client = nil
	}
}

// ClusterID is the id of the Kafka cluster, "" while it cannot be had.
func (h *Herder) ClusterID(ctx context.Context) string {
	adm, err := h.admin.get()
	if err != nil {
		return ""
	}
	meta, err := adm.BrokerMetadata(ctx)
	if err != nil {
		return ""
	}
	return meta.Cluster
}
