package config

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// ParseProperties reads a Java properties file in UTF-8: key=value, key:value or key value, comments with # or !, long lines
// continued by a backslash, escapes \t \n \r \f \uXXXX. It never fails; odd escapes stand for themselves.
func ParseProperties(text string) map[string]string {
	out := map[string]string{}
	for text != "" {
		var line string
		line, text = logicalLine(text)
		if line == "" {
			continue
		}
		key, value := splitProperty(line)
		out[unescape(key)] = unescape(value)
	}
	return out
}

// logicalLine joins continued lines and drops comments.
func logicalLine(text string) (line, rest string) {
	var b strings.Builder
	for {
		n := strings.IndexAny(text, "\r\n")
		natural := text
		rest = ""
		if n >= 0 {
			natural, rest = text[:n], text[n+1:]
			if text[n] == '\r' {
				rest = strings.TrimPrefix(rest, "\n")
			}
		}
		natural = strings.TrimLeft(natural, " \t\f")
		if b.Len() == 0 && (natural == "" || natural[0] == '#' || natural[0] == '!') {
			return "", rest
		}
		if backslashes(natural)%2 == 0 || rest == "" {
			b.WriteString(natural)
			return b.String(), rest
		}
		b.WriteString(natural[:len(natural)-1])
		text = rest
	}
}

// backslashes counts those at the end.
func backslashes(s string) int { return len(s) - len(strings.TrimRight(s, `\`)) }

func splitProperty(line string) (key, value string) {
	i := 0
	for ; i < len(line); i++ {
		if line[i] == '\\' {
			i++
			continue
		}
		if strings.IndexByte("=: \t\f", line[i]) >= 0 {
			break
		}
	}
	i = min(i, len(line))
	value = strings.TrimLeft(line[i:], " \t\f")
	if value != "" && (value[0] == '=' || value[0] == ':') {
		value = strings.TrimLeft(value[1:], " \t\f")
	}
	return line[:i], value
}

func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			if s[i] != '\\' {
				b.WriteByte(s[i])
			}
			continue
		}
		i++
		switch s[i] {
		case 't':
			b.WriteByte('\t')
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 'f':
			b.WriteByte('\f')
		case 'u':
			if i+5 <= len(s) {
				if n, err := strconv.ParseUint(s[i+1:i+5], 16, 32); err == nil {
					b.Write(utf8.AppendRune(nil, rune(n)))
					i += 4
					continue
				}
			}
			b.WriteByte('u')
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}
