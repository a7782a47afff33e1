package tck

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/wasmstream/wasmstream/abi"
	"github.com/wasmstream/wasmstream/host/wasm"
)

// component is one component under test.
type component struct {
	*kit
	*abi.Component
	input  []record
	topics []string // that a plugin of Connect has named
}

// output is one output record with the number of its input record, whatever the frame; parts that are kept are named by
// their flag alone.
type output struct {
	index, dest         uint32
	kind, flags         uint8
	partition           int32
	timestamp           int64
	key, value, headers []byte
	nullKey, nullValue  bool
	headerCounts        int
}

func (o *output) equal(p *output) bool {
	return o.index == p.index && o.dest == p.dest && o.partition == p.partition && o.kind == p.kind && o.flags == p.flags && o.nullKey == p.nullKey && o.nullValue == p.nullValue &&
		o.headerCounts == p.headerCounts && (o.flags&abi.KeepTimestamp != 0 || o.kind == abi.KindError || o.timestamp == p.timestamp) &&
		bytes.Equal(o.key, p.key) && bytes.Equal(o.value, p.value) && bytes.Equal(o.headers, p.headers)
}

// session is one instance with the component opened.
type session struct {
	in     *wasm.Instance
	host   *host
	handle int32
	// partitionTime is the largest timestamp that a timestamp extractor has answered, -1 before the first.
	partitionTime int64
}

func (c *component) open() (*session, error) { return c.openWith(storeRules{}) }

// openWith opens the component on an instance whose stores have these rules.
func (c *component) openWith(rules storeRules) (*session, error) {
	h := newHost(c.Stores)
	h.rules = rules
	in, err := c.instantiate(h)
	if err != nil {
		return nil, err
	}
	handle, err := in.Open(openFrame(c.Component, false))
	if err != nil {
		in.Close()
		return nil, err
	}
	return &session{in: in, host: h, handle: handle, partitionTime: -1}, nil
}

// fault is a clause that an answer breaks.
type fault struct {
	clause, what string
}

func (f *fault) Error() string { return f.clause + ": " + f.what }

// faultOf names the clause that err is about: a frame's own, or that of the way the call went.
func faultOf(err error) error {
	if e, ok := errors.AsType[*abi.FrameError](err); ok {
		return &fault{e.Clause, err.Error()}
	}
	if e, ok := errors.AsType[*wasm.TrapError](err); ok {
		if e.Reason == wasm.ReasonContract {
			return &fault{"RES-1", err.Error()}
		}
		return &fault{"FRAME-9", err.Error()}
	}
	return err
}

// ask sends records, the first of which is number first of the input, and returns what comes back, checked. A
// *wasm.CallError is an honest answer.
func (c *component) ask(s *session, records []record, first int, sh shape) ([]output, error) {
	s.host.beginCall(times(c.input[:first+len(records)], 0)[first:])
	frame := encode(records, first, c.Component, sh)
	if c.Kind == abi.TimestampExtractor {
		binary.LittleEndian.PutUint64(frame[abi.FrameStreamTimeAt:], uint64(s.partitionTime))
	}
	last, err := process(s.in, s.handle, frame)
	if broken := s.host.broken(); broken != nil {
		return nil, broken
	}
	if err != nil {
		return nil, faultOf(err)
	}
	out, err := collect(s.host.emitted, last, len(records), first)
	for i := range out {
		if c.Kind == abi.TimestampExtractor && out[i].kind == abi.KindRecord {
			s.partitionTime = max(s.partitionTime, out[i].timestamp)
		}
	}
	return out, err
}

// collect decodes the frames of a call.
func collect(emitted [][]byte, last []byte, inputs, first int) ([]output, error) {
	frames := emitted
	if last != nil {
		frames = append(frames, last)
	}
	var out []output
	var minIndex uint32
	for _, frame := range frames {
		var r abi.Reader
		err := r.Reset(frame, abi.Expect{Output: true, Inputs: inputs, Children: len(childNames), MinIndex: minIndex})
		var rec abi.Record
		for err == nil && r.Next(&rec) {
			out = append(out, outputOf(&rec, first))
		}
		if err == nil {
			err = r.Err()
		}
		if err != nil {
			return nil, faultOf(err)
		}
		minIndex = r.LastIndex()
	}
	return out, nil
}

func outputOf(r *abi.Record, first int) output {
	o := output{
		index: r.Index, dest: r.Dest, kind: r.Kind, flags: r.Flags, partition: r.Partition, timestamp: r.Timestamp, key: bytes.Clone(r.Key), value: bytes.Clone(r.Value),
		headers: bytes.Clone(r.Headers), nullKey: r.Key == nil, nullValue: r.Value == nil, headerCounts: r.HeaderCount,
	}
	if o.index != abi.NoIndex {
		o.index += uint32(first)
	}
	return o
}

// check holds one component to everything that can be seen of its answers.
func (c *component) check() {
	if c.Kind.Connect() {
		c.checkConnect()
		return
	}
	whole, used, err := c.runWith(len(c.input), shape{}, storeRules{})
	if err != nil && isCallError(err) {
		c.report.add("REC-8", c.Name, NotApplicable, "it refuses the kit's records: %v", err)
		return
	}
	if !c.sound(err) {
		return
	}
	c.holdKind(whole.outputs)
	c.holdEmpty()
	if c.same("REC-8", "in frames of one record", whole, 1, shape{}) && c.same("REC-8", "in frames of seven records", whole, 7, shape{}) {
		c.report.hold("REC-8", c.Name, "")
		if len(c.Stores) > 0 {
			c.report.hold("STATE-1", c.Name, "")
		}
	}
	c.holdStores(used)
	if c.same("FRAME-2", "with longer headers", whole, len(c.input), shape{frameMore: 16, recordMore: 8}) {
		c.report.hold("FRAME-2", c.Name, "")
	}
	if c.same("FRAME-6", "with unknown flags of the frame", whole, len(c.input), shape{frameFlags: 0xFFFF0000}) {
		c.report.hold("FRAME-6", c.Name, "")
	}
	c.holdUnknownKind(whole)
	c.holdTimers()
	c.holdFlush()
}

// soundClauses are held by decoding every answer to the corpus.
var soundClauses = []string{
	"FRAME-1", "FRAME-3", "FRAME-4", "FRAME-9", "LIM-1", "RES-1", "REC-1", "REC-2", "REC-3", "REC-4", "REC-5", "REC-6", "REC-7",
	"KEEP-1", "KEEP-2", "KEEP-3", "ERR-2", "ERR-3",
}

// sound reports the clauses of a decoded answer: all pass, or the one that err names fails.
func (c *component) sound(err error) bool {
	if err == nil {
		for _, clause := range soundClauses {
			c.report.hold(clause, c.Name, "")
		}
		return true
	}
	clause := "FRAME-9"
	if f, ok := errors.AsType[*fault](err); ok {
		clause = f.clause
	}
	return c.report.hold(clause, c.Name, err.Error())
}

func isCallError(err error) bool {
	_, ok := errors.AsType[*wasm.CallError](err)
	return ok
}

// answers are the outputs of a run over the corpus and what it left in the stores.
type answers struct {
	outputs []output
	stores  []map[string][]byte
}

// run sends the whole corpus through a fresh instance in frames of at most size records.
func (c *component) run(size int, sh shape) (*answers, error) {
	a, _, err := c.runWith(size, sh, storeRules{})
	return a, err
}

// runWith is run with stores that have rules; it returns what the instance had around it too.
func (c *component) runWith(size int, sh shape, rules storeRules) (*answers, *host, error) {
	s, err := c.openWith(rules)
	if err != nil {
		return nil, nil, err
	}
	defer s.in.Close()
	a := &answers{stores: s.host.stores}
	for first := 0; first < len(c.input); first += size {
		out, err := c.ask(s, c.input[first:min(first+size, len(c.input))], first, sh)
		if err != nil {
			return nil, nil, err
		}
		a.outputs = append(a.outputs, out...)
	}
	return a, s.host, nil
}

// same runs the corpus in another form, which must not change the answers; it reports the clause only if it does.
func (c *component) same(clause, how string, want *answers, size int, sh shape) bool {
	got, err := c.run(size, sh)
	problem := ""
	if err != nil {
		problem = fmt.Sprintf("%s: %v", how, err)
	} else if problem = difference(how, want, got); problem == "" && !want.sameStores(got) {
		problem = how + " it leaves other values in its stores"
		if clause == "REC-8" {
			clause = "STATE-1"
		}
	}
	if problem == "" {
		return true
	}
	return c.report.hold(clause, c.Name, problem)
}

func difference(how string, want, got *answers) string {
	for i := range min(len(want.outputs), len(got.outputs)) {
		if !want.outputs[i].equal(&got.outputs[i]) {
			return fmt.Sprintf("%s, output %d (of input %d) differs", how, i, want.outputs[i].index)
		}
	}
	if len(want.outputs) != len(got.outputs) {
		return fmt.Sprintf("%s it gives %d records instead of %d", how, len(got.outputs), len(want.outputs))
	}
	return ""
}

// sameStores tells whether two runs left the same behind.
func (a *answers) sameStores(b *answers) bool {
	return slices.EqualFunc(a.stores, b.stores, func(a, b map[string][]byte) bool { return maps.EqualFunc(a, b, bytes.Equal) })
}

// holdEmpty sends a frame without records.
func (c *component) holdEmpty() {
	s, err := c.open()
	if err == nil {
		defer s.in.Close()
		var out []output
		if out, err = c.ask(s, nil, 0, shape{}); err == nil && len(out) > 0 {
			err = fmt.Errorf("%d records for an empty frame", len(out))
		}
	}
	c.report.hold("FRAME-8", c.Name, problemOf(err))
}

// holdUnknownKind puts records of a kind that no version has between the others.
func (c *component) holdUnknownKind(want *answers) {
	s, err := c.open()
	if err != nil {
		c.report.hold("REC-9", c.Name, err.Error())
		return
	}
	defer s.in.Close()
	mixed := slices.Clone(c.input[:4])
	mixed[1].kind, mixed[3].kind = 4, 0xFF
	out, err := c.ask(s, mixed, 0, shape{})
	problem := problemOf(err)
	for i := range out {
		if out[i].index == 1 || out[i].index == 3 {
			problem = fmt.Sprintf("it answers input record %d, whose kind is %d", out[i].index, mixed[out[i].index].kind)
		}
	}
	c.report.hold("REC-9", c.Name, problem)
}

// holdTimers lets every timer fire that init or the corpus has set.
func (c *component) holdTimers() {
	s, err := c.open()
	if err != nil {
		c.report.hold("REC-4", c.Name, err.Error())
		return
	}
	defer s.in.Close()
	if _, err = c.ask(s, c.input, 0, shape{}); err != nil {
		c.report.hold("FRAME-9", c.Name, err.Error())
		return
	}
	if len(s.host.timers) == 0 {
		c.report.add("EXP-2", c.Name, NotApplicable, "it sets no schedule, so %s is not called", abi.ExportPunctuate)
		return
	}
	for i := range s.host.timers {
		s.host.beginCall(nil)
		last, err := s.in.Punctuate(s.handle, int32(i), wallTime)
		if broken := s.host.broken(); broken != nil {
			c.sound(broken)
			return
		}
		if err == nil {
			_, err = collect(s.host.emitted, last, 0, 0)
		}
		if err != nil && !isCallError(err) {
			c.sound(faultOf(err))
			return
		}
	}
}

// holdFlush asks for last outputs, which only components with buffers may have.
func (c *component) holdFlush() {
	s, err := c.open()
	if err != nil {
		c.report.hold("LIFE-6", c.Name, err.Error())
		return
	}
	defer s.in.Close()
	if _, err = c.ask(s, c.input, 0, shape{}); err != nil {
		c.report.hold("LIFE-6", c.Name, err.Error())
		return
	}
	s.host.beginCall(nil)
	last, err := s.in.Flush(s.handle, 1)
	if broken := s.host.broken(); broken != nil {
		c.sound(broken)
		return
	}
	var out []output
	if err == nil {
		out, err = collect(s.host.emitted, last, 0, 0)
	}
	if err == nil && len(out) > 0 && !c.Buffers {
		err = fmt.Errorf("%s gives %d records, but the manifest does not say buffers", abi.ExportFlush, len(out))
	}
	c.report.hold("LIFE-6", c.Name, problemOf(err))
}
