package streamtest_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmstream/wasmstream/host/stream/streamtest"
	"github.com/wasmstream/wasmstream/topology"
)

// calling gives every record to a component, with its key and headers as they are and its value as all arguments.
type calling struct{ component, kind string }

func (c calling) GuestUses() []topology.GuestUse {
	return []topology.GuestUse{{Ref: c.ref(), Kind: c.kind}}
}

func (c calling) ref() topology.GuestRef {
	return topology.GuestRef{Module: "probe", Component: c.component}
}

func (c calling) New() (topology.Processor, error) { return &caller{calling: c}, nil }

type caller struct {
	calling
	ctx topology.Context
	f   topology.Function
}

func (p *caller) Init(ctx topology.Context) (err error) {
	p.ctx = ctx
	p.f, err = ctx.Guest(p.ref())
	return err
}

func (p *caller) Process(frame []topology.Record) error {
	in := make([]topology.Record, len(frame))
	for i, r := range frame {
		in[i] = r
		in[i].Dest = 5
		in[i].Extra = p.ctx.Arena().Extra()
		in[i].Extra.Second = r.Value
		if i%2 == 0 {
			in[i].Extra.MappedKey = r.Key
		}
	}
	out, err := p.f.Call(in, nil)
	if err != nil {
		return err
	}
	for i := range out {
		if p.kind == "partitioner" {
			out[i].Value = fmt.Append(nil, out[i].Dest)
		}
		out[i].Dest = topology.AllChildren
	}
	return p.ctx.Forward(out)
}

func (p *caller) Close() error { return nil }

// TestGuestArguments calls the functions of several arguments of a guest, in one frame.
func TestGuestArguments(t *testing.T) {
	header := []topology.Header{{Key: "h", Value: []byte("1")}, {Key: "n"}}
	records := []streamtest.Record{
		{Key: []byte("k"), Value: []byte("left"), Timestamp: 1, Headers: header},
		{Value: []byte("v"), Timestamp: 2},
		{Key: []byte{}, Timestamp: 3, Headers: header},
	}
	join := []string{"k|left|left|k", "(null)|v|v|(null)", "|(null)|(null)|"}
	for _, tt := range []struct {
		component, kind string
		want            []string
	}{
		{"join", "joiner", join},
		{"reduce", "reducer", join},
		{"aggregate", "aggregator", join},
		{"merge", "merger", join},
		{"zero", "initializer", []string{"0", "0", "0"}},
		{"partition", "partitioner", []string{"1", "0", "1", "2", "3", "4", "0"}},
	} {
		if diff := cmp.Diff(tt.want, callGuest(t, calling{tt.component, tt.kind}, len(records), records)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.component, diff)
		}
	}
}

func callGuest(t *testing.T, c calling, frame int, records []streamtest.Record) (values []string) {
	t.Helper()
	topo := topology.New()
	if err := errors.Join(
		topo.AddSource("source", topology.SourceOptions{}, "in"),
		topo.AddProcessor("caller", c, "source"),
		topo.AddSink("sink", "out", topology.SinkOptions{}, "caller"),
	); err != nil {
		t.Fatal(err)
	}
	d, err := streamtest.New(topo, streamtest.Config{Modules: map[string][]byte{"probe": probe(t)}, FrameSize: frame})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := d.PipeAll("in", records...); err != nil {
		t.Fatal(err)
	}
	for _, r := range d.ReadOutputs("out") {
		values = append(values, string(r.Value))
		if r.Timestamp != 2 && len(r.Headers) != 2 {
			t.Errorf("%s: headers %v", c.component, r.Headers)
		}
	}
	return values
}
