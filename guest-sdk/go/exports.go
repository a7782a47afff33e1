//go:build wasm

package wasmstream

import (
	"runtime"
	"unsafe"
)

// describeBuf holds the manifest, made once.
var describeBuf []byte

//go:wasmexport ws_abi_v1
func wsABI() int32 { return 1 }

//go:wasmexport ws_describe
func wsDescribe(buf unsafe.Pointer, capacity uint32) int32 {
	if describeBuf == nil {
		describeBuf = manifest()
	}
	if uint64(len(describeBuf)) <= uint64(capacity) {
		copy(unsafe.Slice((*byte)(buf), len(describeBuf)), describeBuf)
	}
	return int32(len(describeBuf))
}

//go:wasmexport ws_reserve
func wsReserve(n uint32) unsafe.Pointer { return ptr(reserve(int(n))) }

//go:wasmexport ws_open
func wsOpen(p unsafe.Pointer, n uint32) int32 { return openComponent(view(p, n)) }

// Records since other goroutines had their turn. Go's runtime has one thread in wasm and leaves it only when a
// goroutine yields: without a turn now and then the garbage collector's workers do not finish their cycles, and the
// memory of a guest that allocates grows to its limit. One turn costs about a microsecond.
var recordsSinceTurn uint32

const recordsPerTurn = 64

//go:wasmexport ws_process
func wsProcess(handle int32, p unsafe.Pointer, n uint32) int64 {
	answer := packed(processFrame(handle, view(p, n)))
	if n >= frameHdrSize {
		recordsSinceTurn += load32(p, frameCountAt)
	}
	if recordsSinceTurn >= recordsPerTurn {
		recordsSinceTurn = 0
		runtime.Gosched()
	}
	return answer
}

//go:wasmexport ws_punctuate
func wsPunctuate(handle, timer int32, time int64) int64 {
	return packed(punctuate(handle, timer, time))
}

//go:wasmexport ws_flush
func wsFlush(handle int32, epoch int64) int64 { return packed(flush(handle, epoch)) }

//go:wasmexport ws_poll
func wsPoll(handle, budget int32) int64 {
	answer := packed(poll(handle, budget))
	runtime.Gosched()
	return answer
}

//go:wasmexport ws_ack
func wsAck(handle int32, p unsafe.Pointer, n uint32) int32 { return ack(handle, view(p, n)) }

//go:wasmexport ws_close
func wsClose(handle, _ int32) int32 { return closeComponent(handle) }

// packed is the answer of a call in one number: the frame's place and length, 0 for none, or an error number.
func packed(frame []byte, code int32) int64 {
	if code < 0 || len(frame) == 0 {
		return int64(code)
	}
	return int64(uintptr(ptr(frame)))<<32 | int64(len(frame))
}
