package apptest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math/big"
)

var errMore = errors.New("there is more behind the JSON")

func decodeJSON(data []byte) (v any, err error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errMore
	}
	return v, nil
}

// sameJSON tells whether two trees mean the same: the order of fields and the notation of numbers do not count.
func sameJSON(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		return ok && len(a) == len(b) && holdsJSON(b, a, sameJSON)
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !sameJSON(a[i], b[i]) {
				return false
			}
		}
		return true
	case json.Number:
		b, ok := b.(json.Number)
		return ok && sameNumber(a.String(), b.String())
	}
	return a == b
}

// holdsJSON tells whether every field of part is in whole, by same.
func holdsJSON(whole, part map[string]any, same func(a, b any) bool) bool {
	for key, want := range part {
		got, ok := whole[key]
		if !ok || !same(want, got) {
			return false
		}
	}
	return true
}

// sameNumber compares exactly. Exponents that no application means are compared as they are written.
func sameNumber(a, b string) bool {
	if a == b {
		return true
	}
	if len(a) > 400 || len(b) > 400 {
		return false
	}
	x, okX := exact(a)
	y, okY := exact(b)
	return okX && okY && x.Cmp(y) == 0
}

// exact is a number of JSON; not one with an exponent beyond those of doubles, which would take memory without end.
func exact(text string) (*big.Rat, bool) {
	var f big.Float
	if _, _, err := f.Parse(text, 10); err != nil || f.MantExp(nil) > 1100 || f.MantExp(nil) < -1200 {
		return nil, false
	}
	return new(big.Rat).SetString(text)
}

// containsJSON tells whether the JSON in data holds part: objects may have more fields, arrays more elements behind.
func containsJSON(data, part []byte) bool {
	whole, errWhole := decodeJSON(data)
	want, errPart := decodeJSON(part)
	return errWhole == nil && errPart == nil && contains(want, whole)
}

func contains(part, whole any) bool {
	switch part := part.(type) {
	case map[string]any:
		whole, ok := whole.(map[string]any)
		return ok && holdsJSON(whole, part, contains)
	case []any:
		whole, ok := whole.([]any)
		if !ok || len(whole) < len(part) {
			return false
		}
		for i := range part {
			if !contains(part[i], whole[i]) {
				return false
			}
		}
		return true
	}
	return sameJSON(part, whole)
}
