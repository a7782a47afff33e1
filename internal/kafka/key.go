// Package kafka turns Kafka's client properties, spelled as Kafka spells them, into options of franz-go's client, and
// asks a cluster about topics and groups with errors that a user can act on.
//
// It knows every property of Kafka's consumer, producer and admin client, whether it is honoured here and why not, and
// never prints a password. It knows nothing of topologies or of StreamsConfig. It returns kgo and kadm types, no
// wrapper around them.
package kafka

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Type is the type of a property's value, as in Kafka's ConfigDef.
type Type string

// The types of properties.
const (
	String   Type = "string"
	Int      Type = "int"
	Long     Type = "long"
	Short    Type = "short"
	Double   Type = "double"
	Boolean  Type = "boolean"
	List     Type = "list"
	Class    Type = "class"
	Password Type = "password"
)

// Answer says what happens with a property.
type Answer int

// The answers.
const (
	// Honoured: the value does what Kafka's documentation says.
	Honoured Answer = iota
	// NoEffect: any valid value is taken and changes nothing; the note says why. Setting it is worth a warning.
	NoEffect
	// Refused: any value but the default (if there is one) is an error; the note is the reason.
	Refused
)

// String is the word of docs/configuration.md.
func (a Answer) String() string { return [...]string{"honoured", "no effect", "refused"}[a] }

// Null is the default of a property that has none but is not required.
const Null = "\x00null"

// Required is the default of a property that must be given.
const Required = "\x00required"

// Key is one property: what Kafka says of it and what becomes of it here.
type Key struct {
	Name    string
	Type    Type
	Default string // Null, Required, or the text of the default
	// OneOf lists the values that are allowed, of a List the items; Fold compares them without case.
	OneOf []string
	Fold  bool
	// Min and Max bound a number, where Bounded.
	Bounded  bool
	Min, Max float64
	Answer   Answer
	// Note is what the value means here, or for Refused and NoEffect the reason. No full stop.
	Note string
}

// HasDefault tells whether the property has a value when it is not set.
func (k Key) HasDefault() bool { return k.Default != Null && k.Default != Required }

// Secret tells whether values of the property must not be shown.
func (k Key) Secret() bool { return k.Type == Password }

// Show is value as it may be shown.
func (k Key) Show(value string) string {
	if k.Secret() && value != "" {
		return "[hidden]"
	}
	return value
}

// Parse checks value against type, range and answer and returns its canonical text: numbers in the unit of the key
// (30s for a key in .ms is 30000, 64MiB is 67108864), booleans as true or false, names in the case Kafka gives them.
// The error says what is expected and is not to be shown for secrets together with the value.
func (k Key) Parse(value string) (string, error) {
	v := strings.TrimSpace(value)
	canonical, err := k.parseType(v)
	if err != nil {
		return "", err
	}
	if len(k.OneOf) == 0 {
		return canonical, nil
	}
	if k.Type == List {
		return k.allOf(SplitList(canonical))
	}
	return k.oneOf(canonical)
}

func (k Key) allOf(items []string) (_ string, err error) {
	for i, item := range items {
		if items[i], err = k.oneOf(item); err != nil {
			return "", err
		}
	}
	return strings.Join(items, ","), nil
}

// RefusedValue tells whether a canonical value is one that is refused.
func (k Key) RefusedValue(canonical string) bool {
	return k.Answer == Refused && (!k.HasDefault() || canonical != k.Default)
}

func (k Key) parseType(v string) (string, error) {
	switch k.Type {
	case Int, Long, Short:
		n, err := k.integer(v)
		if err != nil {
			return "", err
		}
		return strconv.FormatInt(n, 10), k.inRange(float64(n))
	case Double:
		f, err := strconv.ParseFloat(v, 64)
		if err != nil {
			return "", fmt.Errorf("want a number")
		}
		return v, k.inRange(f)
	case Boolean:
		switch strings.ToLower(v) {
		case "true", "false":
			return strings.ToLower(v), nil
		}
		return "", fmt.Errorf("want true or false")
	case List:
		return strings.Join(SplitList(v), ","), nil
	}
	return v, nil
}

func (k Key) integer(v string) (int64, error) {
	bits := map[Type]int{Int: 32, Long: 64, Short: 16}[k.Type]
	number, err := strconv.ParseInt(v, 10, bits)
	if err == nil {
		return number, nil
	}
	if errors.Is(err, strconv.ErrRange) { // number is the largest or the smallest then
		if err := k.inRange(float64(number)); err != nil {
			return 0, err
		}
		return 0, fmt.Errorf("want %d to %d", int64(-1)<<(bits-1), int64(1)<<(bits-1)-1)
	}
	n, what, ok := int64(0), "a whole number", false
	switch {
	case strings.HasSuffix(k.Name, ".ms"):
		what = "milliseconds or a duration such as 30s"
		n, ok = milliseconds(v)
	case k.isSize():
		what = "bytes or a size such as 64MiB"
		n, ok = bytesOf(v)
	}
	if !ok {
		return 0, fmt.Errorf("want %s", what)
	}
	if shifted := n << (64 - bits) >> (64 - bits); shifted != n {
		return 0, fmt.Errorf("want at most %d", int64(1)<<(bits-1)-1)
	}
	return n, nil
}

// isSize tells whether the key counts bytes: `.bytes` stands at the end of most such names.
func (k Key) isSize() bool {
	return strings.Contains(k.Name, "bytes") || slices.Contains([]string{"batch.size", "buffer.memory", "max.request.size"}, k.Name)
}

func milliseconds(v string) (int64, bool) {
	d, err := time.ParseDuration(v)
	return d.Milliseconds(), err == nil && d%time.Millisecond == 0
}

func bytesOf(v string) (int64, bool) {
	units := []struct {
		suffix string
		factor int64
	}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"B", 1}}
	for _, u := range units {
		number, ok := strings.CutSuffix(v, u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
		return n * u.factor, err == nil && n*u.factor/u.factor == n
	}
	return 0, false
}

func (k Key) inRange(f float64) error {
	if !k.Bounded || (f >= k.Min && f <= k.Max) {
		return nil
	}
	if k.Max >= maxNumber {
		return fmt.Errorf("want at least %s", plainNumber(k.Min))
	}
	return fmt.Errorf("want %s to %s", plainNumber(k.Min), plainNumber(k.Max))
}

// plainNumber writes a number without an exponent.
func plainNumber(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

const maxNumber = 1e300

func (k Key) oneOf(v string) (string, error) {
	for _, allowed := range k.OneOf {
		if v == allowed || (k.Fold && strings.EqualFold(v, allowed)) {
			return allowed, nil
		}
		if prefix, ok := strings.CutSuffix(allowed, "*"); ok && strings.HasPrefix(v, prefix) {
			return v, nil
		}
	}
	return "", fmt.Errorf("want one of %s", strings.Join(k.OneOf, ", "))
}

// SplitList splits a list as Kafka does: at commas, without blanks around the items. An empty text is no item.
func SplitList(v string) []string {
	var items []string
	for item := range strings.SplitSeq(v, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}
