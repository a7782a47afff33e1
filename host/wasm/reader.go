package wasm

import (
	"fmt"
	"unicode/utf8"
)

// reader walks over bytes and remembers the first fault. After a fault it reads zeros and stands still, so that callers
// check once at the end of what belongs together.
type reader struct {
	b    []byte
	pos  int
	end  int
	bad  string // the first fault, "" while there is none
	badA int    // where it was found
}

func (r *reader) fail(what string) {
	if r.bad == "" {
		r.bad, r.badA = what, r.pos
		r.end = r.pos
	}
}

func (r *reader) left() int { return r.end - r.pos }

func (r *reader) byte() byte {
	if r.pos >= r.end {
		r.fail("ends too early")
		return 0
	}
	b := r.b[r.pos]
	r.pos++
	return b
}

func (r *reader) skip(n int) {
	if n > r.left() {
		r.fail("ends too early")
		return
	}
	r.pos += n
}

// bytes returns the next n bytes, a view.
func (r *reader) bytes(n int) []byte {
	start := r.pos
	r.skip(n)
	if r.bad != "" {
		return nil
	}
	return r.b[start:r.pos]
}

// u32 reads an unsigned LEB128 of at most 5 bytes.
func (r *reader) u32() uint32 {
	if r.pos < r.end && r.b[r.pos] < 0x80 { // nearly always
		r.pos++
		return uint32(r.b[r.pos-1])
	}
	var v uint32
	for shift := 0; shift < 35; shift += 7 {
		b := r.byte()
		if shift == 28 && b > 0x0f {
			r.fail("a number has more than 32 bits")
			return 0
		}
		v |= uint32(b&0x7f) << shift
		if b < 0x80 {
			return v
		}
	}
	return 0
}

// signed reads a signed LEB128 of at most n bits (32, 33 or 64).
func (r *reader) signed(n int) int64 {
	var v int64
	for shift := 0; ; shift += 7 {
		b := r.byte()
		v |= int64(b&0x7f) << shift
		if shift+7 >= n {
			return r.lastSigned(v, b, shift, n)
		}
		if b < 0x80 {
			return v << (57 - shift) >> (57 - shift)
		}
	}
}

// lastSigned checks the last byte that a number of n bits can have: its unused bits repeat the sign.
func (r *reader) lastSigned(v int64, b byte, shift, n int) int64 {
	used := n - shift
	rest := int8(b<<1) >> used // sign bit and what lies above it
	if b >= 0x80 || (rest != 0 && rest != -1) {
		r.fail("a number has too many bits")
		return 0
	}
	if shift+7 < 64 {
		return v << (57 - shift) >> (57 - shift)
	}
	return v
}

// count reads the length of a vector. No vector is longer than the bytes that are left, so nothing can be made to
// allocate more than its module's size; limit is a bound of ours, what names the items.
func (r *reader) count(limit int, what string) int {
	n := r.u32()
	if int64(n) > int64(r.left()) {
		r.fail("a vector of " + what + " is longer than what is left of the module")
		return 0
	}
	if int64(n) > int64(limit) {
		r.fail(tooMany(what, n, limit))
		return 0
	}
	return int(n)
}

// tooMany is a fault that m.fault takes for a limit.
func tooMany(what string, n uint32, limit int) string {
	return fmt.Sprintf("too many %s (got %d, at most %d)", what, n, limit)
}

// name reads a vector of bytes that is UTF-8.
func (r *reader) name() string {
	b := r.bytes(r.count(maxNameBytes, "bytes of a name"))
	if !utf8.Valid(b) {
		r.fail("a name is not UTF-8")
		return ""
	}
	return string(b)
}

func appendU32(dst []byte, v uint32) []byte {
	for v >= 0x80 {
		dst = append(dst, byte(v)|0x80)
		v >>= 7
	}
	return append(dst, byte(v))
}

func appendS64(dst []byte, v int64) []byte {
	for {
		b := byte(v & 0x7f)
		v >>= 7
		if v == 0 && b&0x40 == 0 || v == -1 && b&0x40 != 0 {
			return append(dst, b)
		}
		dst = append(dst, b|0x80)
	}
}

func appendName(dst []byte, s string) []byte {
	return append(appendU32(dst, uint32(len(s))), s...)
}
