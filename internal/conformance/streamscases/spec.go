package streamscases

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// spec is the parameters of a case. Each getter takes its key; what is left over at the end is not known, which is an
// error, as is a value of another type. Errors are collected until done.
type spec struct {
	values map[string]json.RawMessage
	faults []error
}

func readSpec(raw json.RawMessage) (*spec, error) {
	s := &spec{}
	if err := json.Unmarshal(raw, &s.values); err != nil {
		return nil, fmt.Errorf("reading the spec: %w", err)
	}
	return s, nil
}

// done returns what was wrong, keys that nothing asked for included.
func (s *spec) done() error {
	faults := s.faults
	for _, key := range slices.Sorted(maps.Keys(s.values)) {
		faults = append(faults, fmt.Errorf("the key %q is not known", key))
	}
	return errors.Join(faults...)
}

func take[T any](s *spec, key string) (v T, ok bool) {
	raw, ok := s.values[key]
	if !ok {
		s.faults = append(s.faults, fmt.Errorf("the key %q is missing", key))
		return v, false
	}
	delete(s.values, key)
	if err := json.Unmarshal(raw, &v); err != nil {
		s.faults = append(s.faults, fmt.Errorf("the key %q: %w", key, err))
		return v, false
	}
	return v, true
}

func (s *spec) has(key string) bool {
	_, ok := s.values[key]
	return ok
}

func (s *spec) text(key string) string {
	v, _ := take[string](s, key)
	return v
}

func (s *spec) number(key string) int64 {
	v, _ := take[int64](s, key)
	return v
}

// flag is false if it is missing.
func (s *spec) flag(key string) bool {
	if !s.has(key) {
		return false
	}
	v, _ := take[bool](s, key)
	return v
}

// list takes names that are separated by commas, two at least.
func (s *spec) list(key string) []string {
	names := strings.Split(s.text(key), ",")
	for i := range names {
		names[i] = strings.TrimSpace(names[i])
	}
	if len(names) < 2 {
		s.faults = append(s.faults, fmt.Errorf("the key %q: %d names, not two", key, len(names)))
		return append(names, "")
	}
	return names
}

// choice takes one of the values; missing is standard.
func (s *spec) choice(key, standard string, values ...string) string {
	if !s.has(key) {
		return standard
	}
	v := s.text(key)
	if !slices.Contains(values, v) {
		s.faults = append(s.faults, fmt.Errorf("the key %q: %q is not one of %s", key, v, strings.Join(values, ", ")))
	}
	return v
}
