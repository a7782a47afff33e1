package guest

import (
	"context"

	"github.com/wasmstream/wasmstream/abi"
	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
	"github.com/wasmstream/wasmstream/internal/errs"
)

// transformation is a component of kind transformation.
type transformation struct {
	plugin
	one      [1]*connectors.Record
	outcome  [1]connectors.Outcome
	answered []answered
}

// answered is what the guest says of one record of a frame.
type answered struct {
	got    bool
	record connectors.Record
	err    error
}

var _ connectors.BatchTransformation = (*transformation)(nil)

// Configure implements connectors.Transformation.
func (t *transformation) Configure(props config.Props) error {
	return t.start(props, extra{node: t.node()})
}

// Apply implements connectors.Transformation.
func (t *transformation) Apply(r *connectors.Record) (keep bool, err error) {
	t.one[0], t.outcome[0] = r, connectors.Outcome{}
	if err := t.ApplyBatch(t.one[:], t.outcome[:]); err != nil {
		return false, err
	}
	return !t.outcome[0].Drop, t.outcome[0].Err
}

// ApplyBatch implements connectors.BatchTransformation. A frame that fails as a whole is halved, until the record at fault
// is alone; what goes wrong with a record is in its outcome.
func (t *transformation) ApplyBatch(rs []*connectors.Record, out []connectors.Outcome) error {
	for len(rs) > 0 {
		n, err := t.frame(rs, out)
		if err == nil {
			rs, out = rs[n:], out[n:]
			continue
		}
		if n <= 1 {
			out[0] = connectors.Outcome{Err: err}
			rs, out = rs[1:], out[1:]
			continue
		}
		if err := t.ApplyBatch(rs[:n/2], out[:n/2]); err != nil {
			return err
		}
		rs, out = rs[n/2:], out[n/2:]
	}
	return nil
}

// frame sends as many records as one frame takes, and returns how many.
func (t *transformation) frame(rs []*connectors.Record, out []connectors.Outcome) (n int, err error) {
	in, err := t.c.ready()
	if err != nil {
		return 1, err
	}
	t.c.frame, n, err = in.encode(t.c.frame, rs)
	if err != nil {
		return 1, err
	}
	t.answered = append(t.answered[:0], make([]answered, n)...)
	err = in.process(context.Background(), t.c.frame, n, func(rec *abi.Record, topics []string) error {
		return t.take(in, rs, rec, topics)
	})
	if err != nil {
		return n, t.c.failed(in, err, placeOf(rs[0]))
	}
	for i := range t.answered {
		a := &t.answered[i]
		switch {
		case a.err != nil:
			out[i] = connectors.Outcome{Err: a.err}
		case a.got:
			*rs[i] = a.record
		default:
			out[i] = connectors.Outcome{Drop: true}
		}
	}
	clear(t.answered)
	return n, nil
}

// take notes one answer.
func (t *transformation) take(in *instance, rs []*connectors.Record, rec *abi.Record, topics []string) error {
	if rec.Index == abi.NoIndex {
		return clause("CONN-1", "a transformation answers with a record that comes from no input")
	}
	r, a := rs[rec.Index], &t.answered[rec.Index]
	if rec.Kind == abi.KindError {
		if abi.Class(rec.Dest) == abi.ClassSkip {
			return nil
		}
		a.err = t.c.said(rec, placeOf(r))
		return nil
	}
	if a.got {
		return clause("CONN-1", "a transformation answers input %d twice", rec.Index)
	}
	a.got, a.record = true, *r
	return in.change(&a.record, r, rec, topics)
}

// change makes dst, a copy of src, what an answer says.
func (in *instance) change(dst, src *connectors.Record, rec *abi.Record, topics []string) (err error) {
	if rec.Flags&abi.KeepKey == 0 {
		if dst.Key, err = in.dec.datum(rec.Key, src.Key); err != nil {
			return err
		}
	}
	if rec.Flags&abi.KeepValue == 0 {
		if dst.Value, err = in.dec.datum(rec.Value, src.Value); err != nil {
			return err
		}
	}
	if rec.Flags&abi.KeepHeaders == 0 {
		if dst.Headers, err = in.readHeaders(rec); err != nil {
			return err
		}
	}
	if rec.Flags&abi.KeepTimestamp == 0 {
		dst.Timestamp = rec.Timestamp
	}
	if rec.Flags&abi.KeepPlace == 0 {
		if rec.Dest > 0 {
			dst.Topic = topics[rec.Dest-1]
		}
		dst.Partition = max(rec.Partition, connectors.NoPartition)
	}
	return nil
}

func (in *instance) readHeaders(rec *abi.Record) (connectors.Headers, error) {
	if rec.HeaderCount == 0 {
		return nil, nil
	}
	headers := make(connectors.Headers, 0, rec.HeaderCount)
	pairs := abi.ReadPairs(rec.Headers)
	for key, value, ok := pairs.Next(); ok; key, value, ok = pairs.Next() {
		v, err := in.dec.datum(value, data.SchemaAndValue{})
		if err != nil {
			return nil, err
		}
		headers = append(headers, connectors.Header{Key: string(key), Value: v})
	}
	return headers, nil
}

// predicate is a component of kind predicate.
type predicate struct {
	plugin
	one [1]*connectors.Record
}

// Configure implements connectors.Predicate.
func (p *predicate) Configure(props config.Props) error { return p.start(props, extra{node: p.node()}) }

// Test implements connectors.Predicate.
func (p *predicate) Test(r *connectors.Record) (yes bool, err error) {
	in, err := p.c.ready()
	if err != nil {
		return false, err
	}
	p.one[0] = r
	if p.c.frame, _, err = in.encode(p.c.frame, p.one[:]); err != nil {
		return false, err
	}
	var said error
	err = in.process(context.Background(), p.c.frame, 1, func(rec *abi.Record, _ []string) error {
		switch {
		case rec.Kind == abi.KindError:
			said = p.c.said(rec, placeOf(r))
		case rec.Index == abi.NoIndex || rec.Flags&abi.KeepAll != abi.KeepAll || yes:
			return clause("CONN-2", "a predicate answers other than by one record with all KEEP flags")
		default:
			yes = true
		}
		return nil
	})
	if err != nil {
		return false, p.c.failed(in, err, placeOf(r))
	}
	return yes, said
}

// plugin is what all plugins of guests share.
type plugin struct {
	loader *Loader
	module *module
	spec   abi.Component
	c      *component
}

// node is the name of the plugin in open frames.
func (p *plugin) node() string { return p.spec.Name }

// ConfigDef implements every plugin's: the definition of the manifest.
func (p *plugin) ConfigDef() *config.Def { return configDef(&p.spec) }

// start makes the component. Settings are checked by the definition first.
func (p *plugin) start(props config.Props, x extra) error { return p.startWith(props, x, nil) }

func (p *plugin) startWith(props config.Props, x extra, prepare func(*component)) error {
	if _, err := p.ConfigDef().Parse(props); err != nil {
		return err
	}
	if p.c != nil {
		return fault.IllegalState.New("the plugin is configured already")
	}
	c := &component{module: p.module, spec: p.spec, limits: p.loader.config.Limits, log: p.loader.config.Log}
	if prepare != nil {
		prepare(c)
	}
	if err := c.start(props, x); err != nil {
		return err
	}
	p.c = c
	return nil
}

// Close implements every plugin's.
func (p *plugin) Close() error { return p.c.close() }

// answerError is an answer that the kind of the component does not allow.
func answerError(where, what string) error { return broken(errs.GuestAnswer.New(where, what, "")) }
