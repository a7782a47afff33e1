package expr

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"unsafe"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"github.com/wasmstream/wasmstream/topology"
)

// decode gives CEL the bytes of a key or value.
func decode(s topology.Serde, data []byte) (ref.Val, error) {
	data, err := s.Deserialize(data)
	if err != nil {
		return nil, err
	}
	if data == nil {
		return types.NullValue, nil
	}
	switch s.Name() {
	case "string", "uuid":
		return types.String(text(data)), nil
	case "long":
		return types.Int(binary.BigEndian.Uint64(data)), nil
	case "int":
		return types.Int(int32(binary.BigEndian.Uint32(data))), nil
	case "short":
		return types.Int(int16(binary.BigEndian.Uint16(data))), nil
	case "float":
		return types.Double(math.Float32frombits(binary.BigEndian.Uint32(data))), nil
	case "double":
		return types.Double(math.Float64frombits(binary.BigEndian.Uint64(data))), nil
	case "boolean":
		return types.Bool(data[0] == 1), nil
	case "json":
		return decodeJSON(data)
	}
	return types.Bytes(data), nil
}

// text views bytes as a string without a copy: bytes of records never change.
func text(data []byte) string { return unsafe.String(unsafe.SliceData(data), len(data)) }

var errTrailing = errors.New("more than one JSON value")

func decodeJSON(data []byte) (ref.Val, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("reading JSON: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errTrailing
	}
	return types.DefaultTypeAdapter.NativeToValue(numbers(v)), nil
}

// numbers makes int64 of whole numbers and float64 of the others, in place.
func numbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, _ := v.Float64() // out of range gives an infinity, as in every reader of JSON
		return f
	case []any:
		for i := range v {
			v[i] = numbers(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = numbers(v[k])
		}
	}
	return v
}

// allocator is where encode takes its memory: an arena, or the heap for nil.
type allocator interface {
	Copy(b []byte) []byte
}

// encode gives the bytes of v as s writes it; nil for null.
func encode(a allocator, s topology.Serde, v ref.Val) ([]byte, error) {
	var small [64]byte
	b, err := appendValue(small[:0], s, v)
	if err != nil || b == nil {
		return nil, err
	}
	if a == nil {
		return append([]byte{}, b...), nil
	}
	return a.Copy(b), nil
}

func appendValue(dst []byte, s topology.Serde, v ref.Val) ([]byte, error) {
	if v == types.NullValue {
		return nil, nil
	}
	switch s.Name() {
	case "json":
		return appendJSON(dst, v)
	case "string", "uuid", "bytes":
		switch v := v.(type) {
		case types.String:
			return checked(s, append(dst, v...))
		case types.Bytes:
			return checked(s, append(dst, v...))
		}
	case "boolean":
		if b, ok := v.(types.Bool); ok {
			return append(dst, map[types.Bool]byte{true: 1}[b]), nil
		}
	case "float", "double":
		return appendDouble(dst, s, v)
	default:
		return appendInt(dst, s, v)
	}
	return nil, mismatch(s, v)
}

// checked holds text to what the serde reads.
func checked(s topology.Serde, b []byte) ([]byte, error) {
	return s.Deserialize(b)
}

func mismatch(s topology.Serde, v ref.Val) error {
	return fmt.Errorf("the expression gave %s but %s is written here", v.Type().TypeName(), s.Name())
}

func appendDouble(dst []byte, s topology.Serde, v ref.Val) ([]byte, error) {
	var f float64
	switch v := v.(type) {
	case types.Double:
		f = float64(v)
	case types.Int:
		f = float64(v)
	case types.Uint:
		f = float64(v)
	default:
		return nil, mismatch(s, v)
	}
	if s.Name() == "float" {
		return binary.BigEndian.AppendUint32(dst, math.Float32bits(float32(f))), nil
	}
	return binary.BigEndian.AppendUint64(dst, math.Float64bits(f)), nil
}

func appendInt(dst []byte, s topology.Serde, v ref.Val) ([]byte, error) {
	var n int64
	switch v := v.(type) {
	case types.Int:
		n = int64(v)
	case types.Uint:
		if v > math.MaxInt64 {
			return nil, outOfRange(s, v)
		}
		n = int64(v)
	default:
		return nil, mismatch(s, v)
	}
	switch s.Name() {
	case "short":
		if n != int64(int16(n)) {
			return nil, outOfRange(s, v)
		}
		return binary.BigEndian.AppendUint16(dst, uint16(n)), nil
	case "int":
		if n != int64(int32(n)) {
			return nil, outOfRange(s, v)
		}
		return binary.BigEndian.AppendUint32(dst, uint32(n)), nil
	}
	return binary.BigEndian.AppendUint64(dst, uint64(n)), nil
}

func outOfRange(s topology.Serde, v ref.Val) error {
	return fmt.Errorf("%v is out of the range of %s", v.Value(), s.Name())
}

// appendJSON writes v with the keys of maps sorted, so that equal values have equal bytes.
func appendJSON(dst []byte, v ref.Val) ([]byte, error) {
	switch v := v.(type) {
	case types.Null:
		return append(dst, "null"...), nil
	case types.Bool:
		return strconv.AppendBool(dst, bool(v)), nil
	case types.Int:
		return strconv.AppendInt(dst, int64(v), 10), nil
	case types.Uint:
		return strconv.AppendUint(dst, uint64(v), 10), nil
	case types.Double:
		return appendJSONValue(dst, float64(v))
	case types.String:
		return appendJSONValue(dst, string(v))
	case types.Bytes:
		return appendJSONValue(dst, base64.StdEncoding.EncodeToString(v))
	case traits.Mapper:
		return appendJSONMap(dst, v)
	case traits.Lister:
		return appendJSONList(dst, v)
	}
	s, ok := v.ConvertToType(types.StringType).(types.String)
	if !ok {
		return nil, fmt.Errorf("%s has no form in JSON", v.Type().TypeName())
	}
	return appendJSONValue(dst, string(s))
}

func appendJSONValue(dst []byte, v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return append(dst, bytes.TrimRight(b.Bytes(), "\n")...), nil
}

func appendJSONList(dst []byte, v traits.Lister) (_ []byte, err error) {
	dst = append(dst, '[')
	for it, n := v.Iterator(), 0; it.HasNext() == types.True; n++ {
		if n > 0 {
			dst = append(dst, ',')
		}
		if dst, err = appendJSON(dst, it.Next()); err != nil {
			return nil, err
		}
	}
	return append(dst, ']'), nil
}

func appendJSONMap(dst []byte, v traits.Mapper) (_ []byte, err error) {
	var keys []types.String
	for it := v.Iterator(); it.HasNext() == types.True; {
		key, ok := it.Next().ConvertToType(types.StringType).(types.String)
		if !ok {
			return nil, errors.New("a key of a map has no form in JSON")
		}
		keys = append(keys, key)
	}
	slices.Sort(keys)
	dst = append(dst, '{')
	for n, key := range keys {
		if n > 0 {
			dst = append(dst, ',')
		}
		if dst, err = appendJSONValue(dst, string(key)); err != nil {
			return nil, err
		}
		field, found := v.Find(key)
		if !found {
			return nil, fmt.Errorf("the key %q of a map is not a string", string(key))
		}
		if dst, err = appendJSON(append(dst, ':'), field); err != nil {
			return nil, err
		}
	}
	return append(dst, '}'), nil
}
