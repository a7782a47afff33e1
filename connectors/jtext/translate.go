package jtext

import (
	"errors"
	"strings"
)

// posix are Java's names of character classes of US-ASCII, as ranges.
var posix = map[string]string{
	"Lower": "a-z", "Upper": "A-Z", "ASCII": `\x00-\x7F`, "Alpha": "a-zA-Z", "Digit": "0-9", "Alnum": "a-zA-Z0-9",
	"Punct": `!-/:-@\[-\x60{-~`, "Graph": "!-~", "Print": " -~", "Blank": ` \t`, "Cntrl": `\x00-\x1F\x7F`, "XDigit": "0-9a-fA-F",
	"Space": ` \t\n\x0B\f\r`,
}

// horizontal is \h.
const horizontal = ` \t\x{A0}\x{1680}\x{180E}\x{2000}-\x{200A}\x{202F}\x{205F}\x{3000}`

// translate writes what Java calls otherwise in the words of Go: \p{Lower} and its kin, \h. What would silently mean something
// else is an error.
func translate(java string) (string, error) {
	if !strings.Contains(java, `\`) && !strings.Contains(java, "&&") {
		return java, nil
	}
	var b strings.Builder
	depth := 0 // of brackets
	for i := 0; i < len(java); i++ {
		switch c := java[i]; {
		case c == '\\' && i+1 < len(java):
			n := translateEscape(&b, java[i:], depth > 0)
			i += n - 1
			continue
		case c == '[':
			depth++
		case c == ']' && depth > 0:
			depth--
		case c == '&' && depth > 0 && strings.HasPrefix(java[i:], "&&"):
			return "", errors.New("intersections of character classes (&&) are not supported; name the characters, or use a lookahead")
		}
		b.WriteByte(java[i])
	}
	return b.String(), nil
}

// translateEscape writes the escape that s begins with, and returns its length.
func translateEscape(b *strings.Builder, s string, inClass bool) int {
	if strings.HasPrefix(s, `\Q`) {
		text, _, found := strings.Cut(s[2:], `\E`)
		for _, r := range text {
			if strings.ContainsRune(`\.+*?()|[]{}^$`, r) {
				b.WriteByte('\\')
			}
			b.WriteRune(r)
		}
		if found {
			return len(text) + 4
		}
		return len(text) + 2
	}
	ranges, n := "", 2
	if s[1] == 'h' {
		ranges = horizontal
	} else if strings.HasPrefix(s, `\p{`) || strings.HasPrefix(s, `\P{`) {
		if name, _, ok := strings.Cut(s[3:], "}"); ok && posix[name] != "" {
			ranges, n = posix[name], len(name)+4
		}
	}
	switch {
	case ranges == "":
		b.WriteString(s[:2])
	case inClass && s[1] != 'P':
		b.WriteString(ranges)
	case s[1] == 'P':
		b.WriteString("[^" + ranges + "]")
	default:
		b.WriteString("[" + ranges + "]")
	}
	return n
}
