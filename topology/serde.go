package topology

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/wasmstream/wasmstream/internal/errs"
)

// The serdes, named as on the command line and in files. Their Deserialize allocates nothing for valid data. They are
// comparable and stateless; AppendText and ParseText are their textual form.
var (
	Bytes   Serde = bytesSerde{}
	String  Serde = stringSerde{}
	Long    Serde = fixedSerde{name: "long", size: 8, fault: "Size of data received by LongDeserializer is not 8"}
	Integer Serde = fixedSerde{name: "int", size: 4, fault: "Size of data received by IntegerDeserializer is not 4"}
	Short   Serde = fixedSerde{name: "short", size: 2, fault: "Size of data received by ShortDeserializer is not 2"}
	Float   Serde = fixedSerde{name: "float", size: 4, fault: "Size of data received by Deserializer is not 4"}
	Double  Serde = fixedSerde{name: "double", size: 8, fault: "Size of data received by Deserializer is not 8"}
	Boolean Serde = booleanSerde{}
	UUID    Serde = uuidSerde{}
	JSON    Serde = jsonSerde{}
)

// SerdeNames are the short names, sorted.
func SerdeNames() []string {
	return []string{"boolean", "bytes", "double", "float", "int", "json", "long", "short", "string", "uuid"}
}

// SerdeByName finds a serde by its short name, by Kafka's class name
// (org.apache.kafka.common.serialization.Serdes$StringSerde, with or without the package, StringSerializer and
// StringDeserializer included) or as Java code has it (Serdes.String()). Those made of others are
// timeWindowed(inner,size in ms), sessionWindowed(inner) and list(inner). Unknown names give an error with the nearest.
func SerdeByName(name string) (Serde, error) {
	if s := serdes[strings.ToLower(shortSerdeName(name))]; s != nil {
		return s, nil
	}
	if s, ok, err := compositeSerde(name); ok {
		if err != nil {
			return nil, err
		}
		return s, nil
	}
	fix := errs.DidYouMean(name, SerdeNames())
	if errs.Nearest(name, SerdeNames()) == "" {
		fix += ", or list(SERDE), timeWindowed(SERDE,MILLISECONDS), sessionWindowed(SERDE)"
	}
	return nil, errs.ConfigInvalid.New("", fmt.Sprintf("unknown serde %q", name), fix)
}

// shortSerdeName strips what Java puts around the type's name.
func shortSerdeName(name string) string {
	name = strings.TrimSpace(name)
	if i := strings.LastIndexAny(name, ".$"); i >= 0 {
		name = name[i+1:]
	}
	name = strings.TrimSuffix(name, "()")
	for _, suffix := range []string{"Serde", "Serializer", "Deserializer"} {
		if short, ok := strings.CutSuffix(name, suffix); ok && short != "" && short != "De" {
			return strings.TrimSuffix(short, "De")
		}
	}
	return name
}

// serdes by the short names in lower case and the names that Kafka's classes have. Read only.
var serdes = map[string]Serde{
	"bytes": Bytes, "bytearray": Bytes, "bytebuffer": Bytes, "string": String, "long": Long, "int": Integer,
	"integer": Integer, "short": Short, "float": Float, "double": Double, "boolean": Boolean, "bool": Boolean,
	"uuid": UUID, "json": JSON,
}

type bytesSerde struct{}

func (bytesSerde) Name() string                            { return "bytes" }
func (bytesSerde) Deserialize(data []byte) ([]byte, error) { return data, nil }

type stringSerde struct{}

func (stringSerde) Name() string { return "string" }

// Deserialize replaces what is not UTF-8 by U+FFFD, as Java does when it reads and writes the string again.
func (stringSerde) Deserialize(data []byte) ([]byte, error) {
	if utf8.Valid(data) {
		return data, nil
	}
	return appendJavaUTF8(make([]byte, 0, len(data)+8), data), nil
}

type fixedSerde struct {
	name  string
	size  int
	fault string
}

func (s fixedSerde) Name() string { return s.name }

func (s fixedSerde) Deserialize(data []byte) ([]byte, error) {
	if data != nil && len(data) != s.size {
		return nil, fmt.Errorf("%s (got %d bytes)", s.fault, len(data))
	}
	return data, nil
}

type booleanSerde struct{}

func (booleanSerde) Name() string { return "boolean" }

func (booleanSerde) Deserialize(data []byte) ([]byte, error) {
	switch {
	case data == nil:
		return nil, nil
	case len(data) != 1:
		return nil, fmt.Errorf("Size of data received by BooleanDeserializer is not 1 (got %d bytes)", len(data))
	case data[0] > 1:
		//lint:ignore ST1005 Kafka's words
		return nil, fmt.Errorf("Unexpected byte received by BooleanDeserializer: %d", int8(data[0]))
	}
	return data, nil
}

type jsonSerde struct{}

func (jsonSerde) Name() string { return "json" }

var errNotJSON = errors.New("the data is not valid JSON")

// Deserialize checks the syntax only; the bytes stay as they are, blanks and the order of fields included.
func (jsonSerde) Deserialize(data []byte) ([]byte, error) {
	if data != nil && !json.Valid(data) {
		return nil, errNotJSON
	}
	return data, nil
}
