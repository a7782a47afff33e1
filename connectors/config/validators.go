package config

import (
	"fmt"
	"slices"
	"strings"
)

// Check makes a Validator of a function.
type Check func(name string, value any) error

// Ensure calls the function.
func (c Check) Ensure(name string, value any) error { return c(name, value) }

// NotNull refuses null.
var NotNull Check = func(name string, value any) error {
	if value == nil {
		return Invalid(name, value, "entry must be non null")
	}
	return nil
}

// NonEmpty refuses empty strings. Null passes.
var NonEmpty Check = func(name string, value any) error {
	if s, ok := value.(string); ok && s == "" {
		return Invalid(name, value, "String must be non-empty")
	}
	return nil
}

// NonEmptyList refuses empty lists and null.
var NonEmptyList Check = func(name string, value any) error {
	if l, ok := value.([]string); value == nil || ok && len(l) == 0 {
		return Invalid(name, value, "Empty list")
	}
	return nil
}

// FilledList refuses empty lists, null, and lists with elements that are empty or there twice (KIP-1161).
var FilledList Check = func(name string, value any) error {
	l, _ := value.([]string)
	switch {
	case value == nil:
		return Exception("Configuration '" + name + "' values must not be null.")
	case len(l) == 0:
		return Exception("Configuration '" + name + "' must not be empty. Valid values include: any non-empty value")
	}
	return FilledElements(name, value)
}

// FilledElements refuses lists with elements that are empty or there twice.
var FilledElements Check = func(name string, value any) error {
	l, _ := value.([]string)
	for i, element := range l {
		if slices.Contains(l[:i], element) {
			return Exception("Configuration '" + name + "' values must not be duplicated.")
		}
	}
	if slices.Contains(l, "") {
		return Exception("Configuration '" + name + "' values must not be empty.")
	}
	return nil
}

// NoControlCharacters refuses null, empty strings and ISO control characters.
var NoControlCharacters Check = func(name string, value any) error {
	s, ok := value.(string)
	if !ok {
		return nil
	}
	if s == "" {
		return Invalid(name, value, "String may not be empty")
	}
	var found []string
	for _, r := range s {
		if r < 0x20 || r >= 0x7f && r < 0xa0 {
			found = append(found, fmt.Sprint(r))
		}
	}
	if len(found) > 0 {
		return Invalid(name, value, "String may not contain control sequences but had the following ASCII chars: "+strings.Join(found, ", "))
	}
	return nil
}

// AtLeast refuses smaller numbers and null.
func AtLeast(min int64) Check {
	return func(name string, value any) error { return between(name, value, min, nil) }
}

// Between refuses numbers outside and null.
func Between(min, max int64) Check {
	return func(name string, value any) error { return between(name, value, min, &max) }
}

func between(name string, value any, min int64, max *int64) error {
	n, ok := asNumber(value)
	switch {
	case !ok:
		return Invalid(name, nil, "Value must be non-null")
	case n < float64(min):
		return Invalid(name, value, fmt.Sprintf("Value must be at least %d", min))
	case max != nil && n > float64(*max):
		return Invalid(name, value, fmt.Sprintf("Value must be no more than %d", *max))
	}
	return nil
}

func asNumber(value any) (float64, bool) {
	switch n := value.(type) {
	case int16:
		return float64(n), true
	case int32:
		return float64(n), true
	case int64:
		return float64(n), true
	case float64:
		return n, true
	}
	return 0, false
}

// OneOf accepts strings of a list.
func OneOf(valid ...string) Check {
	return func(name string, value any) error {
		s, _ := value.(string)
		if !slices.Contains(valid, s) {
			return Invalid(name, value, "String must be one of: "+strings.Join(valid, ", "))
		}
		return nil
	}
}

// OneOfFold accepts strings of a list in any case.
func OneOfFold(valid ...string) Check {
	return func(name string, value any) error {
		s, ok := value.(string)
		if !ok || !slices.ContainsFunc(valid, func(v string) bool { return strings.EqualFold(v, s) }) {
			return Invalid(name, value, "String must be one of (case insensitive): "+strings.Join(valid, ", "))
		}
		return nil
	}
}

// All applies several validators in turn.
func All(validators ...Validator) Check {
	return func(name string, value any) error {
		for _, v := range validators {
			if err := v.Ensure(name, value); err != nil {
				return err
			}
		}
		return nil
	}
}
