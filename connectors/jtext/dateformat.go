// Package jtext does with text what Java does: SimpleDateFormat and java.util.regex, which Connect's settings are written in.
//
// It covers what such settings use, in English and UTC, and says so where a pattern asks for more.
package jtext

import (
	"fmt"
	"strings"
	"time"
)

// DateFormat is a java.text.SimpleDateFormat in English and UTC, lenient as Java's is by default. It is immutable.
type DateFormat struct {
	pattern string
	fields  []dateField
	// centuryStart is the first year that two digits can mean.
	centuryStart int
}

// dateField is a run of one pattern letter, or literal text where letter is 0.
type dateField struct {
	letter byte
	width  int
	text   string
	// abutting says that the next field is a number too: this one reads width digits and no more.
	abutting bool
}

// NewDateFormat compiles a pattern.
func NewDateFormat(pattern string) (*DateFormat, error) {
	f := &DateFormat{pattern: pattern, centuryStart: time.Now().UTC().Year() - 80}
	for i := 0; i < len(pattern); {
		c := pattern[i]
		switch {
		case c == '\'':
			text, n, err := quoted(pattern[i:])
			if err != nil {
				return nil, err
			}
			f.literal(text)
			i += n
		case isLetter(c):
			n := 1
			for i+n < len(pattern) && pattern[i+n] == c {
				n++
			}
			if strings.IndexByte("GyYMLwWDdFEuaHkKhmsSzZX", c) < 0 {
				return nil, fmt.Errorf("illegal pattern character '%c'", c)
			}
			if c == 'X' && n > 3 {
				return nil, fmt.Errorf("invalid ISO 8601 format: length=%d", n)
			}
			f.fields = append(f.fields, dateField{letter: c, width: n})
			i += n
		default:
			f.literal(string(c))
			i++
		}
	}
	for i := range f.fields[:max(0, len(f.fields)-1)] {
		f.fields[i].abutting = f.fields[i].isNumber() && f.fields[i+1].isNumber()
	}
	return f, nil
}

// MustDateFormat is NewDateFormat for patterns that are part of the program.
func MustDateFormat(pattern string) *DateFormat {
	f, err := NewDateFormat(pattern)
	if err != nil {
		panic(err)
	}
	return f
}

// Pattern is the pattern.
func (f *DateFormat) Pattern() string { return f.pattern }

func (f *DateFormat) literal(text string) {
	if n := len(f.fields); n > 0 && f.fields[n-1].letter == 0 {
		f.fields[n-1].text += text
		return
	}
	f.fields = append(f.fields, dateField{text: text})
}

// quoted reads 'text', with ” for a quote, and the empty quotes that are a quote themselves.
func quoted(s string) (string, int, error) {
	if strings.HasPrefix(s, "''") {
		return "'", 2, nil
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		if s[i] != '\'' {
			b.WriteByte(s[i])
			continue
		}
		if i+1 < len(s) && s[i+1] == '\'' {
			b.WriteByte('\'')
			i++
			continue
		}
		return b.String(), i + 1, nil
	}
	return "", 0, fmt.Errorf("unterminated quote")
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

func (d dateField) isNumber() bool {
	switch d.letter {
	case 0, 'G', 'E', 'a', 'z', 'Z', 'X':
		return false
	case 'M', 'L':
		return d.width <= 2
	}
	return true
}

// Format is the text of an instant in milliseconds since the epoch.
func (f *DateFormat) Format(ms int64) string { return string(f.Append(nil, ms)) }

// Append appends the text of an instant.
func (f *DateFormat) Append(dst []byte, ms int64) []byte {
	t := time.UnixMilli(ms).UTC()
	for _, d := range f.fields {
		dst = d.append(dst, t)
	}
	return dst
}

func (d dateField) append(dst []byte, t time.Time) []byte {
	switch d.letter {
	case 0:
		return append(dst, d.text...)
	case 'G':
		if t.Year() <= 0 {
			return append(dst, "BC"...)
		}
		return append(dst, "AD"...)
	case 'y', 'Y':
		return d.appendYear(dst, t)
	case 'M', 'L':
		return d.appendMonth(dst, t)
	case 'E':
		if d.width >= 4 {
			return append(dst, t.Weekday().String()...)
		}
		return append(dst, t.Weekday().String()[:3]...)
	case 'a':
		if t.Hour() < 12 {
			return append(dst, "AM"...)
		}
		return append(dst, "PM"...)
	case 'z':
		if d.width >= 4 {
			return append(dst, "Coordinated Universal Time"...)
		}
		return append(dst, "UTC"...)
	case 'Z':
		return append(dst, "+0000"...)
	case 'X':
		return append(dst, 'Z')
	}
	return padInt(dst, d.number(t), d.width)
}

func (d dateField) appendYear(dst []byte, t time.Time) []byte {
	year := t.Year()
	if d.letter == 'Y' {
		year = weekYear(t)
	}
	if year <= 0 {
		year = 1 - year
	}
	if d.width == 2 {
		return padInt(dst, year%100, 2)
	}
	return padInt(dst, year, d.width)
}

func (d dateField) appendMonth(dst []byte, t time.Time) []byte {
	switch {
	case d.width >= 4:
		return append(dst, t.Month().String()...)
	case d.width == 3:
		return append(dst, t.Month().String()[:3]...)
	}
	return padInt(dst, int(t.Month()), d.width)
}

func (d dateField) number(t time.Time) int {
	switch d.letter {
	case 'd':
		return t.Day()
	case 'D':
		return t.YearDay()
	case 'F':
		return (t.Day()-1)/7 + 1
	case 'w':
		return weekOfYear(t)
	case 'W':
		return weekOfMonth(t)
	case 'u':
		return (int(t.Weekday())+6)%7 + 1
	case 'H':
		return t.Hour()
	case 'k':
		return (t.Hour()+23)%24 + 1
	case 'K':
		return t.Hour() % 12
	case 'h':
		return (t.Hour()+11)%12 + 1
	case 'm':
		return t.Minute()
	case 's':
		return t.Second()
	}
	return t.Nanosecond() / int(time.Millisecond)
}

// Weeks are those of the United States: they begin on Sunday, and the first holds January 1st.

func weekYear(t time.Time) int {
	saturday := t.AddDate(0, 0, 6-int(t.Weekday()))
	return saturday.Year()
}

func weekOfYear(t time.Time) int {
	saturday := t.AddDate(0, 0, 6-int(t.Weekday()))
	return (saturday.YearDay()-1)/7 + 1
}

func weekOfMonth(t time.Time) int {
	first := time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
	return (t.Day()+int(first.Weekday())-1)/7 + 1
}

func padInt(dst []byte, n, width int) []byte {
	return fmt.Appendf(dst, "%0*d", width, n)
}
