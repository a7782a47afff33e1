package expr

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/wasmstream/wasmstream/internal/errs"
)

// names are what an expression may name.
var names = []string{"key", "value", "timestamp", "headers"}

// phrase turns one form of the compiler's messages into a sentence; say gets the groups of the pattern.
type phrase struct {
	pattern *regexp.Regexp
	say     func(m []string) (message, fix string)
}

// phrases of CEL's parser and checker. Those of the parser list every token that could have stood there, which nobody
// reads. Read only.
var phrases = []phrase{
	{regexp.MustCompile(`(?s)^Syntax error: (?:mismatched|extraneous) input '(.*?)' expecting `), unexpected},
	{regexp.MustCompile(`(?s)^Syntax error: no viable alternative at input '(.*)'$`), unexpected},
	{regexp.MustCompile(`(?s)^Syntax error: missing (.+) at '(.*)'$`), func(m []string) (string, string) {
		return missing(m[1]) + " is missing before " + tokenName(m[2]), ""
	}},
	{regexp.MustCompile(`(?s)^Syntax error: token recognition error at: '(.*)'$`), func(m []string) (string, string) {
		if strings.HasPrefix(m[1], `"`) || strings.HasPrefix(m[1], `'`) {
			return "a text begins here that is not closed, or holds an escape that CEL does not have", "close it with the same quote; a backslash is written twice"
		}
		return fmt.Sprintf("%q cannot stand here", m[1]), ""
	}},
	{regexp.MustCompile(`(?s)^undeclared reference to '(.*?)'`), func(m []string) (string, string) {
		return fmt.Sprintf("there is no variable or function %q", m[1]), unknownName(m[1])
	}},
	{regexp.MustCompile(`(?s)^found no matching overload for '(.*?)' applied to '(.*)'`), func(m []string) (string, string) {
		return overload(strings.Trim(m[1], "_@"), wrapped.ReplaceAllString(m[2], "$1"))
	}},
	{regexp.MustCompile(`(?s)^undefined field '(.*?)'`), func(m []string) (string, string) {
		return fmt.Sprintf("there is no field %q", m[1]), ""
	}},
	{regexp.MustCompile(`(?s)^type '(.*?)' does not support field selection`), func(m []string) (string, string) {
		return fmt.Sprintf("%s has no fields", plainType(m[1])), "read it with the serde json"
	}},
}

// explain is the compiler's message in one sentence, and what helps ("" for nothing particular).
func explain(message string) (sentence, fix string) {
	message = strings.TrimSpace(message)
	for _, p := range phrases {
		if m := p.pattern.FindStringSubmatch(message); m != nil {
			return p.say(m)
		}
	}
	sentence, _, _ = strings.Cut(message, "\n")
	return strings.TrimPrefix(sentence, "Syntax error: "), ""
}

func unexpected(m []string) (string, string) {
	if m[1] == "<EOF>" || strings.HasSuffix(m[1], "<EOF>") {
		return "the expression ends too early", "complete it"
	}
	return tokenName(m[1]) + " cannot stand here", ""
}

func tokenName(text string) string {
	if text == "<EOF>" {
		return "the end of the expression"
	}
	return fmt.Sprintf("%q", text)
}

var wrapped = regexp.MustCompile(`wrapper\((\w+)\)`)

// overload says that an operator or function does not take such types: "(string, int)", or "string.(int)" of a method.
func overload(name, types string) (string, string) {
	receiver, arguments, _ := strings.Cut(types, "(")
	arguments = strings.TrimSuffix(arguments, ")")
	message := fmt.Sprintf("%q does not take %s", name, strings.ReplaceAll(arguments, ", ", " and "))
	if arguments == "" {
		message = fmt.Sprintf("%q needs an argument", name)
	}
	if receiver != "" {
		message += " on " + strings.TrimSuffix(receiver, ".")
	}
	return message, "convert it (int, string, double ...), or read the topic with another serde"
}

func unknownName(name string) string {
	if near := errs.Nearest(name, names); near != "" {
		return errs.DidYouMean(name, names)
	}
	return "the variables are key, value, timestamp and headers, the functions those of CEL"
}

// missing names the token that a parser wants: one in quotes, or one of several.
func missing(token string) string {
	if inner, ok := strings.CutPrefix(token, "'"); ok {
		return fmt.Sprintf("%q", strings.TrimSuffix(inner, "'"))
	}
	return "something"
}

// plainType drops what CEL says of a type beside its name: wrapper(string) is a string that may be null.
func plainType(name string) string {
	return strings.TrimSuffix(strings.TrimPrefix(name, "wrapper("), ")")
}
