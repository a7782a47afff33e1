package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/wasmstream/wasmstream/connectors/fault"
)

// Secret is the value of a PASSWORD: it prints as [hidden].
type Secret string

// String never tells the secret.
func (Secret) String() string { return "[hidden]" }

// GoString never tells the secret.
func (Secret) GoString() string { return "[hidden]" }

// Exception is a ConfigException with a message of one's own.
func Exception(message string) error { return fault.Config.New(message) }

// Invalid is Kafka's ConfigException for a value: "Invalid value V for configuration N: why".
func Invalid(name string, value any, why string) error {
	text := "Invalid value " + show(value) + " for configuration " + name
	if why != "" {
		text += ": " + why
	}
	return At(name, fault.Config.New(text))
}

// settingError is an error that knows which setting it is about.
type settingError struct {
	error
	name string
}

func (e settingError) Unwrap() error { return e.error }

// At notes which setting an error is about. Its text stays; nil stays nil.
func At(name string, err error) error {
	if err == nil {
		return nil
	}
	return settingError{err, name}
}

// SettingOf is the setting that an error is about, "" if it does not say.
func SettingOf(err error) string {
	var e settingError
	if errors.As(err, &e) {
		return e.name
	}
	return ""
}

func show(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case []string:
		return "[" + strings.Join(v, ", ") + "]"
	}
	return fmt.Sprint(v)
}

// Values are parsed settings: nil for null, else bool, string, int32 (INT), int16 (SHORT), int64 (LONG), float64, []string,
// Secret; CLASS is a string.
type Values map[string]any

func (v Values) withPrefix(prefix string) Values {
	out := Values{}
	for k, x := range v {
		if rest, ok := strings.CutPrefix(k, prefix); ok {
			out[rest] = x
		}
	}
	return out
}

// Bool is a BOOLEAN, false where null.
func (v Values) Bool(name string) bool { b, _ := v[name].(bool); return b }

// String is a STRING or CLASS, "" where null.
func (v Values) String(name string) string { s, _ := v[name].(string); return s }

// Int is an INT, SHORT or LONG, 0 where null.
func (v Values) Int(name string) int {
	switch n := v[name].(type) {
	case int16:
		return int(n)
	case int32:
		return int(n)
	case int64:
		return int(n)
	}
	return 0
}

// Float is a DOUBLE, 0 where null.
func (v Values) Float(name string) float64 { f, _ := v[name].(float64); return f }

// List is a LIST, nil where null.
func (v Values) List(name string) []string { l, _ := v[name].([]string); return l }

// Secret is a PASSWORD, "" where null.
func (v Values) Secret(name string) string { s, _ := v[name].(Secret); return string(s) }

// Null tells whether a setting is null or was never defined.
func (v Values) Null(name string) bool { return v[name] == nil }

// Parse reads the defined settings, and fails at the first fault. Settings that are not defined are left out.
func (d *Def) Parse(props Props) (Values, error) {
	if d.err != nil {
		return nil, d.err
	}
	if missing := d.undefinedDependents(); len(missing) > 0 {
		return nil, Exception("Some configurations in are referred in the dependents, but not defined: " + strings.Join(missing, " "))
	}
	out := make(Values, len(d.order))
	for _, name := range d.order {
		v, err := d.parseKey(d.keys[name], props)
		if err != nil {
			return nil, err
		}
		out[name] = v
	}
	return out, nil
}

func (d *Def) parseKey(k *Key, props Props) (any, error) {
	var parsed any
	raw, given := props[k.Name]
	switch {
	case given && raw != nil:
		v, err := ParseType(k.Name, *raw, k.Type)
		if err != nil {
			return nil, err
		}
		parsed = v
	case given:
	case k.Required():
		return nil, Exception("Missing required configuration \"" + k.Name + "\" which has no default value.")
	default:
		parsed = k.Default
	}
	if k.Validator != nil {
		if err := k.Validator.Ensure(k.Name, parsed); err != nil {
			return nil, err
		}
	}
	return parsed, nil
}

func (d *Def) undefinedDependents() []string {
	var missing []string
	for _, name := range d.order {
		for _, dep := range d.keys[name].Dependents {
			if d.keys[dep] == nil {
				missing = append(missing, dep)
			}
		}
	}
	return missing
}

// ParseType reads one value: a string as it was written, or a value of the type already.
func ParseType(name string, value any, t Type) (any, error) {
	s, isString := value.(string)
	s = strings.TrimFunc(s, func(r rune) bool { return r <= ' ' })
	switch t {
	case Boolean:
		if b, ok := value.(bool); ok {
			return b, nil
		}
		if isString && strings.EqualFold(s, "true") || isString && strings.EqualFold(s, "false") {
			return strings.EqualFold(s, "true"), nil
		}
		return nil, Invalid(name, value, "Expected value to be either true or false")
	case String, Class:
		if isString {
			return s, nil
		}
		return nil, Invalid(name, value, "Expected value to be a string, but it was a "+fmt.Sprintf("%T", value))
	case Password:
		if p, ok := value.(Secret); ok {
			return p, nil
		}
		return Secret(s), nil
	case List:
		return parseList(value, s), nil
	}
	return parseNumber(name, value, s, t)
}

func parseList(value any, s string) []string {
	if l, ok := value.([]string); ok {
		return l
	}
	if s == "" {
		return []string{}
	}
	parts := strings.Split(s, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}

func parseNumber(name string, value any, s string, t Type) (any, error) {
	switch n := value.(type) {
	case int:
		s = strconv.Itoa(n)
	case int16, int32, int64:
		s = fmt.Sprint(n)
	case float64:
		if t == Double {
			return n, nil
		}
		s = fmt.Sprint(n)
	}
	if t == Double {
		f, err := strconv.ParseFloat(s, 64)
		if err != nil && !math.IsInf(f, 0) {
			return nil, Invalid(name, value, "Not a number of type "+string(t))
		}
		return f, nil
	}
	bits := map[Type]int{Short: 16, Int: 32, Long: 64}[t]
	n, err := strconv.ParseInt(s, 10, bits)
	if err != nil {
		return nil, Invalid(name, value, "Not a number of type "+string(t))
	}
	switch t {
	case Short:
		return int16(n), nil
	case Int:
		return int32(n), nil
	}
	return n, nil
}

// Format is Kafka's ConfigDef.convertToString: how a parsed value or default stands in REST answers; nil for null.
func Format(value any, t Type) *string {
	var s string
	switch v := value.(type) {
	case nil:
		return nil
	case []string:
		s = strings.Join(v, ",")
	case Secret:
		s = v.String()
	case float64:
		s = formatDouble(v)
	default:
		s = fmt.Sprint(v)
	}
	return &s
}

func formatDouble(f float64) string {
	s := strconv.FormatFloat(f, 'g', -1, 64)
	if !strings.ContainsAny(s, ".eEIN") {
		s += ".0"
	}
	return s
}
