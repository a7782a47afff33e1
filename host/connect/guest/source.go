package guest

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/wasmstream/wasmstream/abi"
	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/data"
)

// pollInterval is the setting that every source of a guest has.
const pollInterval = "poll.interval.ms"

// pollBudget is how many records a source is asked for at once.
const pollBudget = 500

func sourceKeys() config.Key {
	return config.Key{
		Name: pollInterval, Type: config.Long, Default: int64(1000), Validator: config.AtLeast(1), Importance: config.Medium, Width: config.WidthShort,
		Doc: "How many milliseconds to wait after the source had nothing.",
	}
}

// sourceConnector is a component of kind source.
type sourceConnector struct {
	connector
	connectors.OneTask
}

// Version implements connectors.Connector.
func (s *sourceConnector) Version() string { return s.version }

// ConfigDef implements connectors.Connector.
func (s *sourceConnector) ConfigDef() *config.Def { return configDef(&s.spec, sourceKeys()) }

// Start implements connectors.Connector.
func (s *sourceConnector) Start(_ connectors.ConnectorContext, props config.Props) error {
	s.Props = props
	_, err := s.ConfigDef().Parse(props)
	return err
}

// NewTask implements connectors.SourceConnector.
func (s *sourceConnector) NewTask() connectors.SourceTask {
	return &sourceTask{plugin: s.task()}
}

// sourceTask polls a guest.
type sourceTask struct {
	plugin
	context  *connectors.SourceTaskContext
	interval time.Duration
	// partitions are those that records came from, by their datum, so that records of one share their map.
	partitions map[string]*data.Map
	acked      map[*data.Map]*data.Map // the last offset that is safe, by partition

	// mu guards given: an instance that is tried out for a reload asks for offsets too.
	mu struct {
		sync.Mutex
		// given are the last offsets that Poll returned, by the datum of their partition: an instance that takes over goes on
		// behind them, which may not be committed yet.
		given map[string]connectors.SourceOffset
	}
}

// maxPartitions bounds the partitions that share their maps.
const maxPartitions = 10_000

var (
	_ connectors.SourceCommitter = (*sourceTask)(nil)
	_ connectors.RecordCommitter = (*sourceTask)(nil)
)

// ConfigDef is that of the connector.
func (s *sourceTask) ConfigDef() *config.Def { return configDef(&s.spec, sourceKeys()) }

// Start implements connectors.SourceTask.
func (s *sourceTask) Start(ctx *connectors.SourceTaskContext, props config.Props) error {
	v, err := s.ConfigDef().Parse(props)
	if err != nil {
		return err
	}
	s.context, s.interval = ctx, time.Duration(v.Int(pollInterval))*time.Millisecond
	s.partitions, s.acked = map[string]*data.Map{}, map[*data.Map]*data.Map{}
	s.mu.given = map[string]connectors.SourceOffset{}
	return s.startTask(props, ctx.Log, func(c *component) { c.offsets = s.offsetOf })
}

// offsetOf answers offset_get.
func (s *sourceTask) offsetOf(partition []byte) ([]byte, int32) {
	enc := newEncoder()
	dec := newDecoder(&enc)
	v, err := dec.datum(partition, data.SchemaAndValue{})
	if err != nil || v.Value.Map() == nil || connectors.ValidateOffset(v.Value) != nil {
		return nil, int32(abi.InvalidArg)
	}
	offset, err := s.lastOf(v.Value.Map())
	switch {
	case err != nil:
		return nil, int32(abi.Retry)
	case offset == nil:
		return nil, int32(abi.NotFound)
	}
	out, err := enc.datum(nil, data.SchemaAndValue{Value: data.MapValue(offset)})
	if err != nil {
		return nil, int32(abi.Unknown)
	}
	return out, int32(len(out))
}

// lastOf is the last offset of a partition that was returned by Poll, else the one that was committed.
func (s *sourceTask) lastOf(partition *data.Map) (*data.Map, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, given := range s.mu.given {
		if given.Partition.Equal(partition) {
			return given.Offset, nil
		}
	}
	return s.context.Offsets.Offset(partition)
}

// give notes the offsets of records that Poll returns.
func (s *sourceTask) give(records []connectors.SourceRecord, partitions []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range records {
		if r := &records[i]; r.SourcePartition != nil && r.SourceOffset != nil {
			s.mu.given[partitions[i]] = connectors.SourceOffset{Partition: r.SourcePartition, Offset: r.SourceOffset}
		}
	}
}

// Poll implements connectors.SourceTask.
func (s *sourceTask) Poll(ctx context.Context) ([]connectors.SourceRecord, error) {
	in, err := s.c.ready()
	if err != nil {
		return nil, err
	}
	in.host.begin(ctx)
	view, err := in.wasm.Poll(in.handle, pollBudget)
	var out []connectors.SourceRecord
	var partitions []string
	if err == nil {
		err = in.answers(view, abi.Expect{Output: true, Connect: true, Arguments: true}, func(rec *abi.Record, topics []string) error {
			r, err := s.record(in, rec, topics)
			out, partitions = append(out, r), append(partitions, string(rec.Second))
			return err
		})
	}
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, s.c.failed(in, err, s.context.Configs().Or("name", s.spec.Name))
	}
	if len(out) > 0 {
		s.give(out, partitions)
		return out, nil
	}
	timer := time.NewTimer(s.interval)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
	return nil, nil
}

// record makes a record of an answer.
func (s *sourceTask) record(in *instance, rec *abi.Record, topics []string) (r connectors.SourceRecord, err error) {
	if rec.Kind == abi.KindError || rec.Dest == 0 {
		return r, clause("CONN-5", "a source gives a record without a topic")
	}
	r.Record = connectors.Record{Topic: topics[rec.Dest-1], Partition: max(rec.Partition, connectors.NoPartition), Timestamp: rec.Timestamp, Offset: connectors.NoOffset}
	if r.Key, err = in.dec.datum(rec.Key, data.SchemaAndValue{}); err != nil {
		return r, err
	}
	if r.Value, err = in.dec.datum(rec.Value, data.SchemaAndValue{}); err != nil {
		return r, err
	}
	if r.Headers, err = in.readHeaders(rec); err != nil {
		return r, err
	}
	if r.SourcePartition, err = s.partition(in, rec.Second); err != nil {
		return r, err
	}
	r.SourceOffset, err = placeMap(in, rec.Third)
	return r, err
}

// partition is the map of a datum; equal data share theirs.
func (s *sourceTask) partition(in *instance, datum []byte) (*data.Map, error) {
	if m, ok := s.partitions[string(datum)]; ok {
		return m, nil
	}
	m, err := placeMap(in, datum)
	if err == nil && m != nil && len(s.partitions) < maxPartitions {
		s.partitions[string(datum)] = m
	}
	return m, err
}

// placeMap reads a partition or offset of a source.
func placeMap(in *instance, datum []byte) (*data.Map, error) {
	v, err := in.dec.datum(datum, data.SchemaAndValue{})
	if err != nil {
		return nil, err
	}
	if err := connectors.ValidateOffset(v.Value); err != nil {
		return nil, clause("CONN-5", "a source's partition or offset: %v", err)
	}
	return v.Value.Map(), nil
}

// CommitRecord implements connectors.RecordCommitter.
func (s *sourceTask) CommitRecord(r *connectors.SourceRecord, _ *connectors.RecordMetadata) error {
	if r.SourcePartition != nil && r.SourceOffset != nil {
		s.acked[r.SourcePartition] = r.SourceOffset
	}
	return nil
}

// Commit implements connectors.SourceCommitter: the guest learns by ws_ack how far its records are safe.
func (s *sourceTask) Commit() error {
	if len(s.acked) == 0 || s.c == nil || s.c.live == nil {
		return nil
	}
	in := s.c.live
	frame := in.begin(abi.FrameHeader{Partition: -1, Flags: abi.FrameHasArguments})
	n := 0
	for partition, offset := range s.acked {
		p, err := in.enc.datum(nil, data.SchemaAndValue{Value: data.MapValue(partition)})
		o, err2 := in.enc.datum(nil, data.SchemaAndValue{Value: data.MapValue(offset)})
		if err := errors.Join(err, err2); err != nil {
			return err
		}
		frame = abi.AppendCall(frame, &abi.Record{Second: p, Third: o, Index: uint32(n), Timestamp: connectors.NoTimestamp, Offset: -1, Partition: -1})
		n++
	}
	clear(s.acked)
	frame = in.finish(frame, n)
	err := in.hand(context.Background(), frame)
	if err == nil {
		err = in.wasm.Ack(in.handle, len(frame))
	}
	if err != nil {
		return s.c.failed(in, err, s.spec.Name)
	}
	return nil
}

// Stop implements connectors.SourceTask.
func (s *sourceTask) Stop() error { return s.c.close() }
