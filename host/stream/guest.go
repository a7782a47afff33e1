package stream

import (
	"fmt"
	"slices"

	"github.com/wasmstream/wasmstream/abi"
	"github.com/wasmstream/wasmstream/topology"
)

// guestFunction is a component that a node calls. It outlives hot swaps and instances: open is the handle on the
// instance that runs.
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
	limits  GuestLimits
	policy  ErrorPolicy
	faults  guestFaults
	// settling: the writes of a call are being handed to the stores.
	settling bool
}

var (
	_ topology.Function = (*guestFunction)(nil)
	_ topology.Skipper  = (*guestFunction)(nil)
)

func (f *guestFunction) name() functionName { return functionName{f.node.spec.Name, f.ref.Component} }

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
	due    uint32  // the record that the next answer must be for, of kinds that answer each record once
	drawn  []int32 // how often random was asked, by record; the last one is for none
	blame  struct {
		set     bool
		index   int32
		class   abi.Class
		message string
	}
	effects callEffects
	err     error // what went wrong inside the call, where the guest does not say so itself
	lost    error // a store that failed, whatever the guest makes of it
}

// Call implements topology.Function: the records go to the guest in frames that are within the bounds of the ABI and
// come from one partition each. A frame that fails is tried again in parts, until the record at fault stands alone
// (guest_faults.go).
func (f *guestFunction) Call(in, out []topology.Record) ([]topology.Record, error) {
	if f.settling {
		return out, f.reentered(in)
	}
	f.skipped = f.skipped[:0]
	f.faults.waited, f.faults.tries = 0, 0
	for base := 0; base < len(in); {
		n, size := f.open.frame(in[base:])
		if len(f.node.task.page.records) > 0 {
			n, size = f.upToFault(in[base:], n, size)
		}
		var done int
		var err error
		if out, done, err = f.try(in[base:base+n], int32(base), size, out); err != nil {
			return out, err
		}
		base += done
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
	for n < len(in) && n < h.f.faults.limit() {
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

// Skipped implements topology.Skipper.
func (f *guestFunction) Skipped() []int32 { return f.skipped }

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
	out, err = h.finish(view, err)
	h.holds = h.holds || err == nil && h.component.Buffers
	return out, err
}

// encode appends the input frame to dst, which has exactly the capacity for it.
func (h *guestHandle) encode(dst []byte, in []topology.Record) {
	first, wants := &in[0], h.component.Wants
	header := abi.FrameHeader{Partition: -1, StreamTime: first.StreamTime, Epoch: h.on.task.epoch}
	if first.Origin != nil {
		header.Partition = first.Origin.Partition
	}
	hasArguments := h.component.Kind.HasArguments()
	if hasArguments {
		header.Flags |= abi.FrameHasArguments
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
		if hasArguments {
			second, third := arguments(rec)
			dst = abi.AppendArguments(dst, start, second, third)
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
	c.last, c.count, c.bytes, c.due, c.err, c.lost = 0, 0, 0, 0, nil, nil
	c.drawn = c.drawn[:0]
	c.blame.set, c.blame.message = false, ""
	h.beginEffects()
}

// finish takes the last frame of a call, or its error, and returns the answers. A call that succeeded has its effects
// now, one that failed has none.
func (h *guestHandle) finish(view []byte, err error) ([]topology.Record, error) {
	c, m := &h.call, h.f.metrics
	if err == nil && c.err == nil && c.lost == nil {
		if c.err = h.take(view); c.err == nil {
			c.err = h.complete()
		}
	}
	switch {
	case c.lost != nil:
		err = c.lost
	case err == nil:
		err = c.err
	}
	out := c.out
	m.Calls.Add(1)
	m.Fuel.Add(int64(h.on.instance.Fuel()))
	if err != nil {
		err = h.failure(err)
		h.discard()
	} else {
		m.RecordsIn.Add(int64(len(c.in)))
		m.RecordsOut.Add(int64(c.count))
		err = h.settle()
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
	if limits := &h.f.limits; c.count > limits.OutputRecords || c.bytes > limits.OutputBytes {
		return &limitError{fmt.Sprintf("the answer has %d records and %d bytes, %d records and %d bytes are allowed", c.count, c.bytes, limits.OutputRecords, limits.OutputBytes)}
	}
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
		if c.rec.Flags&h.rule.keep != h.rule.keep || h.rule.counted {
			if err := h.allowed(&c.out[len(c.out)-1], &c.rec); err != nil {
				return err
			}
		}
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
		return f.faultOfCall(err)
	}
	h.holds = false
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
		return h.f.faultOfCall(err)
	}
	h.holds = h.holds || h.component.Buffers
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
