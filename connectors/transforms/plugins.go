package transforms

import "github.com/wasmstream/wasmstream/connectors"

const pkg = "org.apache.kafka.connect.transforms."

// Plugins are the transformations and predicates of this package.
func Plugins() []connectors.Plugin {
	out := []connectors.Plugin{
		one("DropHeaders", "removes headers", func() connectors.Transformation { return &DropHeaders{} }),
		one("Filter", "drops every record that comes to it", func() connectors.Transformation { return &Filter{} }),
		one("InsertHeader", "adds a header with a fixed value", func() connectors.Transformation { return &InsertHeader{} }),
		one("RegexRouter", "changes the topic by a regular expression", func() connectors.Transformation { return &RegexRouter{} }),
		one("TimestampRouter", "makes the topic of topic and timestamp", func() connectors.Transformation { return &TimestampRouter{} }),
		one("ValueToKey", "makes the key of fields of the value", func() connectors.Transformation { return &ValueToKey{} }),
	}
	out = append(out, ours("CelFilter", "keeps records for which an expression is true", func() connectors.Transformation { return &CELFilter{} }))
	for name, s := range map[string]side{"CelMap$Key": keySide, "CelMap$Value": valueSide} {
		out = append(out, ours(name, "replaces by the result of an expression", func() connectors.Transformation { return &CELMap{side: s} }))
	}
	sided := []struct {
		name, doc string
		make      func(side) connectors.Transformation
	}{
		{"Cast", "changes types", func(s side) connectors.Transformation { return &Cast{side: s} }},
		{"ExtractField", "replaces by one of its fields", func(s side) connectors.Transformation { return &ExtractField{side: s} }},
		{"Flatten", "lifts nested fields to the top", func(s side) connectors.Transformation { return &Flatten{side: s} }},
		{"HeaderFrom", "copies or moves fields to headers", func(s side) connectors.Transformation { return &HeaderFrom{side: s} }},
		{"HoistField", "wraps into a field", func(s side) connectors.Transformation { return &HoistField{side: s} }},
		{"InsertField", "inserts topic, partition, offset, timestamp or a text", func(s side) connectors.Transformation { return &InsertField{side: s} }},
		{"MaskField", "masks fields", func(s side) connectors.Transformation { return &MaskField{side: s} }},
		{"ReplaceField", "filters and renames fields", func(s side) connectors.Transformation { return &ReplaceField{side: s} }},
		{"SetSchemaMetadata", "sets the schema's name and version", func(s side) connectors.Transformation { return &SetSchemaMetadata{side: s} }},
		{"TimestampConverter", "converts timestamps", func(s side) connectors.Transformation { return &TimestampConverter{side: s} }},
	}
	for _, t := range sided {
		make := t.make
		out = append(
			out,
			one(t.name+"$Key", t.doc, func() connectors.Transformation { return make(keySide) }),
			one(t.name+"$Value", t.doc, func() connectors.Transformation { return make(valueSide) }),
		)
	}
	return append(
		out,
		predicate("HasHeaderKey", "records with a header", func() connectors.Predicate { return &HasHeaderKey{} }),
		predicate("RecordIsTombstone", "records without a value", func() connectors.Predicate { return &RecordIsTombstone{} }),
		predicate("TopicNameMatches", "records of topics that match a pattern", func() connectors.Predicate { return &TopicNameMatches{} }),
	)
}

func one(name, doc string, make func() connectors.Transformation) connectors.Plugin {
	return connectors.Plugin{Class: pkg + name, Kind: connectors.KindTransformation, Version: connectors.Version, Doc: doc, Transformation: make}
}

// ours is a transformation that Kafka has not.
func ours(name, doc string, make func() connectors.Transformation) connectors.Plugin {
	p := one(name, doc, make)
	p.Class = "io.github.wasmstream.connect.transforms." + name
	return p
}

func predicate(name, doc string, make func() connectors.Predicate) connectors.Plugin {
	return connectors.Plugin{Class: pkg + "predicates." + name, Kind: connectors.KindPredicate, Version: connectors.Version, Doc: doc, Predicate: make}
}
