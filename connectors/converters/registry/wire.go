package registry

import (
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

const (
	prefixSerializer = "PrefixSchemaIdSerializer"
	headerSerializer = "HeaderSchemaIdSerializer"
)

func checkSerializer(name string, value any) error {
	switch s, _ := value.(string); strategyName(s) {
	case prefixSerializer, headerSerializer:
		return nil
	}
	return config.Invalid(name, value, "it is "+prefixSerializer+" or "+headerSerializer)
}

// What a message, or a header, begins with.
const (
	byID   = 0
	byGUID = 1
)

// identity is what a schema is known by: a GUID or, without one, a number.
type identity struct {
	id   int
	guid guid
}

func (i identity) String() string {
	if i.guid != (guid{}) {
		return i.guid.String()
	}
	return strconv.Itoa(i.id)
}

// guid knows a schema in all contexts of a registry.
type guid [16]byte

// String writes a GUID in groups of digits.
func (g guid) String() string {
	s := hex.EncodeToString(g[:])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

func parseGUID(s string) (g guid, err error) {
	b, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	if err != nil || len(b) != len(g) {
		return g, fault.Config.New(headerSerializer + " needs a registry that gives schemas a GUID (got " + strconv.Quote(s) + ")")
	}
	return guid(b), nil
}

// begin begins a message of a schema: its id, and in Protobuf which message of the schema it is, in front of the data or in a header.
func (c *client) begin(dst []byte, r registered, message []byte, h *connectors.Headers) []byte {
	if c.inHeader && h != nil {
		value := append(append([]byte{byGUID}, r.guid[:]...), message...)
		*h = h.Remove(c.header).Add(c.header, data.SchemaAndValue{Schema: data.BytesSchema, Value: data.BytesValue(value)})
		return dst
	}
	return append(binary.BigEndian.AppendUint32(append(dst, byID), uint32(r.id)), message...)
}

// cut takes a message apart. What follows the id in a header is before, and rest is the message then.
func (c *client) cut(h connectors.Headers, b []byte) (id identity, before, rest []byte, inHeader bool, err error) {
	if len(h) > 0 {
		if v, ok := h.Last(c.header); ok && v.Value.Type() == data.TypeBytes {
			id, before, err = cutIdentity(v.Value.Bytes())
			return id, before, b, true, err
		}
	}
	id, rest, err = cutIdentity(b)
	return id, nil, rest, false, err
}

func cutIdentity(b []byte) (id identity, rest []byte, err error) {
	switch {
	case len(b) >= 5 && b[0] == byID:
		return identity{id: int(binary.BigEndian.Uint32(b[1:]))}, b[5:], nil
	case len(b) >= 17 && b[0] == byGUID:
		return identity{guid: guid(b[1:17])}, b[17:], nil
	}
	return id, nil, fault.Data.New("Unknown magic byte: the message was not written with a schema registry").
		Because(fault.Serialization.New("Unknown magic byte!"))
}
