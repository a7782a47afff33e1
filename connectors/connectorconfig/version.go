package connectorconfig

import (
	"cmp"
	"slices"
	"strings"
)

// versionToken is a part of a version by Maven's order of versions: what stands before it, and a number or a word.
type versionToken struct {
	hyphen bool // after a hyphen, or where digits and letters meet; else after a dot
	number bool
	text   string // of a number without leading zeros, of a word in small letters
}

// qualifiers are the words with a place of their own, in their order; others come behind them by the alphabet. The empty word is
// a release.
var qualifiers = []string{"alpha", "beta", "milestone", "rc", "snapshot", "", "sp"}

var qualifierNames = map[string]string{"ga": "", "final": "", "release": "", "cr": "rc"}

// compareVersions orders two versions as Maven does: numbers by value, 1.0 as 1, and 2.0-rc1 before 2.0.
func compareVersions(a, b string) int {
	left, right := versionTokens(a), versionTokens(b)
	for i := range max(len(left), len(right)) {
		l, r := tokenAt(left, i, right), tokenAt(right, i, left)
		if c := compareTokens(l, r); c != 0 {
			return c
		}
	}
	return 0
}

// tokenAt is token i, or the nothing that stands for it against the other version's.
func tokenAt(tokens []versionToken, i int, other []versionToken) versionToken {
	if i < len(tokens) {
		return tokens[i]
	}
	return versionToken{hyphen: other[i].hyphen, number: other[i].number}
}

func compareTokens(a, b versionToken) int {
	switch {
	case a.number != b.number: // words come before numbers
		if b.number {
			return -1
		}
		return 1
	case !a.number:
		return compareQualifiers(a.text, b.text)
	case a.hyphen != b.hyphen: // 1-1 comes before 1.1
		if a.hyphen {
			return -1
		}
		return 1
	}
	return cmp.Or(cmp.Compare(len(a.text), len(b.text)), strings.Compare(a.text, b.text))
}

func compareQualifiers(a, b string) int {
	rank := func(word string) int {
		if i := slices.Index(qualifiers, word); i >= 0 {
			return i
		}
		return len(qualifiers)
	}
	return cmp.Or(cmp.Compare(rank(a), rank(b)), strings.Compare(a, b))
}

// versionTokens takes a version apart, without the zeros and empty words at its end and before each hyphen.
func versionTokens(version string) []versionToken {
	var tokens []versionToken
	hyphen, begin := false, 0
	end := func(at int, nextHyphen bool) {
		digit := nextHyphen && at < len(version) && isDigit(version[at])
		tokens = append(tokens, tokenOf(version[begin:at], hyphen, digit))
		hyphen = nextHyphen
	}
	for i := range len(version) {
		switch c := version[i]; {
		case c == '.' || c == '-':
			end(i, c == '-')
			begin = i + 1
		case i > begin && isDigit(c) != isDigit(version[i-1]):
			end(i, true)
			begin = i
		}
	}
	end(len(version), false)
	return trimmed(tokens)
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// tokenOf reads one token. The letters a, b and m are short for words when a digit follows.
func tokenOf(text string, hyphen, digitFollows bool) versionToken {
	if text == "" || isDigit(text[0]) {
		return versionToken{hyphen: hyphen, number: true, text: strings.TrimLeft(text, "0")}
	}
	word := strings.ToLower(text)
	if long, short := map[string]string{"a": "alpha", "b": "beta", "m": "milestone"}[word]; short && digitFollows {
		word = long
	}
	if name, known := qualifierNames[word]; known {
		word = name
	}
	return versionToken{hyphen: hyphen, text: word}
}

// trimmed takes off what means nothing, from the end, and again at each hyphen.
func trimmed(tokens []versionToken) []versionToken {
	for i := len(tokens) - 1; i > 0; i-- {
		atEnd := i == len(tokens)-1 || tokens[i+1].hyphen
		if atEnd && tokens[i].text == "" {
			tokens = slices.Delete(tokens, i, i+1)
		}
	}
	return tokens
}
