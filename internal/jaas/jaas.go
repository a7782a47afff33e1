// Package jaas reads the one entry of a JAAS configuration that Kafka's sasl.jaas.config is.
package jaas

import (
	"errors"
	"fmt"
	"strings"
)

// Login is one entry of a JAAS configuration.
type Login struct {
	Module  string // the class, with its package
	Control string // required, requisite, sufficient or optional
	Options map[string]string
}

// Parse reads the value of sasl.jaas.config: `module control name="value" ... ;`. Its errors tell positions and
// names, never values, since those are passwords.
func Parse(s string) (Login, error) {
	body, terminated := strings.CutSuffix(strings.TrimSpace(s), ";")
	if !terminated {
		return Login{}, errors.New("want a semicolon at the end")
	}
	list, err := split(body)
	if err != nil {
		return Login{}, err
	}
	if len(list) < 2 {
		return Login{}, errors.New("want a login module and a control flag")
	}
	login := Login{Module: list[0], Control: strings.ToLower(list[1]), Options: map[string]string{}}
	switch login.Control {
	case "required", "requisite", "sufficient", "optional":
	default:
		return Login{}, errors.New("want required after the login module")
	}
	for i, word := range list[2:] {
		name, value, ok := strings.Cut(word, "=")
		if !ok || name == "" {
			return Login{}, fmt.Errorf(`want name="value" as option %d`, i+1)
		}
		if _, twice := login.Options[name]; twice {
			return Login{}, fmt.Errorf("option %d is given twice", i+1)
		}
		login.Options[name] = value
	}
	return login, nil
}

// split splits at blanks outside of quotes; quotes are dropped, a backslash inside of them takes the next byte.
func split(s string) ([]string, error) {
	var words []string
	var word strings.Builder
	inWord, quote := false, byte(0)
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case quote != 0 && c == '\\' && i+1 < len(s):
			i++
			word.WriteByte(s[i])
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			word.WriteByte(c)
		case c == '"' || c == '\'':
			quote, inWord = c, true
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			if inWord {
				words, inWord = append(words, word.String()), false
				word.Reset()
			}
		case c == ';':
			return nil, fmt.Errorf("a second entry begins at byte %d; want one", i)
		default:
			inWord = true
			word.WriteByte(c)
		}
	}
	if quote != 0 {
		return nil, errors.New("a quote is not closed")
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, nil
}
