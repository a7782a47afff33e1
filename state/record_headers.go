package state

import (
	"encoding/binary"
	"errors"
)

var errHeaders = errors.New("the bytes are no record headers")

// AppendHeaders appends headers as stores with headers keep them (HeadersSerializer): nothing if there are none, else
// varint count, and for each varint length, key, varint length, value; the length of a nil value is -1. Varints are
// zig-zag.
func AppendHeaders(dst []byte, headers []Header) []byte {
	if len(headers) == 0 {
		return dst
	}
	dst = binary.AppendVarint(dst, int64(len(headers)))
	for i := range headers {
		dst = append(binary.AppendVarint(dst, int64(len(headers[i].Key))), headers[i].Key...)
		if headers[i].Value == nil {
			dst = binary.AppendVarint(dst, -1)
			continue
		}
		dst = append(binary.AppendVarint(dst, int64(len(headers[i].Value))), headers[i].Value...)
	}
	return dst
}

// DecodeHeaders is the inverse of AppendHeaders. The values point into b; empty bytes are no headers. It takes any bytes.
func DecodeHeaders(b []byte) ([]Header, error) {
	if len(b) == 0 {
		return nil, nil
	}
	count, b, err := headerLength(b)
	if err != nil || count < 0 || count > len(b) {
		return nil, errHeaders
	}
	headers := make([]Header, count)
	for i := range headers {
		var n int
		if n, b, err = headerLength(b); err != nil || n < 0 || n > len(b) {
			return nil, errHeaders
		}
		headers[i].Key, b = string(b[:n]), b[n:]
		if n, b, err = headerLength(b); err != nil || n < -1 || n > len(b) {
			return nil, errHeaders
		}
		if n >= 0 {
			headers[i].Value, b = b[:n:n], b[n:]
		}
	}
	if len(b) > 0 {
		return nil, errHeaders
	}
	return headers, nil
}

func headerLength(b []byte) (int, []byte, error) {
	v, n := binary.Varint(b)
	if n <= 0 || v < -1 || v > 1<<31-1 {
		return 0, nil, errHeaders
	}
	return int(v), b[n:], nil
}

// AppendWithHeaders appends a value of format WithHeaders: varint length of the headers, headers, value
// (AggregationWithHeadersSerializer). It has no form for a nil value: the result is dst then.
func AppendWithHeaders(dst []byte, headers []Header, value []byte) []byte {
	if value == nil {
		return dst
	}
	return append(appendHeadersHead(dst, headers), value...)
}

// AppendTimestampedWithHeaders appends a value of format TimestampedWithHeaders: varint length of the headers, headers,
// int64 timestamp, value (ValueTimestampHeadersSerializer). It has no form for a nil value: the result is dst then.
func AppendTimestampedWithHeaders(dst []byte, headers []Header, timestamp int64, value []byte) []byte {
	if value == nil {
		return dst
	}
	return AppendTimestamped(appendHeadersHead(dst, headers), timestamp, value)
}

func appendHeadersHead(dst []byte, headers []Header) []byte {
	size := 0
	if len(headers) > 0 {
		var room [256]byte
		size = len(AppendHeaders(room[:0], headers))
	}
	return AppendHeaders(binary.AppendVarint(dst, int64(size)), headers)
}

// SplitWithHeaders takes a value of format WithHeaders apart; both results point into stored. nil, and what is none, give
// a nil value.
func SplitWithHeaders(stored []byte) (headers, value []byte) {
	size, n := binary.Varint(stored)
	if n <= 0 || size < 0 || size > int64(len(stored)-n) {
		return nil, nil
	}
	return stored[n : n+int(size)], stored[n+int(size):]
}

// SplitTimestampedWithHeaders takes a value of format TimestampedWithHeaders apart; headers and value point into stored.
// nil, and what is none, give a nil value and TimestampUnknown.
func SplitTimestampedWithHeaders(stored []byte) (headers, value []byte, timestamp int64) {
	headers, rest := SplitWithHeaders(stored)
	value, timestamp = SplitTimestamped(rest)
	return headers, value, timestamp
}
