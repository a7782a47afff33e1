package json

import (
	"math/bits"
	"unicode/utf8"
	"unsafe"
)

// Parse checks data and finds the fields in it. data is borrowed, and must not change, until the next Parse. The error
// is a SyntaxError; the Doc is then empty: all fields are missing.
func (d *Doc) Parse(data []byte) error {
	d.data, d.edited = data, false
	d.reset()
	if at := d.scan(data); at >= 0 {
		d.data = nil
		d.reset()
		return SyntaxError(at)
	}
	return nil
}

func (d *Doc) reset() {
	for i := range d.spans {
		s := &d.spans[i] // the rest counts only where one of these is set
		s.kind, s.parentKind = Missing, Missing
	}
	d.depth, d.mask = 0, 1<<len(d.paths)-1
}

// scan goes over the document once and returns none, or where it is not JSON.
func (d *Doc) scan(b []byte) int {
	i, inside := skipSpace(b, 0), false
	for {
		at, whole := i, false
		if inside { // i is at a member, not at a value
			if i, whole = d.members(b, i); !whole {
				if at, i = i, d.enter(b, i); i < 0 {
					return at
				}
			}
		}
		if !whole {
			if i == len(b) {
				return i
			}
			at = i
			if i, inside = d.value(b, i); i < 0 {
				return at
			}
			if inside {
				continue
			}
		}
		if i, inside = d.leave(b, i); !inside {
			if i == len(b) {
				return none
			}
			return i
		}
	}
}

// value goes over the scalar or the empty container at b[i], or inside of the container that begins there, to its
// first member. end is none for what is not a value.
func (d *Doc) value(b []byte, i int) (end int, inside bool) {
	c := b[i]
	if c != '{' && c != '[' {
		return skipScalar(b, i), false
	}
	if d.depth == MaxNesting {
		return none, false
	}
	d.open(c, i)
	if i = skipSpace(b, i+1); i == len(b) {
		return none, false
	}
	if b[i] != c+2 { // the closing brackets lie two behind the opening ones
		return i, true
	}
	d.close(i)
	return i + 1, false
}

func (d *Doc) inObject() bool { return d.object[d.depth>>6]>>(d.depth&63)&1 != 0 }

// top is the level of the innermost container, nil if no path leads there.
func (d *Doc) top() *level {
	if d.depth < len(d.levels) {
		if l := &d.levels[d.depth]; l.mask != 0 {
			return l
		}
	}
	return nil
}

// open enters the container that begins at i.
func (d *Doc) open(bracket byte, i int) {
	d.depth++
	kind := Array
	d.object[d.depth>>6] &^= 1 << (d.depth & 63)
	if bracket == '{' {
		kind = Object
		d.object[d.depth>>6] |= 1 << (d.depth & 63)
	}
	if d.depth < len(d.levels) {
		d.levels[d.depth] = level{mask: d.mask, start: i, kind: kind, comma: none}
	}
}

// close leaves the container whose closing bracket is at i. Fields that should be in it and are not could be added
// here.
func (d *Doc) close(i int) {
	if l := d.top(); l != nil {
		for m := l.mask &^ l.matched; m != 0; m &= m - 1 {
			f := bits.TrailingZeros64(m)
			if len(d.paths[f]) == d.depth {
				s := &d.spans[f]
				s.parent, s.parentKind, s.parentEnd, s.siblings = l.start, l.kind, i, l.members
			}
		}
	}
	d.depth--
}

// members goes over members of an object that are written plainly - no white space, no escapes, ASCII, the value a
// string or a number. It returns the start of the first one that is not, or (whole) the end of the last one of the
// object. What it leaves is for the general way; this one is the same in one piece, since calls and branches are what
// costs in Go's wasm.
func (d *Doc) members(b []byte, start int) (next int, whole bool) {
	if !d.inObject() {
		return start, false
	}
	l := d.top()
	for {
		// The shortest member, "":0, and 8 bytes to look at it.
		if len(b)-start < 13 || b[start] != '"' {
			return start, false
		}
		key := start + 1
		s := special(load8(b, key))
		k := key + bits.TrailingZeros64(s)>>3
		if s == 0 {
			if k = plainEnd(b, k); k < 0 {
				return start, false
			}
		}
		if len(b)-k < 11 || b[k] != '"' || b[k+1] != ':' {
			return start, false
		}
		value := k + 2
		end := value + 1
		if c := b[value]; c == '"' {
			if end = plainEnd(b, end); end < 0 || b[end] != '"' {
				return start, false
			}
			end++
		} else if c > '9' || c < '-' {
			return start, false
		} else if end = skipNumber(b, value); end < 0 {
			return start, false
		}
		if end >= len(b) || b[end] != ',' && b[end] != '}' {
			return start, false
		}
		if l != nil {
			if l.matched != l.mask && d.sieve[d.depth]&sieveBit(headOf(b, key, k)) != 0 {
				d.plainMember(l, b, key, k, end)
			}
			l.members++
		}
		if b[end] == '}' {
			return end, true
		}
		if l != nil {
			l.comma = end
		}
		if start = end + 1; start < len(b) && b[start] <= ' ' {
			return skipSpace(b, start), false
		}
	}
}

// plainMember notes the fields that a plain member is. One that a path leads through is no object, so that the path
// ends there.
func (d *Doc) plainMember(l *level, b []byte, key, keyEnd, end int) {
	value := keyEnd + 2
	for m := d.candidates(l, b, key, keyEnd, false); m != 0; m &= m - 1 {
		f := bits.TrailingZeros64(m)
		d.found(l, f, key-1, value, b[value])
		d.spans[f].end = end
	}
	l.leaves = 0
}

// plainEnd returns the first byte from b[i] on that is a quote or special in strings, or none near the end of b.
func plainEnd(b []byte, i int) int {
	for ; len(b)-i >= 8; i += 8 {
		if s := special(load8(b, i)); s != 0 {
			return i + bits.TrailingZeros64(s)>>3
		}
	}
	return none
}

// sieveBit is one bit for a key, by its first 8 bytes.
func sieveBit(head uint64) uint64 { return 1 << (head * 0x9E3779B97F4A7C15 >> 58) }

// enter goes from the start of a member to its value; negative if it is not one.
func (d *Doc) enter(b []byte, start int) int {
	i, keyEnd := start, start
	escaped := false
	if d.inObject() {
		if i, escaped = skipString(b, i); i < 0 {
			return none
		}
		keyEnd = i - 1
		if i == len(b) || b[i] != ':' {
			if i = skipSpace(b, i); i == len(b) || b[i] != ':' {
				return none
			}
		}
		if i++; i < len(b) && b[i] <= ' ' {
			i = skipSpace(b, i)
		}
	}
	d.mask = 0
	if i == len(b) {
		return none
	}
	if l := d.top(); l != nil {
		if l.matched != l.mask {
			for m := d.candidates(l, b, start+1, keyEnd, escaped); m != 0; m &= m - 1 {
				d.found(l, bits.TrailingZeros64(m), start, i, b[i])
			}
		}
		l.members++
	}
	return i
}

// candidates are the fields of a level whose next key is b[from:to], or in arrays the number of the member.
func (d *Doc) candidates(l *level, b []byte, from, to int, escaped bool) (matching uint64) {
	inArray := to < from // elements have no key
	wants := d.wants[d.depth]
	var head uint64
	if !inArray {
		head = headOf(b, from, to)
	}
	for m := l.mask &^ l.matched; m != 0; m &= m - 1 {
		f := bits.TrailingZeros64(m)
		w := &wants[f]
		var same bool
		switch {
		case inArray:
			same = isIndex(w.key, l.members)
		case escaped:
			same = sameText(b[from:to], w.key)
		default:
			same = w.head == head && len(w.key) == to-from && (to-from <= 8 || string(b[from:to]) == w.key)
		}
		if same {
			matching |= 1 << f
		}
	}
	return matching
}

// headOf is the first 8 bytes of b[from:to], the first one lowest, with zeros behind the end.
func headOf(b []byte, from, to int) uint64 {
	n := to - from
	if len(b)-from >= 8 {
		v := load8(b, from)
		if n < 8 {
			v &= 1<<(8*n) - 1
		}
		return v
	}
	var v uint64
	for i := to - 1; i >= from; i-- {
		v = v<<8 | uint64(b[i])
	}
	return v
}

// found notes that the member at start is the field f, or leads to it.
func (d *Doc) found(l *level, f, start, value int, first byte) {
	bit := uint64(1) << f
	l.matched |= bit
	if len(d.paths[f]) > d.depth {
		d.mask |= bit
		return
	}
	l.leaves |= bit
	s := &d.spans[f]
	s.kind, s.start, s.value, s.comma, s.parent = kindOf(first), start, value, l.comma, l.start
}

// leave goes on behind a value, over a comma or closing brackets, to the next member (more) or behind the last one.
func (d *Doc) leave(b []byte, i int) (next int, more bool) {
	for d.depth > 0 {
		l := d.top()
		if l != nil && l.leaves != 0 {
			for m := l.leaves; m != 0; m &= m - 1 {
				d.spans[bits.TrailingZeros64(m)].end = i
			}
			l.leaves = 0
		}
		if i < len(b) && b[i] <= ' ' {
			i = skipSpace(b, i)
		}
		if i >= len(b) {
			return cutOff(i), false
		}
		if b[i] == ',' {
			if l != nil {
				l.comma = i
			}
			if i++; i < len(b) && b[i] <= ' ' {
				i = skipSpace(b, i)
			}
			return i, true
		}
		if d.inObject() && b[i] != '}' || !d.inObject() && b[i] != ']' {
			return i, false
		}
		d.close(i)
		i++
	}
	return skipSpace(b, i), false
}

// cutOff is the fault of a document that ends at i too early. It must differ from the end of a whole one.
func cutOff(i int) int { return i - 1 }

// isIndex tells whether key is n in decimal.
func isIndex(key string, n int) bool {
	i := len(key)
	for {
		i--
		if i < 0 || key[i] != byte('0'+n%10) {
			return false
		}
		if n /= 10; n == 0 {
			return i == 0
		}
	}
}

func kindOf(first byte) Kind {
	switch first {
	case '{':
		return Object
	case '[':
		return Array
	case '"':
		return String
	case 't', 'f':
		return Bool
	case 'n':
		return Null
	}
	return Number
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && b[i] <= ' ' && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// skipScalar returns the end of the string, number or word at b[i], or none.
func skipScalar(b []byte, i int) int {
	switch b[i] {
	case '"':
		end, _ := skipString(b, i)
		return end
	case 't':
		return skipWord(b, i, "true")
	case 'f':
		return skipWord(b, i, "false")
	case 'n':
		return skipWord(b, i, "null")
	}
	return skipNumber(b, i)
}

func skipWord(b []byte, i int, word string) int {
	if len(b)-i < len(word) || string(b[i:i+len(word)]) != word {
		return none
	}
	return i + len(word)
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// special has a high bit set if one of the 8 bytes of v is a quote, a backslash, below 0x20 or above 0x7F. The lowest
// set bit is that of the first such byte; those above it may be set without need.
func special(v uint64) uint64 {
	quote, slash := v^ones*'"', v^ones*'\\'
	return (v | (v - ones*0x20) | (quote - ones) | (slash - ones)) & highs
}

// load8 reads the 8 bytes from b[i] on, the first one lowest. They lie within b.
func load8(b []byte, i int) uint64 {
	return *(*uint64)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(b)), i))
}

// skipString returns the end of the string whose quote should be at b[i], or none, and whether there are escapes in
// it. Most strings end at the first byte that is special.
func skipString(b []byte, i int) (end int, escaped bool) {
	if i >= len(b) || b[i] != '"' {
		return none, false
	}
	for i++; len(b)-i >= 8; i += 8 {
		if s := special(load8(b, i)); s != 0 {
			i += bits.TrailingZeros64(s) >> 3
			if b[i] == '"' {
				return i + 1, false
			}
			break
		}
	}
	return skipRest(b, i)
}

// skipRest is skipString from inside of a string on.
func skipRest(b []byte, i int) (end int, escaped bool) {
	for i < len(b) {
		switch c := b[i]; {
		case c == '"':
			return i + 1, escaped
		case c == '\\':
			escaped = true
			if i = skipEscape(b, i); i < 0 {
				return none, false
			}
		case c >= utf8.RuneSelf:
			r, n := utf8.DecodeRune(b[i:])
			if r == utf8.RuneError && n == 1 {
				return none, false
			}
			i += n
		case c < 0x20:
			return none, false
		default:
			i++
		}
		for len(b)-i >= 8 {
			s := special(load8(b, i))
			i += bits.TrailingZeros64(s) >> 3 // 8 where nothing is special
			if s != 0 {
				break
			}
		}
	}
	return none, false
}

// skipEscape returns the end of the escape at b[i], or none.
func skipEscape(b []byte, i int) int {
	if len(b)-i < 2 {
		return none
	}
	switch b[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 2
	case 'u':
		if len(b)-i >= 6 && isHex(b[i+2]) && isHex(b[i+3]) && isHex(b[i+4]) && isHex(b[i+5]) {
			return i + 6
		}
	}
	return none
}

func isHex(c byte) bool { return c-'0' < 10 || c|0x20-'a' < 6 }

// skipNumber returns the end of the number at b[i], or none.
func skipNumber(b []byte, i int) int {
	if b[i] == '-' {
		i++
	}
	start := i
	if i = skipDigits(b, i); i == start || b[start] == '0' && i > start+1 {
		return none
	}
	if i < len(b) && b[i] == '.' {
		start = i + 1
		if i = skipDigits(b, start); i == start {
			return none
		}
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		start = i
		if i = skipDigits(b, i); i == start {
			return none
		}
	}
	return i
}

func skipDigits(b []byte, i int) int {
	for len(b)-i >= 8 {
		// Bytes that are no digit get their high bit; a carry out of one only reaches those behind it.
		x := load8(b, i) ^ ones*'0'
		x |= x + ones*0x76
		x &= highs
		i += bits.TrailingZeros64(x) >> 3
		if x != 0 {
			return i
		}
	}
	for i < len(b) && b[i]-'0' < 10 {
		i++
	}
	return i
}
