package spec

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/topology"
)

// unknown reports the keys of v that are not among known, each with the nearest.
func (d *document) unknown(v *value, known []string, what string) {
	for _, e := range v.entries {
		if !slices.Contains(known, e.key) {
			d.fault(errs.YAMLUnknownField, e.line, e.col, fmt.Sprintf("%s has no field %q", what, e.key), errs.DidYouMean(e.key, known))
		}
	}
}

// misspelt tells whether v has an unknown key that is most likely meant to be key: then it is told as that, and not once
// more as missing.
func (d *document) misspelt(v *value, key string, known []string) bool {
	return slices.ContainsFunc(v.entries, func(e entry) bool {
		return !slices.Contains(known, e.key) && errs.Nearest(e.key, known) == key
	})
}

func (d *document) isMapping(v *value, what string) bool {
	if v.kind != mapping {
		d.faultAt(errs.YAMLInvalid, v, what+" is a mapping (got "+v.kindName()+")", "write it as key: value")
	}
	return v.kind == mapping
}

// text is a scalar; "" for a missing one.
func (d *document) text(v *value, what string) string {
	if v == nil {
		return ""
	}
	if v.kind != scalar {
		d.faultAt(errs.YAMLInvalid, v, what+" is a text (got "+v.kindName()+")", "write one value behind the colon")
		return ""
	}
	if v.text == "" {
		d.faultAt(errs.YAMLInvalid, v, what+" is empty", "write a value, or leave the key out")
	}
	return v.text
}

// required is a text that must be there. known are the keys that v may have.
func (d *document) required(v *value, key, what string, known []string) string {
	t := v.get(key)
	if t == nil && d.misspelt(v, key, known) {
		return ""
	}
	if t == nil {
		d.faultAt(errs.YAMLInvalid, v, what+" needs "+key, "add "+key+": ...")
		return ""
	}
	return d.text(t, key)
}

func (d *document) boolean(v *value, key string, def bool) bool {
	b := v.get(key)
	switch {
	case b == nil:
		return def
	case b.kind == scalar && b.plain && (b.text == "true" || b.text == "false"):
		return b.text == "true"
	}
	d.faultAt(errs.YAMLInvalid, b, key+" is true or false", "write true or false, without quotes")
	return def
}

// count is a whole number from 1 on; 0 for a missing one.
func (d *document) count(v *value, key string) int {
	n := v.get(key)
	if n == nil {
		return 0
	}
	i, err := strconv.Atoi(n.text)
	if n.kind != scalar || err != nil || i < 1 || i > 1_000_000 {
		d.faultAt(errs.YAMLInvalid, n, key+" is a number from 1 on", "write a whole number such as 1, or leave it out")
		return 0
	}
	return i
}

// texts is a list of texts; a single one counts as a list.
func (d *document) texts(v *value, what string) []string {
	switch {
	case v == nil || v.kind == null:
		return nil
	case v.kind == scalar:
		return nonEmpty(d.text(v, what))
	case v.kind == mapping:
		d.faultAt(errs.YAMLInvalid, v, what+" is a list of texts (got a mapping)", "write it as [a, b]")
		return nil
	}
	var all []string
	for _, item := range v.items {
		all = append(all, nonEmpty(d.text(item, "an item of "+what))...)
	}
	return all
}

func nonEmpty(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

func (d *document) stringMap(v *value, what string) map[string]string {
	if v == nil || v.kind == null || !d.isMapping(v, what) {
		return nil
	}
	m := map[string]string{}
	for _, e := range v.entries {
		if e.value.kind != scalar {
			d.fault(errs.YAMLInvalid, e.line, e.col, fmt.Sprintf("%q needs a single value (got %s)", e.key, e.value.kindName()), "write the key with dots, and one value behind the colon")
			continue
		}
		m[e.key] = e.value.text
	}
	return m
}

// serde is a serde by name; nil for a missing one.
func (d *document) serde(v *value) topology.Serde {
	name := d.text(v, "a serde")
	if name == "" {
		return nil
	}
	s, err := topology.SerdeByName(name)
	var fault *errs.Error
	if errors.As(err, &fault) {
		d.faultAt(errs.YAMLInvalid, v, fault.What, fault.Fix)
		return nil
	}
	return s
}

// oneOf is a text among allowed.
func (d *document) oneOf(v *value, what string, allowed []string) string {
	t := d.text(v, what)
	if t != "" && !slices.Contains(allowed, t) {
		d.faultAt(errs.YAMLInvalid, v, fmt.Sprintf("unknown %s %q", what, t), errs.DidYouMean(t, allowed))
		return ""
	}
	return t
}
