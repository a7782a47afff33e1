package topology

const replacement = "�"

// appendJavaUTF8 appends data as Java's new String(data, UTF_8).getBytes(UTF_8) gives it: each malformed part becomes
// one U+FFFD. What counts as one part is Java's own rule (JDK 11 to 25): the longest prefix of a valid sequence, but
// an encoded surrogate (ED A0..BF xx) whole.
func appendJavaUTF8(dst, data []byte) []byte {
	for len(data) > 0 {
		n, ok := javaSequence(data)
		if ok {
			dst = append(dst, data[:n]...)
		} else {
			dst = append(dst, replacement...)
		}
		data = data[n:]
	}
	return dst
}

// javaSequence returns the length of the sequence or malformed part at the start of b, which is not empty.
func javaSequence(b []byte) (n int, ok bool) {
	switch c := b[0]; {
	case c < 0x80:
		return 1, true
	case c >= 0xc2 && c <= 0xdf:
		return sequence(b, 2, 0x80, 0xbf)
	case c == 0xe0:
		return sequence(b, 3, 0xa0, 0xbf)
	case c == 0xed:
		n, ok = sequence(b, 3, 0x80, 0xbf)
		return n, ok && b[1] < 0xa0
	case c >= 0xe1 && c <= 0xef:
		return sequence(b, 3, 0x80, 0xbf)
	case c == 0xf0:
		return sequence(b, 4, 0x90, 0xbf)
	case c >= 0xf1 && c <= 0xf3:
		return sequence(b, 4, 0x80, 0xbf)
	case c == 0xf4:
		return sequence(b, 4, 0x80, 0x8f)
	}
	return 1, false
}

// sequence reads a sequence of size bytes whose second byte lies in lo..hi; if it is broken, n is the valid prefix.
func sequence(b []byte, size int, lo, hi byte) (n int, ok bool) {
	for i := 1; i < size; i++ {
		if i >= len(b) || b[i] < lo || b[i] > hi {
			return i, false
		}
		lo, hi = 0x80, 0xbf
	}
	return size, true
}
