package wasmstream

import "unsafe"

// The functions behind the exports, in terms of slices; exports.go gives them the form of the boundary.

// The answer of the current call. One for all handles: the host copies it before it calls again.
var out output

// handles are the open components by handle; closed ones are nil.
var handles []*Context

// inbound is where the host writes frames.
var inbound []byte

// reserve returns room for n bytes, valid until the next call of reserve.
func reserve(n int) []byte {
	if n > len(inbound) {
		inbound = aligned(max(n, 2*len(inbound), 64<<10))
	}
	return inbound
}

// openComponent opens the component that the frame names and returns its handle or an error number.
func openComponent(frame []byte) int32 {
	ctx := new(Context)
	name, ok := ctx.readOpen(frame)
	if !ok {
		return refuse(ErrInvalidArg, "not an open frame")
	}
	ctx.component = findComponent(name)
	if ctx.component == nil {
		return refuse(ErrNotFound, "no component "+name)
	}
	if err := ctx.component.open(ctx); err != nil {
		return refuse(ErrUnknown, err.Error())
	}
	handles = append(handles, ctx)
	return int32(len(handles) - 1)
}

// refuse tells the host why a call as a whole fails, and returns code.
func refuse(code Errno, message string) int32 {
	hostSetError(-1, uint32(ClassFail), message)
	return int32(code)
}

func contextOf(handle int32) *Context {
	if handle < 0 || int(handle) >= len(handles) {
		return nil
	}
	return handles[handle]
}

// processFrame answers a frame of records.
func processFrame(handle int32, frame []byte) ([]byte, int32) {
	ctx := contextOf(handle)
	if ctx == nil {
		return nil, refuse(ErrInvalidArg, "no such handle")
	}
	var r frameReader
	if !r.open(frame) {
		return nil, refuse(ErrCorrupt, "not a frame")
	}
	out.reset()
	ctx.frame, ctx.busy = frame, true
	if ctx.component.kind.connect() {
		ctx.readAux(frame)
	}
	if ctx.each != nil {
		ctx.applyEach(&r)
	}
	for r.left > 0 {
		if !r.read(&ctx.in) {
			continue
		}
		if err := ctx.apply(ctx); err != nil {
			out.fail(ctx.in.index, classOf(err), err.Error())
		}
	}
	ctx.frame, ctx.busy = nil, false
	if ctx.batchEnd != nil {
		if err := ctx.batchEnd(ctx); err != nil {
			return nil, refuseWith(err)
		}
	}
	return out.result()
}

// applyEach is the loop of plugins that see records of Connect. They are not decoded here: each is told where it is.
func (c *Context) applyEach(f *frameReader) {
	r, each, answers := c.current, c.each, c.answers
	r.frame, r.hdr = ptr(c.frame), f.recHdr
	at := f.hdr
	for i := range f.left {
		p := unsafe.Add(r.frame, at)
		r.at, r.index, r.changed, c.in.index = at, i, 0, i
		if load16(p, recKindAt)&0xFF == kindRecord {
			if err := each(r); err != nil {
				out.fail(i, classOf(err), err.Error())
			} else if answers {
				r.answer()
			}
		}
		at += uintptr(load32(p, 0))
	}
	f.left = 0
}

// readAux takes topics and schemas of a frame.
func (c *Context) readAux(frame []byte) {
	c.topics = c.topics[:0]
	p := ptr(frame)
	if load32(p, frameFlagsAt)&frameHasAux == 0 {
		return
	}
	off, n := load32(p, frameAuxOffAt), load32(p, frameAuxLenAt)
	aux := frame[off : off+n]
	for rest := aux; len(rest) > 0; {
		var k, v []byte
		k, v, rest = nextPair(rest)
		if string(k) == "topic" {
			c.topics = append(c.topics, c.topicName(v))
		}
	}
	learn(aux)
}

// topicName is the name of a topic; it is mostly the same as in the frame before.
func (c *Context) topicName(b []byte) string {
	if n := len(c.topics); n < cap(c.topics) {
		if last := c.topics[: n+1 : n+1][n]; last == string(b) {
			return last
		}
	}
	return string(b)
}

// refuseWith tells the host why a call as a whole fails, with the class of err, and returns a code.
func refuseWith(err error) int32 {
	class, code := classOf(err), ErrUnknown
	if class == ClassRetry {
		code = ErrRetry
	}
	hostSetError(-1, uint32(class), err.Error())
	return int32(code)
}

// poll answers the wish for records of a source.
func poll(handle, budget int32) ([]byte, int32) {
	ctx := contextOf(handle)
	if ctx == nil || ctx.poll == nil {
		return nil, refuse(ErrInvalidArg, "no such source")
	}
	out.reset()
	out.args = true
	if err := ctx.poll(ctx, int(budget)); err != nil {
		return nil, refuseWith(err)
	}
	return out.result()
}

// ack takes a frame of how far the records of a source are safe.
func ack(handle int32, frame []byte) int32 {
	if ctx := contextOf(handle); ctx == nil || ctx.poll == nil {
		return refuse(ErrInvalidArg, "no such source")
	}
	_, code := processFrame(handle, frame)
	return code
}

// punctuate answers a timer.
func punctuate(handle, timer int32, time int64) ([]byte, int32) {
	return answer(handle, func(ctx *Context) error {
		if p, ok := ctx.processor.(Punctuator); ok {
			return p.Punctuate(ctx, Timer(timer), time)
		}
		return nil
	})
}

// flush answers the end of an epoch.
func flush(handle int32, epoch int64) ([]byte, int32) {
	return answer(handle, func(ctx *Context) error {
		ctx.epoch = epoch
		if f, ok := ctx.processor.(Flusher); ok {
			return f.Flush(ctx)
		}
		if ctx.flushSink != nil {
			return ctx.flushSink(ctx)
		}
		return nil
	})
}

// answer runs a call that has no input records.
func answer(handle int32, call func(*Context) error) ([]byte, int32) {
	ctx := contextOf(handle)
	if ctx == nil {
		return nil, refuse(ErrInvalidArg, "no such handle")
	}
	out.reset()
	if err := call(ctx); err != nil {
		return nil, refuseWith(err)
	}
	return out.result()
}

// closeComponent ends a handle.
func closeComponent(handle int32) int32 {
	ctx := contextOf(handle)
	if ctx == nil {
		return refuse(ErrInvalidArg, "no such handle")
	}
	handles[handle] = nil
	if ctx.processor == nil {
		return 0
	}
	if err := ctx.processor.Close(); err != nil {
		return refuse(ErrUnknown, err.Error())
	}
	return 0
}
