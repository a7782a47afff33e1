//go:build !wasm

package wasmstream

import "strconv"

// Outside of wasm the host is a TestHost.

// testHost is the host that the functions below reach: the one made last.
var testHost *TestHost

func host() *TestHost {
	if testHost == nil {
		panic("wasmstream: outside of wasm a guest runs in a TestHost: call NewTestHost first")
	}
	return testHost
}

func hostEmit(frame []byte) int32 { return host().emit(frame) }

func hostSetError(_ int32, _ uint32, message string) int32 {
	host().failure = message
	return 0
}

func hostLogEnabled(level int32) int32 {
	if Level(level) >= host().LogLevel {
		return 1
	}
	return 0
}

func hostLog(level int32, message string) int32 {
	host().Logs = append(host().Logs, TestLog{Level(level), message})
	return 0
}

func hostMetric(kind int32, name string) int32 { return host().metric(kind, name) }

func hostMetricAdd(handle int32, delta int64) int32 { return host().metricAdd(handle, delta) }

func hostTime(which, _ int32) int64 {
	if which == int32(1) {
		return host().streamTime
	}
	return host().wallTime
}

func hostRandom(_ int32, p []byte) int32 { return host().random(p) }

func hostSchedule(intervalMs int64, typ int32, startMs int64) int32 {
	return host().schedule(intervalMs, typ, startMs)
}

func hostCancel(timer int32) int32 { return host().cancel(timer) }

func hostRequestCommit() int32 {
	host().Commits++
	return 0
}

func hostStateOpen(name string) int32 { return host().stateOpen(name) }

func hostStateGet(store int32, key, buf []byte) int32 { return host().state(store).get(key, buf) }

func hostStatePut(store int32, key, value []byte) int32 { return host().state(store).put(key, value) }

func hostStatePutIfAbsent(store int32, key, value, buf []byte) int32 {
	return host().state(store).putIfAbsent(key, value, buf)
}

func hostStateDelete(store int32, key, buf []byte) int32 {
	return host().state(store).delete(key, buf)
}

func hostStateGetMany(store int32, block, buf []byte) int32 {
	return host().state(store).getMany(block, buf)
}

func hostStateWriteMany(store int32, block []byte) int32 {
	return host().state(store).writeMany(block)
}

func hostIterOpen(store int32, from, to []byte, flags, limit int32) int32 {
	return host().iterOpen(store, from, to, flags, limit)
}

func hostIterNextMany(it int32, buf []byte) int32 { return host().iterNext(it, buf) }

func hostIterClose(it int32) int32 { return host().iterClose(it) }

func hostStateOpenAs(name string, kind, _ int32) int32 { return host().stateOpenAs(name, kind) }

func hostStatePutVersion(store int32, key, value []byte, timestamp int64) int64 {
	return host().state(store).putVersion(key, value, timestamp)
}

func hostIterOpenSpan(store int32, keyFrom, keyTo []byte, from, to int64, flags, limit int32) int32 {
	return host().iterOpenSpan(store, keyFrom, keyTo, from, to, flags, limit)
}

func hostOffsetGet(partition, buf []byte) int32 {
	offset, ok := host().Offsets[string(partition)]
	if !ok {
		return int32(ErrNotFound)
	}
	if len(offset) <= len(buf) {
		copy(buf, offset)
	}
	return int32(len(offset))
}

func hostHTTP(request []byte) int32 {
	h := host()
	if h.Respond == nil {
		return int32(ErrDenied)
	}
	r := new(Request)
	for len(request) > 0 {
		var k, v []byte
		k, v, request = nextPair(request)
		switch name := string(k); name {
		case "method":
			r.Method = string(v)
		case "url":
			r.URL = string(v)
		case "body":
			r.Body = append([]byte(nil), v...)
		default:
			r.Headers = append(r.Headers, name[len("header."):], string(v))
		}
	}
	resp, err := h.Respond(r)
	if err != nil {
		return int32(ErrRetry)
	}
	h.response = appendPair(nil, []byte("status"), []byte(strconv.Itoa(resp.Status)))
	for k, v := range resp.Headers.All {
		h.response = appendPair(h.response, append([]byte("header."), k...), v)
	}
	h.response = appendPair(h.response, []byte("body"), resp.Body)
	return int32(len(h.response))
}

func hostHTTPResponse(buf []byte) int32 {
	response := host().response
	if len(response) <= len(buf) {
		copy(buf, response)
	}
	return int32(len(response))
}
