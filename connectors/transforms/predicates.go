package transforms

import (
	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/fault"
	"github.com/wasmstream/wasmstream/connectors/jtext"
)

// HasHeaderKey is true for records that have a header of a name.
type HasHeaderKey struct {
	closer
	name string
}

// ConfigDef defines name.
func (*HasHeaderKey) ConfigDef() *config.Def {
	return config.NewDef(config.Key{Name: "name", Type: config.String, Validator: config.NonEmpty, Importance: config.Medium, Doc: "The header to look for."})
}

// Configure reads the settings.
func (p *HasHeaderKey) Configure(props config.Props) error {
	v, err := p.ConfigDef().Parse(props)
	p.name = v.String("name")
	return err
}

// Test looks for the header.
func (p *HasHeaderKey) Test(r *connectors.Record) (bool, error) { return r.Headers.Has(p.name), nil }

// RecordIsTombstone is true for records whose value is null.
type RecordIsTombstone struct{ closer }

// ConfigDef defines nothing.
func (*RecordIsTombstone) ConfigDef() *config.Def { return config.NewDef() }

// Configure reads nothing.
func (*RecordIsTombstone) Configure(config.Props) error { return nil }

// Test looks at the value.
func (*RecordIsTombstone) Test(r *connectors.Record) (bool, error) {
	return r.Value.Value.IsNull(), nil
}

// TopicNameMatches is true for records whose whole topic matches a pattern.
type TopicNameMatches struct {
	closer
	regex  *jtext.Regex
	last   string
	result bool
}

// ConfigDef defines pattern.
func (*TopicNameMatches) ConfigDef() *config.Def {
	return config.NewDef(config.Key{
		Name: "pattern", Type: config.String, Validator: config.All(config.NonEmpty, config.Check(checkPattern)), Importance: config.Medium,
		Doc: "A Java regular expression for the whole topic.",
	})
}

func checkPattern(name string, value any) error {
	s, ok := value.(string)
	if !ok {
		return nil
	}
	if _, err := jtext.CompileRegex(s); err != nil {
		return config.Invalid(name, value, "Invalid regex: "+err.Error())
	}
	return nil
}

// Configure reads the settings.
func (p *TopicNameMatches) Configure(props config.Props) error {
	v, err := p.ConfigDef().Parse(props)
	if err != nil {
		return err
	}
	p.regex, err = jtext.CompileRegex(v.String("pattern"))
	return err
}

// Test matches the topic; a record without one does not match. A match that is given up is an error of the record.
func (p *TopicNameMatches) Test(r *connectors.Record) (bool, error) {
	if r.Topic == "" {
		return false, nil
	}
	if r.Topic != p.last {
		matches, err := p.regex.Matches(r.Topic)
		if err != nil {
			return false, fault.Data.New(err.Error()).Because(err)
		}
		p.last, p.result = r.Topic, matches
	}
	return p.result, nil
}
