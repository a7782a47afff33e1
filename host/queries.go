package host

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/wasmstream/wasmstream/host/stream"
	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/topology"
)

// StoreQuery asks a store; the types and what they need are those of package host/stream.
type StoreQuery = stream.StoreQuery

// StoreAnswer is what a store answered.
type StoreAnswer = stream.StoreAnswer

// QueryRow is a row of an answer.
type QueryRow = stream.QueryRow

// Position tells how much input is in a state, and as the bound of a query how much has to be.
type Position = stream.Position

// ByKey as the partition of a query stands for that of its key, where the input is partitioned as Kafka does.
const ByKey int32 = -1

// StoreInfo describes a store of the application. Its names in JSON are a contract.
type StoreInfo struct {
	Name       string           `json:"name"`
	Kind       string           `json:"kind"`
	Global     bool             `json:"global,omitempty"`
	InMemory   bool             `json:"inMemory,omitempty"`
	KeyType    string           `json:"keyType"`
	ValueType  string           `json:"valueType"`
	WindowMS   int64            `json:"windowMs,omitempty"`
	Retention  int64            `json:"retentionMs,omitempty"`
	Partitions []StorePartition `json:"partitions"`
}

// StorePartition tells which processes have a partition of a store, by their application.server.
type StorePartition struct {
	Partition int32    `json:"partition"`
	Active    string   `json:"active"`
	Standbys  []string `json:"standbys,omitempty"`
}

// running is the application, once it can be asked.
func (h *Host) running() (*stream.App, error) {
	if app := h.application(); app != nil {
		return app, nil
	}
	return nil, errs.QueryNotReady.New("", "the application is starting", "")
}

// Query asks a store wherever the partition is: in this process, or in the one that the assignment names, by HTTP. The
// answer is committed state. Whether another process can be asked depends on its settings application.server....
func (h *Host) Query(ctx context.Context, q StoreQuery) (*StoreAnswer, error) {
	app, err := h.running()
	if err != nil {
		return nil, err
	}
	if q.Partition == ByKey {
		if q.Partition, err = partitionOf(app, &q); err != nil {
			return nil, err
		}
	}
	answer, err := app.Query(&q)
	if !errs.QueryMigrated.Is(err) {
		return answer, err
	}
	return h.queryOwner(ctx, app, &q)
}

func partitionOf(app *stream.App, q *StoreQuery) (int32, error) {
	if app.IsGlobalStore(q.Store) {
		return 0, nil
	}
	if q.Key == nil {
		if _, err := app.StorePartitions(q.Store); err != nil {
			return 0, err
		}
		return 0, errs.QueryInvalid.New(q.Store, "neither key nor partition is given", "give one of them")
	}
	return app.PartitionForKey(q.Store, q.Key)
}

// queryOwner asks the process that has the partition, and its standbys if stale answers will do.
func (h *Host) queryOwner(ctx context.Context, app *stream.App, q *StoreQuery) (*StoreAnswer, error) {
	where := fmt.Sprintf("%s-%d", q.Store, q.Partition)
	m, err := app.QueryMetadataForPartition(q.Store, q.Partition)
	if err != nil {
		return nil, err
	}
	servers := []string{m.Active}
	if q.Stale {
		servers = append(servers, m.Standbys...)
	}
	servers = slices.DeleteFunc(servers, func(s string) bool { return s == "" })
	if len(servers) == 0 {
		return nil, errs.QueryNotReady.New(where, "nobody with an application.server has the partition", "ask again in a moment; if that does not help, set application.server in every process")
	}
	var faults []error
	for _, server := range servers {
		if server == app.Server() {
			faults = append(faults, errs.QueryNotReady.New(where, "this process is getting the partition and has not begun with it", ""))
			continue
		}
		answer, err := h.peers.query(ctx, server, q, true)
		if err == nil {
			return answer, nil
		}
		faults = append(faults, err)
	}
	return nil, errors.Join(faults...)
}

// QueryEach walks over the rows of a query in all partitions of the store, one partition after the other, until f
// returns an error, which it returns. Each page of an answer is one moment of the state; pages after it may be later.
// q.Partition, q.After and q.Limit are not regarded.
func (h *Host) QueryEach(ctx context.Context, q StoreQuery, f func(QueryRow) error) error {
	app, err := h.running()
	if err != nil {
		return err
	}
	n, err := app.StorePartitions(q.Store)
	if err != nil {
		return err
	}
	for q.Partition = range n {
		if err := EachPage(q, func(q StoreQuery) (*StoreAnswer, error) { return h.Query(ctx, q) }, f); err != nil {
			return err
		}
	}
	return nil
}

// EachPage walks over the rows of one partition, page by page as ask gives them.
func EachPage(q StoreQuery, ask func(StoreQuery) (*StoreAnswer, error), f func(QueryRow) error) error {
	for q.After, q.Limit = nil, 0; ; {
		answer, err := ask(q)
		if err != nil {
			return err
		}
		for _, row := range answer.Rows {
			if err := f(row); err != nil {
				return err
			}
		}
		if q.After = answer.Next; q.After == nil {
			return nil
		}
	}
}

// Stores describes the stores of the application and where their partitions are.
func (h *Host) Stores() ([]StoreInfo, error) {
	app, err := h.running()
	if err != nil {
		return nil, err
	}
	list := []StoreInfo{}
	for _, s := range h.cfg.Topology.Stores() {
		info := h.describeStore(s)
		n, err := app.StorePartitions(s.Name)
		if err != nil && !errs.QueryStore.Is(err) {
			return nil, err
		}
		for p := range n {
			m, err := app.QueryMetadataForPartition(s.Name, p)
			if err != nil {
				return nil, err
			}
			info.Partitions = append(info.Partitions, StorePartition{Partition: p, Active: m.Active, Standbys: m.Standbys})
		}
		list = append(list, info)
	}
	for _, g := range h.cfg.Topology.GlobalStores() {
		info := h.describeStore(g.Store)
		info.Global, info.Partitions = true, []StorePartition{{Active: app.Server()}}
		list = append(list, info)
	}
	return list, nil
}

func (h *Host) describeStore(s *topology.StoreSpec) StoreInfo {
	info := StoreInfo{
		Name: s.Name, Kind: string(s.Kind), InMemory: s.InMemory, KeyType: h.settings.KeySerde.Name(), ValueType: h.settings.ValueSerde.Name(),
		WindowMS: s.WindowSize, Retention: s.Retention + s.HistoryRetention, Partitions: []StorePartition{},
	}
	if s.KeySerde != nil {
		info.KeyType = s.KeySerde.Name()
	}
	if s.ValueSerde != nil {
		info.ValueType = s.ValueSerde.Name()
	}
	return info
}

// AllMetadata lists the processes of the application that can be asked (metadataForAllStreamsClients).
func (h *Host) AllMetadata() ([]stream.StreamsMetadata, error) {
	app, err := h.running()
	if err != nil {
		return nil, err
	}
	return app.AllMetadata(), nil
}

// StreamsMetadataForStore lists those that have a part of a store.
func (h *Host) StreamsMetadataForStore(store string) ([]stream.StreamsMetadata, error) {
	app, err := h.running()
	if err != nil {
		return nil, err
	}
	return app.StreamsMetadataForStore(store)
}

// QueryMetadataForKey tells who has a serialised key of a store.
func (h *Host) QueryMetadataForKey(store string, key []byte) (stream.KeyQueryMetadata, error) {
	app, err := h.running()
	if err != nil {
		return stream.KeyQueryMetadata{}, err
	}
	return app.QueryMetadataForKey(store, key)
}

// LocalStoreLags tells how far the stores of this process are behind their changelogs (allLocalStorePartitionLags).
func (h *Host) LocalStoreLags(ctx context.Context) (map[string]map[int32]stream.LagInfo, error) {
	app, err := h.running()
	if err != nil {
		return nil, err
	}
	return app.LocalStoreLags(ctx)
}
