package jtext

import (
	"fmt"
	"strings"
	"time"
)

// parsed are the fields of a date while it is read; what was not given is that of the epoch.
type parsed struct {
	year, month, day      int
	hour, minute, sec, ms int
	yearDay, week         int
	weekday               int // 1 is Sunday; 0 if not given
	hour12, pm            int // -1 if not given
	bc                    bool
	hasMonthOrDay         bool
	zone                  int // seconds east
}

// Parse reads an instant in milliseconds since the epoch from the beginning of s, as SimpleDateFormat.parse(String).
func (f *DateFormat) Parse(s string) (int64, error) {
	p := parsed{year: 1970, month: 1, day: 1, hour12: -1, pm: -1}
	rest := s
	for i := range f.fields {
		next, ok := f.parseField(&p, f.fields[i:], rest)
		if !ok {
			return 0, fmt.Errorf("unparseable date: %q", s)
		}
		rest = next
	}
	return p.millis(), nil
}

// parseField reads the first of fields from s.
func (f *DateFormat) parseField(p *parsed, fields []dateField, s string) (string, bool) {
	d := fields[0]
	if d.letter == 0 {
		return strings.CutPrefix(s, d.text)
	}
	s = strings.TrimLeft(s, " \t")
	switch d.letter {
	case 'G':
		i, rest, ok := oneOf(s, []string{"BC", "AD"})
		p.bc = ok && i == 0
		return rest, ok
	case 'E':
		i, rest, ok := oneOf(s, weekdayNames)
		p.weekday = i%7 + 1
		return rest, ok
	case 'a':
		i, rest, ok := oneOf(s, []string{"AM", "PM"})
		p.pm = i
		return rest, ok
	case 'z', 'Z', 'X':
		return p.parseZone(s, d.letter == 'X')
	case 'M', 'L':
		p.hasMonthOrDay = true
		if d.width >= 3 {
			i, rest, ok := oneOf(s, monthNames)
			p.month = i%12 + 1
			return rest, ok
		}
	}
	digits := 0
	if d.abutting {
		digits = d.width
	}
	n, used, ok := number(s, digits)
	if !ok {
		return s, false
	}
	f.set(p, d, n, used)
	return s[used:], true
}

func (f *DateFormat) set(p *parsed, d dateField, n, used int) {
	switch d.letter {
	case 'y', 'Y':
		if d.width <= 2 && used == 2 && n >= 0 {
			century := f.centuryStart - f.centuryStart%100
			if n < f.centuryStart%100 {
				century += 100
			}
			n += century
		}
		p.year = n
	case 'M', 'L':
		p.month = n
	case 'd':
		p.day, p.hasMonthOrDay = n, true
	case 'D':
		p.yearDay = n
	case 'w', 'W', 'F':
		p.week = n
	case 'u':
		p.weekday = n%7 + 1
	case 'H':
		p.hour = n
	case 'k':
		p.hour = n % 24
	case 'h':
		p.hour12 = n % 12
	case 'K':
		p.hour12 = n
	case 'm':
		p.minute = n
	case 's':
		p.sec = n
	case 'S':
		p.ms = n
	}
}

func (p *parsed) millis() int64 {
	hour := p.hour
	if p.hour12 >= 0 {
		hour = p.hour12 + 12*max(p.pm, 0)
	}
	year := p.year
	if p.bc {
		year = 1 - year
	}
	month, day := p.month, p.day
	switch {
	case p.yearDay > 0 && !p.hasMonthOrDay:
		month, day = 1, p.yearDay
	case p.week > 0 && !p.hasMonthOrDay:
		first := time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)
		month, day = 1, 7*(p.week-1)+1-int(first.Weekday())+max(p.weekday, 1)-1
	}
	t := time.Date(year, time.Month(month), day, hour, p.minute, p.sec, 0, time.UTC)
	return (t.Unix()-int64(p.zone))*1000 + int64(p.ms)
}

var monthNames = []string{
	"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
	"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
}

var weekdayNames = []string{
	"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday",
	"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat",
}

// oneOf finds the first name that s begins with, in any case.
func oneOf(s string, names []string) (int, string, bool) {
	for i, n := range names {
		if len(s) >= len(n) && strings.EqualFold(s[:len(n)], n) {
			return i, s[len(n):], true
		}
	}
	return 0, s, false
}

// number reads an integer of at most limit digits, of any number if limit is 0.
func number(s string, limit int) (n, used int, ok bool) {
	neg := false
	i := 0
	if limit == 0 && strings.HasPrefix(s, "-") {
		neg, i = true, 1
	}
	for start := i; i < len(s) && s[i] >= '0' && s[i] <= '9' && (limit == 0 || i-start < limit); i++ {
		if n = n*10 + int(s[i]-'0'); n > 1<<31 {
			return 0, 0, false
		}
		ok = true
	}
	if neg {
		n = -n
	}
	return n, i, ok && (limit == 0 || i == limit)
}

// zoneHours are abbreviations that 'z' reads, in seconds east.
var zoneHours = map[string]int{
	"UTC": 0, "GMT": 0, "UT": 0, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7,
	"CET": 1, "CEST": 2, "MET": 1, "MEST": 2, "EET": 2, "EEST": 3, "WET": 0, "WEST": 1, "BST": 1, "MSK": 3, "JST": 9,
	"AKST": -9, "AKDT": -8, "HST": -10,
}

func (p *parsed) parseZone(s string, iso bool) (string, bool) {
	if iso && strings.HasPrefix(s, "Z") {
		return s[1:], true
	}
	if !iso {
		n := 0
		for n < len(s) && isLetter(s[n]) {
			n++
		}
		if n > 0 {
			return p.namedZone(s, n)
		}
	}
	if len(s) < 3 || s[0] != '+' && s[0] != '-' {
		return s, false
	}
	hours, used, ok := number(s[1:], 2)
	if !ok {
		return s, false
	}
	rest := s[1+used:]
	minutes := 0
	if m, n, ok := number(strings.TrimPrefix(rest, ":"), 2); ok {
		minutes = m
		rest = strings.TrimPrefix(rest, ":")[n:]
	}
	p.zone = hours*3600 + minutes*60
	if s[0] == '-' {
		p.zone = -p.zone
	}
	return rest, true
}

func (p *parsed) namedZone(s string, n int) (string, bool) {
	name, rest := strings.ToUpper(s[:n]), s[n:]
	if long, ok := strings.CutPrefix(s, "Coordinated Universal Time"); ok {
		return long, true
	}
	hours, ok := zoneHours[name]
	if !ok {
		return s, false
	}
	p.zone = hours * 3600
	if name == "GMT" && rest != "" && (rest[0] == '+' || rest[0] == '-') {
		return p.parseZone(rest, false)
	}
	return rest, true
}
