//go:build wasm

package wasmstream

import "unsafe"

// The functions of the host, first as the contract names them, then in terms of slices. None of them keeps a pointer.

//go:wasmimport ws1.core emit
//go:noescape
func wsEmit(p unsafe.Pointer, n uint32) int32

//go:wasmimport ws1.core set_error
//go:noescape
func wsSetError(index int32, class uint32, p unsafe.Pointer, n uint32) int32

//go:wasmimport ws1.core log_enabled
func wsLogEnabled(level int32) int32

//go:wasmimport ws1.core log
//go:noescape
func wsLog(level int32, p unsafe.Pointer, n uint32) int32

//go:wasmimport ws1.core metric
//go:noescape
func wsMetric(kind int32, p unsafe.Pointer, n uint32) int32

//go:wasmimport ws1.core metric_add
func wsMetricAdd(handle int32, delta int64) int32

//go:wasmimport ws1.core time
func wsTime(which, index int32) int64

//go:wasmimport ws1.core random
//go:noescape
func wsRandom(index int32, p unsafe.Pointer, n uint32) int32

//go:wasmimport ws1.core schedule
func wsSchedule(intervalMs int64, typ int32, startMs int64) int32

//go:wasmimport ws1.core cancel
func wsCancel(timer int32) int32

//go:wasmimport ws1.core request_commit
func wsRequestCommit() int32

//go:wasmimport ws1.state state_open
//go:noescape
func wsStateOpen(p unsafe.Pointer, n uint32) int32

//go:wasmimport ws1.state state_get
//go:noescape
func wsStateGet(store int32, k unsafe.Pointer, klen uint32, buf unsafe.Pointer, capacity uint32) int32

//go:wasmimport ws1.state state_put
//go:noescape
func wsStatePut(store int32, k unsafe.Pointer, klen uint32, v unsafe.Pointer, vlen uint32) int32

//go:wasmimport ws1.state state_put_if_absent
//go:noescape
func wsStatePutIfAbsent(store int32, k unsafe.Pointer, klen uint32, v unsafe.Pointer, vlen uint32, buf unsafe.Pointer, capacity uint32) int32

//go:wasmimport ws1.state state_delete
//go:noescape
func wsStateDelete(store int32, k unsafe.Pointer, klen uint32, buf unsafe.Pointer, capacity uint32) int32

//go:wasmimport ws1.state state_get_many
//go:noescape
func wsStateGetMany(store int32, p unsafe.Pointer, n uint32, buf unsafe.Pointer, capacity uint32) int32

//go:wasmimport ws1.state state_write_many
//go:noescape
func wsStateWriteMany(store int32, p unsafe.Pointer, n uint32) int32

//go:wasmimport ws1.state iter_open
//go:noescape
func wsIterOpen(store int32, from unsafe.Pointer, flen uint32, to unsafe.Pointer, tlen uint32, flags, limit int32) int32

//go:wasmimport ws1.state iter_next_many
//go:noescape
func wsIterNextMany(it int32, buf unsafe.Pointer, capacity uint32) int32

//go:wasmimport ws1.state iter_close
func wsIterClose(it int32) int32

//go:wasmimport ws1.state state_open_as
//go:noescape
func wsStateOpenAs(p unsafe.Pointer, n uint32, kind, flags int32) int32

//go:wasmimport ws1.state state_put_version
//go:noescape
func wsStatePutVersion(store int32, k unsafe.Pointer, klen uint32, v unsafe.Pointer, vlen uint32, timestamp int64) int64

//go:wasmimport ws1.state iter_open_span
//go:noescape
func wsIterOpenSpan(store int32, from unsafe.Pointer, flen uint32, to unsafe.Pointer, tlen uint32, timeFrom, timeTo int64, flags, limit int32) int32

//go:wasmimport ws1.connect offset_get
//go:noescape
func wsOffsetGet(p unsafe.Pointer, n uint32, buf unsafe.Pointer, capacity uint32) int32

//go:wasmimport ws1.egress http
//go:noescape
func wsHTTP(p unsafe.Pointer, n uint32) int32

//go:wasmimport ws1.egress http_response
//go:noescape
func wsHTTPResponse(buf unsafe.Pointer, capacity uint32) int32

func sptr(s string) unsafe.Pointer { return unsafe.Pointer(unsafe.StringData(s)) }

func hostEmit(frame []byte) int32 { return wsEmit(ptr(frame), uint32(len(frame))) }

func hostSetError(index int32, class uint32, message string) int32 {
	return wsSetError(index, class, sptr(message), uint32(len(message)))
}

func hostLogEnabled(level int32) int32 { return wsLogEnabled(level) }

func hostLog(level int32, message string) int32 {
	return wsLog(level, sptr(message), uint32(len(message)))
}

func hostMetric(kind int32, name string) int32 { return wsMetric(kind, sptr(name), uint32(len(name))) }

func hostMetricAdd(handle int32, delta int64) int32 { return wsMetricAdd(handle, delta) }

func hostTime(which, index int32) int64 { return wsTime(which, index) }

func hostRandom(index int32, p []byte) int32 { return wsRandom(index, ptr(p), uint32(len(p))) }

func hostSchedule(intervalMs int64, typ int32, startMs int64) int32 {
	return wsSchedule(intervalMs, typ, startMs)
}

func hostCancel(timer int32) int32 { return wsCancel(timer) }

func hostRequestCommit() int32 { return wsRequestCommit() }

func hostStateOpen(name string) int32 { return wsStateOpen(sptr(name), uint32(len(name))) }

func hostStateGet(store int32, key, buf []byte) int32 {
	return wsStateGet(store, ptr(key), uint32(len(key)), ptr(buf), uint32(len(buf)))
}

func hostStatePut(store int32, key, value []byte) int32 {
	return wsStatePut(store, ptr(key), uint32(len(key)), ptr(value), lenOf(value))
}

func hostStatePutIfAbsent(store int32, key, value, buf []byte) int32 {
	return wsStatePutIfAbsent(store, ptr(key), uint32(len(key)), ptr(value), lenOf(value), ptr(buf), uint32(len(buf)))
}

func hostStateDelete(store int32, key, buf []byte) int32 {
	return wsStateDelete(store, ptr(key), uint32(len(key)), ptr(buf), uint32(len(buf)))
}

func hostStateGetMany(store int32, block, buf []byte) int32 {
	return wsStateGetMany(store, ptr(block), uint32(len(block)), ptr(buf), uint32(len(buf)))
}

func hostStateWriteMany(store int32, block []byte) int32 {
	return wsStateWriteMany(store, ptr(block), uint32(len(block)))
}

func hostIterOpen(store int32, from, to []byte, flags, limit int32) int32 {
	return wsIterOpen(store, ptr(from), lenOf(from), ptr(to), lenOf(to), flags, limit)
}

func hostIterNextMany(it int32, buf []byte) int32 {
	return wsIterNextMany(it, ptr(buf), uint32(len(buf)))
}

func hostStateOpenAs(name string, kind, flags int32) int32 {
	return wsStateOpenAs(sptr(name), uint32(len(name)), kind, flags)
}

func hostStatePutVersion(store int32, key, value []byte, timestamp int64) int64 {
	return wsStatePutVersion(store, ptr(key), uint32(len(key)), ptr(value), lenOf(value), timestamp)
}

func hostIterOpenSpan(store int32, keyFrom, keyTo []byte, from, to int64, flags, limit int32) int32 {
	return wsIterOpenSpan(store, ptr(keyFrom), lenOf(keyFrom), ptr(keyTo), lenOf(keyTo), from, to, flags, limit)
}

func hostOffsetGet(partition, buf []byte) int32 {
	return wsOffsetGet(ptr(partition), uint32(len(partition)), ptr(buf), uint32(len(buf)))
}

func hostHTTP(request []byte) int32 { return wsHTTP(ptr(request), uint32(len(request))) }

func hostHTTPResponse(buf []byte) int32 { return wsHTTPResponse(ptr(buf), uint32(len(buf))) }

func hostIterClose(it int32) int32 { return wsIterClose(it) }
