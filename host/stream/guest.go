package stream

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/wasmstream/wasmstream/abi"
	"github.com/wasmstream/wasmstream/host/wasm"
	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/topology"
)

const (
	// maxCallRecords and maxCallBytes bound the output of one call, all its frames together (abi/SPEC.md, 3).
	maxCallRecords = 4 << 20
	maxCallBytes   = 256 << 20
)

// guestFunction is a component that a node calls. It outlives hot swaps: open is the handle on the instance that runs.
type guestFunction struct {
	node    *node
	module  *guestModule
	ref     topology.GuestRef
	kind    abi.Kind // what the node needs, "" for anything
	config  map[string]string
	open    *guestHandle
	answers []topology.Record // of flushes and punctuators, reused: neither runs inside another of the same function
	skipped []int32           // positions in the frame of the last Call
	metrics *GuestMetrics
}

var (
	_ topology.Function = (*guestFunction)(nil)
	_ topology.Skipper  = (*guestFunction)(nil)
)

// guestCall is what a running call has been given and has answered.
type guestCall struct {
	export string
	at     int64             // time of a punctuation
	in     []topology.Record // the input frame
	base   int32             // position of in[0] in the frame that the node was given
	out    []topology.Record // the answers, behind those of earlier calls
	reader abi.Reader
	rec    abi.Record
	last   uint32 // index of the last answer that had one
	count  int    // of records in all frames
	bytes  int
	drawn  []int32 // how often random was asked, by record; the last one is for none
	blame  struct {
		set     bool
		index   int32
		class   abi.Class
		message string
	}
	err error // what went wrong inside the call, whatever the guest makes of it
}

// Call implements topology.Function: the records go to the guest in frames that are within the bounds of the ABI and
// come from one partition each.
func (f *guestFunction) Call(in, out []topology.Record) ([]topology.Record, error) {
	f.skipped = f.skipped[:0]
	for base := 0; base < len(in); {
		n, size := f.open.frame(in[base:])
		var err error
		if out, err = f.call(in[base:base+n], int32(base), size, out); err != nil {
			return out, err
		}
		base += n
	}
	return out, nil
}

// frame measures the next input frame: how many records of in it holds, and its size in bytes.
func (h *guestHandle) frame(in []topology.Record) (n, size int) {
	wants, origin := h.component.Wants, in[0].Origin
	size = abi.FrameHeaderSize
	if origin != nil {
		size += abi.AuxSize(origin.Topic)
	}
	for n < len(in) && n < maxFrameRecords {
		r := &in[n]
		if r.Origin != origin {
			break
		}
		more := recordBytes(r, wants)
		if h.component.Kind.HasArguments() {
			more += argumentBytes(r)
		}
		if n > 0 && size+more > maxFrameBytes {
			break
		}
		size += more
		n++
	}
	return n, size
}

// recordBytes is the size of a record in an input frame.
func recordBytes(r *topology.Record, wants abi.Parts) int {
	klen, vlen, hlen := 0, 0, 0
	if wants.Has(abi.WantKey) {
		klen = len(r.Key)
	}
	if wants.Has(abi.WantValue) {
		vlen = len(r.Value)
	}
	if wants.Has(abi.WantHeaders) {
		for i := range r.Headers {
			hlen += abi.PairSize(len(r.Headers[i].Key), len(r.Headers[i].Value))
		}
	}
	return abi.RecordSize(klen, vlen, hlen)
}

// call runs one frame of size bytes. A call that the guest refuses as a whole, to be skipped, is tried again record by
// record where the component is pure.
func (f *guestFunction) call(in []topology.Record, base int32, size int, out []topology.Record) ([]topology.Record, error) {
	h := f.open
	kept, skips := len(out), len(f.skipped)
	out, err := h.process(in, base, size, out)
	if err == nil {
		return out, nil
	}
	if !f.maySkip(err) {
		return out[:kept], err
	}
	if len(in) == 1 {
		f.skip(base, h.call.blame.message)
		return out[:kept], nil
	}
	out, f.skipped = out[:kept], f.skipped[:skips]
	for i := range in {
		one := in[i : i+1]
		_, size := h.frame(one)
		if out, err = f.call(one, base+int32(i), size, out); err != nil {
			return out, err
		}
	}
	return out, nil
}

// maySkip tells whether the record that a call failed on is to be skipped and the guest has changed nothing else.
func (f *guestFunction) maySkip(err error) bool {
	guest, ok := errors.AsType[*GuestError](err)
	if !ok || guest.Refused == nil || f.open.component.Kind.Stateful() {
		return false
	}
	class := abi.ClassFail
	if f.open.call.blame.set {
		class = f.open.call.blame.class
	}
	return class == abi.ClassSkip || class == abi.ClassFail && f.node.task.config.Processing == LogAndContinue
}

// Skipped implements topology.Skipper.
func (f *guestFunction) Skipped() []int32 { return f.skipped }

// skip drops the record at a position of the frame that Call was given.
func (f *guestFunction) skip(at int32, message string) {
	f.skipped = append(f.skipped, at)
	f.metrics.Errors.Add(1)
	f.node.Dropped(1, "guest "+f.ref.String()+": "+message)
}

// process encodes a frame into the guest's memory, runs ws_process and decodes the answer.
func (h *guestHandle) process(in []topology.Record, base int32, size int, out []topology.Record) ([]topology.Record, error) {
	buf, err := h.on.instance.Reserve(size)
	if err != nil {
		h.begin(abi.ExportReserve, in, base, out)
		return h.finish(nil, err)
	}
	h.encode(buf[:0:size], in)
	h.begin(abi.ExportProcess, in, base, out)
	h.used = true
	h.on.running = h
	view, err := h.on.instance.Process(h.id, size)
	h.on.running = nil
	return h.finish(view, err)
}

// encode appends the input frame to dst, which has exactly the capacity for it.
func (h *guestHandle) encode(dst []byte, in []topology.Record) {
	first, wants := &in[0], h.component.Wants
	header := abi.FrameHeader{Partition: -1, StreamTime: first.StreamTime, Epoch: h.on.task.epoch}
	if first.Origin != nil {
		header.Partition = first.Origin.Partition
	}
	if h.component.Kind.HasArguments() {
		h.encodeCalls(dst, in, &header)
		return
	}
	dst = abi.AppendFrameHeader(dst, &header)
	r := abi.Record{Partition: header.Partition}
	for i := range in {
		rec := &in[i]
		r.Index, r.Timestamp, r.Offset = uint32(i), rec.Timestamp, rec.Offset
		if wants.Has(abi.WantKey) {
			r.Key = rec.Key
		}
		if wants.Has(abi.WantValue) {
			r.Value = rec.Value
		}
		if h.component.Kind == abi.Partitioner {
			r.Dest = uint32(rec.Dest)
		}
		start := len(dst)
		dst = abi.AppendRecord(dst, &r)
		if len(rec.Headers) > 0 && wants.Has(abi.WantHeaders) {
			dst = appendHeaders(dst, start, rec.Headers)
		}
	}
	if first.Origin != nil {
		dst = abi.AppendAux(dst, 0, first.Origin.Topic)
	}
	abi.FinishFrame(dst, 0, len(in))
}

func appendHeaders(dst []byte, start int, headers []topology.Header) []byte {
	for i := range headers {
		if headers[i].Value == nil {
			dst = abi.AppendNullPair(dst, headers[i].Key)
		} else {
			dst = abi.AppendPair(dst, headers[i].Key, headers[i].Value)
		}
	}
	abi.FinishHeaders(dst, start, len(headers))
	return dst
}

// begin notes what a call is given. Its answers go behind out.
func (h *guestHandle) begin(export string, in []topology.Record, base int32, out []topology.Record) {
	c := &h.call
	c.export, c.in, c.base, c.out = export, in, base, out
	c.last, c.count, c.bytes, c.err = 0, 0, 0, nil
	c.drawn = c.drawn[:0]
	c.blame.set, c.blame.message = false, ""
}

// finish takes the last frame of a call, or its error, and returns the answers.
func (h *guestHandle) finish(view []byte, err error) ([]topology.Record, error) {
	c, m := &h.call, h.f.metrics
	if err == nil && c.err == nil {
		c.err = h.take(view)
	}
	out := c.out
	m.Calls.Add(1)
	m.Fuel.Add(int64(h.on.instance.Fuel()))
	m.RecordsIn.Add(int64(len(c.in)))
	m.RecordsOut.Add(int64(c.count))
	if err == nil {
		err = c.err
	}
	if err != nil {
		err = h.failure(err)
	}
	c.in, c.out = nil, nil
	return out, err
}

// take decodes a frame of answers and appends its records to the call's.
func (h *guestHandle) take(frame []byte) error {
	c := &h.call
	if len(frame) == 0 {
		return nil
	}
	err := c.reader.Reset(frame, abi.Expect{Output: true, Inputs: len(c.in), Children: h.children, MinIndex: c.last})
	if err != nil {
		return err
	}
	count := c.reader.Header().Count
	c.count += count
	c.bytes += len(frame)
	c.out = slices.Grow(c.out, count)
	for c.reader.Next(&c.rec) {
		if c.rec.Kind == abi.KindError {
			if err := h.errorRecord(&c.rec); err != nil {
				return err
			}
			continue
		}
		c.out = c.out[:len(c.out)+1]
		h.fill(&c.out[len(c.out)-1], &c.rec)
	}
	c.last = c.reader.LastIndex()
	return c.reader.Err()
}

// fill makes the record of an answer: kept parts share the bytes of the input, others are copied out of the guest.
func (h *guestHandle) fill(dst *topology.Record, r *abi.Record) {
	c, t := &h.call, h.on.task
	dst.Dest, dst.Extra = int32(r.Dest), nil
	if h.component.Kind == abi.Partitioner {
		dst.Dest = r.Partition
	}
	if r.Index == abi.NoIndex {
		dst.Index, dst.Offset, dst.Origin, dst.StreamTime = -1, -1, nil, t.group.streamTime
		if len(c.in) > 0 {
			dst.StreamTime = c.in[c.reader.LastIndex()].StreamTime
		}
		dst.Key, dst.Value, dst.Timestamp = t.keep(r.Key), t.keep(r.Value), r.Timestamp
		dst.Headers = t.keepHeaders(r)
		return
	}
	src := &c.in[r.Index]
	dst.Index, dst.Offset, dst.Origin, dst.StreamTime = c.base+int32(r.Index), src.Offset, src.Origin, src.StreamTime
	if dst.Key = src.Key; r.Flags&abi.KeepKey == 0 {
		dst.Key = t.keep(r.Key)
	}
	if dst.Value = src.Value; r.Flags&abi.KeepValue == 0 {
		dst.Value = t.keep(r.Value)
	}
	if dst.Headers = src.Headers; r.Flags&abi.KeepHeaders == 0 {
		dst.Headers = t.keepHeaders(r)
	}
	if dst.Timestamp = src.Timestamp; r.Flags&abi.KeepTimestamp == 0 {
		dst.Timestamp = r.Timestamp
	}
}

// keep copies bytes of the guest; nil stays nil.
func (t *Task) keep(b []byte) []byte {
	if b == nil {
		return nil
	}
	return t.arena.Copy(b)
}

func (t *Task) keepHeaders(r *abi.Record) []topology.Header {
	if r.HeaderCount == 0 {
		return nil
	}
	headers := t.headers.take(r.HeaderCount)
	pairs := abi.ReadPairs(r.Headers)
	for i := range headers {
		key, value, _ := pairs.Next() // the reader has counted them
		headers[i] = topology.Header{Key: t.headerKey(key), Value: t.keep(value)}
	}
	return headers
}

// headerKey is key as a string. The keys of headers are few, so they are kept.
func (t *Task) headerKey(key []byte) string {
	const most = 1024
	if s, ok := t.headerKeys[string(key)]; ok {
		return s
	}
	s := string(key)
	if t.headerKeys == nil {
		t.headerKeys = make(map[string]string)
	}
	if len(t.headerKeys) < most {
		t.headerKeys[s] = s
	}
	return s
}

// errorRecord does what the guest says is to be done with an input record that it could not process.
func (h *guestHandle) errorRecord(r *abi.Record) error {
	class, message := abi.Class(r.Dest), printable(r.Value)
	switch {
	case class == abi.ClassSkip, class == abi.ClassFail && h.on.task.config.Processing == LogAndContinue:
		h.f.skip(h.call.base+int32(r.Index), message)
		return nil
	case class == abi.ClassFail:
		return h.reported(int32(r.Index), errs.GuestError, "the guest reports: "+message)
	}
	return h.reported(int32(r.Index), errs.GuestUnsupported, fmt.Sprintf("the guest asks for class %s: %s", class, message))
}

// flush has the guest give what it holds back and forwards it.
func (f *guestFunction) flush() error {
	h := f.open
	if !h.used {
		return nil
	}
	h.used = false
	h.begin(abi.ExportFlush, nil, 0, f.answers[:0])
	h.on.running = h
	view, err := h.on.instance.Flush(h.id, h.on.task.epoch)
	h.on.running = nil
	out, err := h.finish(view, err)
	if err != nil {
		return err
	}
	if len(out) > 0 && !h.component.Buffers {
		return h.broken("ws_flush gave records, but the manifest does not say that the component buffers (LIFE)")
	}
	return f.forward(out)
}

// punctuate runs a timer of the guest at now and forwards what it gives.
func (h *guestHandle) punctuate(timer int32, now int64) error {
	h.begin(abi.ExportPunctuate, nil, 0, h.f.answers[:0])
	h.call.at, h.used = now, true
	h.on.running = h
	view, err := h.on.instance.Punctuate(h.id, timer, now)
	h.on.running = nil
	out, err := h.finish(view, err)
	if err != nil {
		return err
	}
	return h.f.forward(out)
}

// forward hands records to the children that they name, in runs.
func (f *guestFunction) forward(out []topology.Record) error {
	f.answers = out
	for len(out) > 0 {
		k := 1
		for k < len(out) && out[k].Dest == out[0].Dest {
			k++
		}
		run := out[:k]
		var err error
		if to := run[0].Dest; to == topology.AllChildren {
			err = f.node.Forward(run)
		} else {
			err = f.node.ForwardTo(int(to)-1, run)
		}
		if err != nil {
			return err
		}
		out = out[k:]
	}
	return nil
}

// failure makes the error of a call that failed; where the answer broke the ABI, the instance ends.
func (h *guestHandle) failure(err error) error {
	if trap, ok := errors.AsType[*wasm.TrapError](err); ok {
		h.f.metrics.Traps.Add(1)
		e := h.guestError(0, len(h.call.in)-1)
		e.Trap, e.Coded = trap, trap.Coded(placeOf(e.Origin, e.First, e.Last))
		return e
	}
	if refused, ok := errors.AsType[*wasm.CallError](err); ok {
		return h.refusal(refused)
	}
	if broken, ok := errors.AsType[*abi.FrameError](err); ok {
		return h.broken(broken.Error())
	}
	if errors.Is(err, wasm.ErrReentered) {
		return h.reported(-1, errs.GuestUnsupported, "records reach module "+h.f.ref.Module+" while it writes to a store whose cache forwards them")
	}
	return err
}

// refusal is the error of a call that the guest answered with an error number, with the text it gave before.
func (h *guestHandle) refusal(refused *wasm.CallError) error {
	blame := &h.call.blame
	what := refused.Error()
	if blame.message != "" {
		what = "the guest reports: " + blame.message + " (" + refused.Errno.Error() + ")"
	}
	index := int32(-1)
	if blame.set {
		index = blame.index
	}
	e := h.reported(index, errs.GuestError, what)
	e.Refused = refused
	return e
}

// broken is the error of an answer that breaks the ABI. The guest is not asked again.
func (h *guestHandle) broken(what string) error {
	h.on.instance.Close()
	h.f.metrics.Traps.Add(1)
	e := h.guestError(0, len(h.call.in)-1)
	e.Coded = errs.GuestContract.New(placeOf(e.Origin, e.First, e.Last), h.f.ref.String()+" broke the ABI: "+what, "")
	return e
}

// reported is the error that a guest reports for record index, or for the whole frame if there is none.
func (h *guestHandle) reported(index int32, code errs.Code, what string) *GuestError {
	h.f.metrics.Errors.Add(1)
	first, last := 0, len(h.call.in)-1
	if index >= 0 && int(index) < len(h.call.in) {
		first, last = int(index), int(index)
	}
	e := h.guestError(first, last)
	e.Coded = code.New(placeOf(e.Origin, e.First, e.Last), h.f.ref.String()+": "+what, "")
	return e
}

// guestError is the error of a call about the input records first to last.
func (h *guestHandle) guestError(first, last int) *GuestError {
	t, f := h.on.task, h.f
	e := &GuestError{
		ApplicationID: t.config.ApplicationID, Task: t.config.ID, Node: f.node.spec.Name, Module: f.ref.Module,
		Digest: h.on.module.Digest(), Component: f.ref.Component, Export: h.call.export, First: -1, Last: -1,
	}
	if in := h.call.in; last >= first && last < len(in) {
		e.Origin, e.First, e.Last = in[first].Origin, in[first].Offset, in[last].Offset
	}
	return e
}

// printable makes text of a guest fit for one line.
func printable(text []byte) string {
	const most = 1024
	clean := make([]rune, 0, len(text))
	for _, r := range string(text[:min(len(text), most)]) {
		if r < ' ' || r == 0x7f || r == 0xFFFD {
			r = ' '
		}
		clean = append(clean, r)
	}
	return string(clean)
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }

// seedPart appends a part of a random seed so that no two lists of parts give the same bytes.
func seedPart(dst []byte, s string) []byte {
	return append(binary.LittleEndian.AppendUint32(dst, uint32(len(s))), s...)
}
