package json

import "unicode/utf8"

// hasEscape tells whether there is a backslash in s, the inside of a string.
func hasEscape(s []byte) bool {
	for _, c := range s {
		if c == '\\' {
			return true
		}
	}
	return false
}

// sameText tells whether s, the sound inside of a string, has this text.
func sameText(s []byte, text string) bool {
	if !hasEscape(s) {
		return string(s) == text
	}
	var buf [4]byte
	n := 0
	for i := 0; i < len(s); {
		one := s[i : i+1]
		if s[i] == '\\' {
			one, i = unescapeOne(buf[:0], s, i)
		} else {
			i++
		}
		if len(text)-n < len(one) || text[n:n+len(one)] != string(one) {
			return false
		}
		n += len(one)
	}
	return n == len(text)
}

// unescape appends the text of s, the sound inside of a string.
func unescape(dst, s []byte) []byte {
	for i := 0; i < len(s); {
		if s[i] != '\\' {
			dst = append(dst, s[i])
			i++
			continue
		}
		dst, i = unescapeOne(dst, s, i)
	}
	return dst
}

// unescapeOne appends the text of the escape at s[i] and returns where it ends. Half of a surrogate pair is U+FFFD.
func unescapeOne(dst, s []byte, i int) ([]byte, int) {
	switch c := s[i+1]; c {
	case 'b':
		return append(dst, '\b'), i + 2
	case 'f':
		return append(dst, '\f'), i + 2
	case 'n':
		return append(dst, '\n'), i + 2
	case 'r':
		return append(dst, '\r'), i + 2
	case 't':
		return append(dst, '\t'), i + 2
	case 'u':
	default:
		return append(dst, c), i + 2
	}
	r := hex4(s, i+2)
	i += 6
	if r >= 0xD800 && r < 0xDC00 && len(s)-i >= 6 && s[i] == '\\' && s[i+1] == 'u' {
		if low := hex4(s, i+2); low >= 0xDC00 && low < 0xE000 {
			r, i = 0x10000+(r-0xD800)<<10+(low-0xDC00), i+6
		}
	}
	return utf8.AppendRune(dst, r), i
}

func hex4(s []byte, i int) rune {
	var r rune
	for _, c := range s[i : i+4] {
		d := rune(c) - '0'
		if c > '9' {
			d = rune(c|0x20) - 'a' + 10
		}
		r = r<<4 | d
	}
	return r
}

// appendQuoted appends text as a JSON string. Bytes that are not UTF-8 become U+FFFD, so that the result is JSON.
func appendQuoted[T ~string | ~[]byte](dst []byte, text T) []byte {
	dst = append(dst, '"')
	plain := 0
	for plain < len(text) && text[plain]-0x20 < utf8.RuneSelf-0x20 && text[plain] != '"' && text[plain] != '\\' {
		plain++
	}
	dst = append(dst, text[:plain]...)
	for i := plain; i < len(text); {
		c := text[i]
		if c < utf8.RuneSelf {
			dst = appendQuotedByte(dst, c)
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(string(text[i:min(i+utf8.UTFMax, len(text))]))
		dst = utf8.AppendRune(dst, r)
		i += n
	}
	return append(dst, '"')
}

func appendQuotedByte(dst []byte, c byte) []byte {
	const hex = "0123456789ABCDEF"
	switch {
	case c >= 0x20 && c != '"' && c != '\\':
		return append(dst, c)
	case c == '"' || c == '\\':
		return append(dst, '\\', c)
	case c == '\b':
		return append(dst, `\b`...)
	case c == '\f':
		return append(dst, `\f`...)
	case c == '\n':
		return append(dst, `\n`...)
	case c == '\r':
		return append(dst, `\r`...)
	case c == '\t':
		return append(dst, `\t`...)
	}
	return append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
}
