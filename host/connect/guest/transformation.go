package guest

import (
	"context"
	"slices"

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
	answered []answered // by input; empty between frames
	others   []others
}

// answered is what the guest says of one record of a frame. Most answers change the value alone.
type answered struct {
	got    bool
	keeps  uint8 // the flags of the answer
	others int32 // where the rest of the answer stands, from 1; 0: there is none
	value  data.SchemaAndValue
	err    error
}

// others is what an answer changes besides the value.
type others struct {
	key       data.SchemaAndValue
	headers   connectors.Headers
	timestamp int64
	topic     string
	hasTopic  bool
	partition int32
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
	frame, n, err := in.encode(rs)
	if err != nil {
		return 1, err
	}
	t.answered = slices.Grow(t.answered[:0], n)[:n]
	err = in.process(context.Background(), frame, n, func(rec *abi.Record, topics []string) error {
		return t.take(in, rs, rec, topics)
	})
	if err == nil {
		for i := range t.answered {
			t.settle(&t.answered[i], rs[i], &out[i])
		}
	}
	clear(t.answered)
	clear(t.others)
	t.others = t.others[:0]
	if err != nil {
		return n, t.c.failed(in, err, placeOf(rs[0]))
	}
	return n, nil
}

// settle makes of an answer what it says.
func (t *transformation) settle(a *answered, r *connectors.Record, out *connectors.Outcome) {
	switch {
	case a.err != nil:
		*out = connectors.Outcome{Err: a.err}
		return
	case !a.got:
		*out = connectors.Outcome{Drop: true}
		return
	}
	if a.keeps&abi.KeepValue == 0 {
		r.Value = a.value
	}
	if a.others == 0 {
		return
	}
	o := &t.others[a.others-1]
	if a.keeps&abi.KeepKey == 0 {
		r.Key = o.key
	}
	if a.keeps&abi.KeepHeaders == 0 {
		r.Headers = o.headers
	}
	if a.keeps&abi.KeepTimestamp == 0 {
		r.Timestamp = o.timestamp
	}
	if a.keeps&abi.KeepPlace == 0 {
		if o.hasTopic {
			r.Topic = o.topic
		}
		r.Partition = o.partition
	}
}

// take notes one answer.
func (t *transformation) take(in *instance, rs []*connectors.Record, rec *abi.Record, topics []string) (err error) {
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
	a.got, a.keeps = true, rec.Flags
	if rec.Flags&abi.KeepValue == 0 {
		if a.value, err = in.dec.datum(rec.Value, r.Value); err != nil {
			return err
		}
	}
	const rest = abi.KeepKey | abi.KeepHeaders | abi.KeepTimestamp | abi.KeepPlace
	if rec.Flags&rest == rest {
		return nil
	}
	t.others = append(t.others, others{})
	a.others = int32(len(t.others))
	return in.others(&t.others[a.others-1], r, rec, topics)
}

// others takes what an answer for r changes besides the value.
func (in *instance) others(o *others, r *connectors.Record, rec *abi.Record, topics []string) (err error) {
	if rec.Flags&abi.KeepKey == 0 {
		if o.key, err = in.dec.datum(rec.Key, r.Key); err != nil {
			return err
		}
	}
	if rec.Flags&abi.KeepHeaders == 0 {
		if o.headers, err = in.readHeaders(rec); err != nil {
			return err
		}
	}
	o.timestamp, o.partition = rec.Timestamp, max(rec.Partition, connectors.NoPartition)
	if rec.Flags&abi.KeepPlace == 0 && rec.Dest > 0 {
		o.topic, o.hasTopic = topics[rec.Dest-1], true
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
	frame, _, err := in.encode(p.one[:])
	if err != nil {
		return false, err
	}
	var said error
	err = in.process(context.Background(), frame, 1, func(rec *abi.Record, _ []string) error {
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
