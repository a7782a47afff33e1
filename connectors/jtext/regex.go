package jtext

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/dlclark/regexp2"
)

// matchLimit bounds a match by backtracking: patterns that need longer would hold up a task.
const matchLimit = time.Second

// Regex is a java.util.regex.Pattern. Patterns that Go's linear matcher understands run there; those with lookaround,
// backreferences or possessive quantifiers run by backtracking, as in Java, but with a limit. It is safe for goroutines.
type Regex struct {
	pattern string
	whole   *regexp.Regexp
	find    *regexp.Regexp
	java    *regexp2.Regexp // when find is nil
	javaAll *regexp2.Regexp
	names   []string // of groups
}

// CompileRegex compiles a pattern. Intersections of character classes and possessive quantifiers are refused.
func CompileRegex(java string) (*Regex, error) {
	pattern, err := translate(java)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", java, err)
	}
	if whole, err := regexp.Compile(`\A(?:` + pattern + `)\z`); err == nil {
		if find, err := regexp.Compile(pattern); err == nil {
			return &Regex{pattern: java, whole: whole, find: find, names: find.SubexpNames()}, nil
		}
	}
	find, err := regexp2.Compile(pattern, regexp2.None)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", java, err)
	}
	all, err := regexp2.Compile(`\A(?:`+pattern+`)\z`, regexp2.None)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", java, err)
	}
	find.MatchTimeout, all.MatchTimeout = matchLimit, matchLimit
	return &Regex{pattern: java, java: find, javaAll: all, names: find.GetGroupNames()}, nil
}

// Linear is the pattern for package regexp; false for patterns that need backtracking.
func (r *Regex) Linear() (string, bool) {
	if r.find == nil {
		return "", false
	}
	return r.find.String(), true
}

// Pattern is the pattern.
func (r *Regex) Pattern() string { return r.pattern }

// Matches tells whether the whole of s matches. A match that takes longer than the limit is an ErrTooLong: nobody knows then.
func (r *Regex) Matches(s string) (bool, error) {
	if r.whole != nil {
		return r.whole.MatchString(s), nil
	}
	ok, err := r.javaAll.MatchString(s)
	if err != nil {
		return false, r.tooLong(s)
	}
	return ok, nil
}

// ErrTooLong is within the error about a match that was given up.
var ErrTooLong = errors.New("the pattern goes back too often")

// tooLong is the one fault of a match: the library knows no other than its time limit.
func (r *Regex) tooLong(s string) error {
	return fmt.Errorf("matching %q against %q took longer than %v: %w; write it without repetitions within repetitions, such as (a+)+",
		s, r.pattern, matchLimit, ErrTooLong)
}

// ReplaceFirst replaces the first match by a Java replacement with $1, ${name} and backslashes.
func (r *Regex) ReplaceFirst(s, replacement string) (string, error) {
	groups, start, end, ok, err := r.firstMatch(s)
	if !ok || err != nil {
		return s, err
	}
	var b strings.Builder
	b.WriteString(s[:start])
	if err := r.expand(&b, replacement, groups); err != nil {
		return "", err
	}
	b.WriteString(s[end:])
	return b.String(), nil
}

// firstMatch are the texts of the groups, and where the match lies.
func (r *Regex) firstMatch(s string) (groups []string, start, end int, ok bool, err error) {
	if r.find != nil {
		at := r.find.FindStringSubmatchIndex(s)
		if at == nil {
			return nil, 0, 0, false, nil
		}
		for i := 0; i < len(at); i += 2 {
			if at[i] < 0 {
				groups = append(groups, "")
			} else {
				groups = append(groups, s[at[i]:at[i+1]])
			}
		}
		return groups, at[0], at[1], true, nil
	}
	m, err := r.java.FindStringMatch(s)
	if err != nil {
		return nil, 0, 0, false, r.tooLong(s)
	}
	if m == nil {
		return nil, 0, 0, false, nil
	}
	for _, g := range m.Groups() {
		groups = append(groups, g.String())
	}
	start = len(string([]rune(s)[:m.Index]))
	return groups, start, start + len(m.String()), true, nil
}

func (r *Regex) expand(b *strings.Builder, replacement string, groups []string) error {
	for i := 0; i < len(replacement); i++ {
		switch c := replacement[i]; c {
		case '\\':
			if i++; i == len(replacement) {
				return fmt.Errorf("character to be escaped is missing")
			}
			b.WriteByte(replacement[i])
		case '$':
			n, err := r.expandGroup(b, replacement[i+1:], groups)
			if err != nil {
				return err
			}
			i += n
		default:
			b.WriteByte(c)
		}
	}
	return nil
}

// ErrNoGroup is what ReplaceFirst answers where a replacement names a group by a number that the pattern does not have.
var ErrNoGroup = errors.New("no group")

// expandGroup writes the group that s begins with, and returns the length of its name.
func (r *Regex) expandGroup(b *strings.Builder, s string, groups []string) (int, error) {
	if strings.HasPrefix(s, "{") {
		name, _, ok := strings.Cut(s[1:], "}")
		if !ok {
			return 0, fmt.Errorf("named capturing group is missing trailing '}'")
		}
		for i, n := range r.names {
			if n == name && i < len(groups) {
				b.WriteString(groups[i])
				return len(name) + 2, nil
			}
		}
		return 0, fmt.Errorf("no group with name {%s}", name)
	}
	if s == "" || s[0] < '0' || s[0] > '9' {
		return 0, fmt.Errorf("illegal group reference")
	}
	group, n := int(s[0]-'0'), 1
	if group >= len(groups) {
		return 0, fmt.Errorf("%w %d", ErrNoGroup, group)
	}
	for n < len(s) && s[n] >= '0' && s[n] <= '9' && group*10+int(s[n]-'0') < len(groups) {
		group = group*10 + int(s[n]-'0')
		n++
	}
	b.WriteString(groups[group])
	return n, nil
}
