package converters

import (
	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/data"
)

// Plugins are the converters and header converters of this package.
func Plugins() []connectors.Plugin {
	var out []connectors.Plugin
	for _, p := range []struct {
		class, doc string
		make       func() plainConverter
	}{
		{"org.apache.kafka.connect.storage.StringConverter", "text", func() plainConverter { return &stringConverter{} }},
		{"org.apache.kafka.connect.converters.ByteArrayConverter", "bytes as they are", func() plainConverter { return bytesConverter{} }},
		{"org.apache.kafka.connect.converters.BooleanConverter", "one byte, 0 or 1", func() plainConverter { return booleanConverter{} }},
		{"org.apache.kafka.connect.converters.ShortConverter", "2 bytes, big-endian", number("short", data.TypeInt16)},
		{"org.apache.kafka.connect.converters.IntegerConverter", "4 bytes, big-endian", number("integer", data.TypeInt32)},
		{"org.apache.kafka.connect.converters.LongConverter", "8 bytes, big-endian", number("long", data.TypeInt64)},
		{"org.apache.kafka.connect.converters.FloatConverter", "4 bytes, IEEE 754", number("float", data.TypeFloat32)},
		{"org.apache.kafka.connect.converters.DoubleConverter", "8 bytes, IEEE 754", number("double", data.TypeFloat64)},
	} {
		make := p.make
		out = append(
			out,
			converter(p.class, p.doc, func() connectors.Converter { return asConverter{make()} }),
			header(p.class, p.doc, func() connectors.HeaderConverter { return asHeader{make()} }),
		)
	}
	const json = "org.apache.kafka.connect.json.JsonConverter"
	return append(
		out,
		converter(json, "JSON, with or without schemas", func() connectors.Converter { return &JSON{} }),
		header(json, "JSON, with or without schemas", func() connectors.HeaderConverter { return &JSONHeaders{} }),
		header("org.apache.kafka.connect.storage.SimpleHeaderConverter", "text whose type is guessed", func() connectors.HeaderConverter { return asHeader{simpleHeaders{}} }),
	)
}

func number(name string, t data.Type) func() plainConverter {
	return func() plainConverter { return numberConverter{name: name, typ: t} }
}

func converter(class, doc string, make func() connectors.Converter) connectors.Plugin {
	return connectors.Plugin{Class: class, Kind: connectors.KindConverter, Version: connectors.Version, Doc: doc, Converter: make}
}

func header(class, doc string, make func() connectors.HeaderConverter) connectors.Plugin {
	return connectors.Plugin{Class: class, Kind: connectors.KindHeaderConverter, Version: connectors.Version, Doc: doc, HeaderConverter: make}
}
