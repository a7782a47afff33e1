package config

import (
	"errors"
	"slices"
)

// Value is the outcome of validating one setting: Kafka's ConfigValue.
type Value struct {
	Name        string
	Value       any // as Values holds it, nil for null or unreadable
	Recommended []string
	Errors      []string
	Visible     bool
}

// AddError adds a message.
func (v *Value) AddError(message string) { v.Errors = append(v.Errors, message) }

// ParseAll is Parse whose error tells the fault of every setting, one in a line.
func (d *Def) ParseAll(props Props) (Values, error) {
	var faults []error
	for _, v := range d.Validate(props) {
		if len(v.Errors) > 0 {
			faults = append(faults, Exception(v.Errors[0])) // what follows says no more than that there is no value
		}
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return d.Parse(props)
}

// Validate checks every setting and reports all faults at once: one Value for each defined key, in the order of
// definition, then one for each name that dependents refer to and nobody defines.
func (d *Def) Validate(props Props) []*Value {
	byName := d.ValidateAll(props)
	out := make([]*Value, 0, len(byName))
	for _, name := range d.order {
		out = append(out, byName[name])
	}
	for _, name := range d.undefinedDependents() {
		if v := byName[name]; v != nil && !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

// ValidateAll is Validate by name.
func (d *Def) ValidateAll(props Props) map[string]*Value {
	values := make(map[string]*Value, len(d.order))
	for _, name := range d.order {
		values[name] = &Value{Name: name, Visible: true}
	}
	for _, name := range d.undefinedDependents() {
		values[name] = &Value{Name: name, Errors: []string{name + " is referred in the dependents, but not defined."}}
	}
	parsed := d.parseForValidate(props, values)
	return d.recommend(parsed, values)
}

// parseForValidate reads every value. Validators also see what could not be read, as null, and add their complaint.
func (d *Def) parseForValidate(props Props, values map[string]*Value) Values {
	parsed := Values{}
	for _, name := range d.order {
		k, v := d.keys[name], values[name]
		raw, given := props[name]
		switch {
		case given && raw != nil:
			p, err := ParseType(name, *raw, k.Type)
			if err != nil {
				v.AddError(err.Error())
			} else {
				v.Value = p
			}
		case given:
		case k.Required():
			v.AddError("Missing required configuration \"" + name + "\" which has no default value.")
		default:
			v.Value = k.Default
		}
		if k.Validator != nil {
			if err := k.Validator.Ensure(name, v.Value); err != nil {
				v.AddError(err.Error())
			}
		}
		parsed[name] = v.Value
	}
	return parsed
}

func (d *Def) recommend(parsed Values, values map[string]*Value) map[string]*Value {
	for _, name := range d.order {
		k, v := d.keys[name], values[name]
		if k.Recommender == nil {
			continue
		}
		v.Recommended = k.Recommender.ValidValues(name, parsed)
		v.Visible = k.Recommender.Visible(name, parsed)
	}
	return values
}
