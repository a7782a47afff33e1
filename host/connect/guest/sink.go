package guest

import (
	"context"

	"github.com/wasmstream/wasmstream/abi"
	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

// sinkConnector is a component of kind sink.
type sinkConnector struct {
	connector
	connectors.ManyTasks
}

// Version implements connectors.Connector.
func (s *sinkConnector) Version() string { return s.version }

// ConfigDef implements connectors.Connector.
func (s *sinkConnector) ConfigDef() *config.Def { return configDef(&s.spec) }

// Start implements connectors.Connector.
func (s *sinkConnector) Start(_ connectors.ConnectorContext, props config.Props) error {
	s.Props = props
	_, err := s.ConfigDef().Parse(props)
	return err
}

// NewTask implements connectors.SinkConnector.
func (s *sinkConnector) NewTask() connectors.SinkTask {
	return &sinkTask{plugin: s.task()}
}

// sinkTask hands records to a guest.
type sinkTask struct {
	plugin
	context connectors.SinkTaskContext
	rs      []*connectors.Record
	epoch   int64
}

// Start implements connectors.SinkTask.
func (s *sinkTask) Start(ctx connectors.SinkTaskContext, props config.Props) error {
	s.context = ctx
	return s.startTask(props, ctx.Log(), nil)
}

// Put implements connectors.SinkTask.
func (s *sinkTask) Put(ctx context.Context, records []connectors.SinkRecord) error {
	s.rs = s.rs[:0]
	for i := range records {
		s.rs = append(s.rs, &records[i].Record)
	}
	return s.put(ctx, records, s.rs)
}

// put sends records in frames. One that kills the guest is halved until the record at fault stands alone, unless the guest
// keeps records until it is flushed: these are lost with it, so the task ends and they come again.
func (s *sinkTask) put(ctx context.Context, records []connectors.SinkRecord, rs []*connectors.Record) error {
	for len(rs) > 0 {
		in, err := s.c.ready()
		if err != nil {
			return broken(err)
		}
		n, said, err := s.frame(ctx, in, rs)
		switch {
		case err == nil:
			if err := s.reportAll(ctx, records, said); err != nil {
				return err
			}
		case ctx.Err() != nil:
			return ctx.Err()
		case s.spec.Buffers || fault.Retriable.Is(err):
			return err
		case n <= 1:
			if err := s.report(ctx, &records[0], err); err != nil {
				return err
			}
		default:
			n /= 2
			if err := s.put(ctx, records[:n], rs[:n]); err != nil {
				return err
			}
		}
		rs, records = rs[n:], records[n:]
	}
	return nil
}

// frame sends as many records as one frame takes. said is what the guest says of those that it could not deliver, by
// position, as far as it goes.
func (s *sinkTask) frame(ctx context.Context, in *instance, rs []*connectors.Record) (n int, said []error, err error) {
	frame, n, err := in.encode(rs)
	if err != nil {
		return 1, nil, err
	}
	err = in.process(ctx, frame, n, func(rec *abi.Record, _ []string) error {
		if rec.Kind != abi.KindError || rec.Index == abi.NoIndex {
			return clause("CONN-6", "a sink answers with a record")
		}
		if abi.Class(rec.Dest) != abi.ClassSkip {
			said = append(said, make([]error, int(rec.Index)+1-len(said))...)
			said[rec.Index] = s.c.said(rec, placeOf(rs[rec.Index]))
		}
		return nil
	})
	if err != nil {
		return n, nil, s.c.failed(in, err, placeOf(rs[0]))
	}
	s.c.holds = s.spec.Buffers
	return n, said, nil
}

// reportAll reports what the guest could not deliver; what is to be tried again comes first, since all of it comes again.
func (s *sinkTask) reportAll(ctx context.Context, records []connectors.SinkRecord, said []error) error {
	for _, err := range said {
		if fault.Retriable.Is(err) {
			return err
		}
	}
	for i, err := range said {
		if err == nil {
			continue
		}
		if err := s.report(ctx, &records[i], err); err != nil {
			return err
		}
	}
	return nil
}

// report hands a record that cannot be delivered to the dead letters, if there are any; else it ends the task.
func (s *sinkTask) report(ctx context.Context, r *connectors.SinkRecord, cause error) error {
	errant := s.context.Errant()
	if errant == nil {
		return cause
	}
	return errant.Report(r, cause)(ctx)
}

// Flush implements connectors.SinkTask.
func (s *sinkTask) Flush(ctx context.Context, _ map[connectors.TopicPartition]int64) error {
	in, err := s.c.ready()
	if err != nil {
		return err
	}
	s.epoch++
	in.host.begin(ctx)
	view, err := in.wasm.Flush(in.handle, s.epoch)
	if err == nil && len(view) > 0 {
		err = clause("LIFE-6", "ws_flush of a sink gives records")
	}
	if err != nil {
		return s.c.failed(in, err, s.spec.Name)
	}
	s.c.holds = false
	return nil
}

// Stop implements connectors.SinkTask.
func (s *sinkTask) Stop() error { return s.c.close() }
