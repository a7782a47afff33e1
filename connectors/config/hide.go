package config

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// userinfo is the password in an address: behind the user's name, up to the last @ before the path.
var userinfo = regexp.MustCompile(`(://[^/?#\s"':@]*):[^/?#\s"']*@`)

// HidePasswords is a text in which the passwords of addresses, as in http://user:password@host, are hidden as a Secret is.
func HidePasswords(text string) string {
	return userinfo.ReplaceAllString(text, "${1}:"+Secret("").String()+"@")
}

// Hider hides what config providers have answered: texts show the variables instead, as settings do. The zero Hider hides nothing.
type Hider struct{ replace []*strings.Replacer }

// shortestHidden is the length from which an answer is hidden: shorter ones stand in any text, and are no secrets.
const shortestHidden = 4

// NewHider is for texts about settings, raw ones and the same with variables replaced.
func NewHider(raw, resolved Props) Hider {
	shown := map[string]string{}
	for name, value := range raw {
		if answer := resolved[name]; value != nil && answer != nil && *value != *answer {
			addHidden(shown, *value, *answer)
		}
	}
	if len(shown) == 0 {
		return Hider{}
	}
	texts := slices.SortedFunc(maps.Keys(shown), func(a, b string) int { // the longest first: it may hold others
		return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b))
	})
	var pairs []string
	for _, text := range texts {
		pairs = append(pairs, text, shown[text])
	}
	return Hider{[]*strings.Replacer{strings.NewReplacer(pairs...)}}
}

// And hides what either does.
func (h Hider) And(other Hider) Hider { return Hider{slices.Concat(h.replace, other.replace)} }

// addHidden notes the whole of a value, what each of its variables stands for, the elements of that, and all of them as they look in quotes.
func addHidden(shown map[string]string, raw, resolved string) {
	add := func(text, variable string) {
		text = strings.TrimSpace(text)
		quoted := strconv.Quote(text)
		for _, form := range []string{text, quoted[1 : len(quoted)-1]} {
			if len(form) >= shortestHidden && shown[form] == "" {
				shown[form] = variable
			}
		}
	}
	add(resolved, raw)
	var pattern strings.Builder
	at := variable.FindAllStringIndex(raw, -1)
	last := 0
	for _, m := range at {
		pattern.WriteString(regexp.QuoteMeta(raw[last:m[0]]) + "(.*?)")
		last = m[1]
	}
	groups := regexp.MustCompile(`(?s)\A` + pattern.String() + regexp.QuoteMeta(raw[last:]) + `\z`).FindStringSubmatch(resolved)
	for i := 1; i < len(groups); i++ {
		name := raw[at[i-1][0]:at[i-1][1]]
		add(groups[i], name)
		for _, element := range strings.FieldsFunc(groups[i], func(r rune) bool { return r == ',' || r == '\n' }) {
			add(element, name)
		}
	}
}

// Text is a text with variables in place of their answers.
func (h Hider) Text(text string) string {
	for _, r := range h.replace {
		text = r.Replace(text)
	}
	return text
}

// Error is an error whose text is hidden; what it is stays.
func (h Hider) Error(err error) error {
	if err == nil || len(h.replace) == 0 {
		return err
	}
	return hiddenError{h.Text(err.Error()), err}
}

type hiddenError struct {
	text string
	err  error
}

func (e hiddenError) Error() string { return e.text }

func (e hiddenError) Unwrap() error { return e.err }
