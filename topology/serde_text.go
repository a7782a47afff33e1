package topology

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/wasmstream/wasmstream/internal/errs"
)

// AppendText appends the textual form of data as s reads it: numbers in decimal, strings and JSON as they are, bytes
// as text where they are UTF-8 and as "base64:..." otherwise, null as "null".
func AppendText(dst []byte, s Serde, data []byte) ([]byte, error) {
	data, err := s.Deserialize(data)
	if err != nil {
		return dst, errs.RecordFormat.New(s.Name(), "the bytes are not of this type", "").WithCause(err)
	}
	if data == nil {
		return append(dst, "null"...), nil
	}
	switch s := s.(type) {
	case timeWindowedSerde, sessionWindowedSerde:
		return appendWindowedText(dst, s, data)
	case listSerde:
		return appendListText(dst, s, data)
	}
	switch s.Name() {
	case "long":
		return strconv.AppendInt(dst, int64(binary.BigEndian.Uint64(data)), 10), nil
	case "int":
		return strconv.AppendInt(dst, int64(int32(binary.BigEndian.Uint32(data))), 10), nil
	case "short":
		return strconv.AppendInt(dst, int64(int16(binary.BigEndian.Uint16(data))), 10), nil
	case "float":
		return appendFloat(dst, float64(math.Float32frombits(binary.BigEndian.Uint32(data))), 32), nil
	case "double":
		return appendFloat(dst, math.Float64frombits(binary.BigEndian.Uint64(data)), 64), nil
	case "boolean":
		return strconv.AppendBool(dst, data[0] == 1), nil
	case "bytes":
		if !utf8.Valid(data) {
			return base64.StdEncoding.AppendEncode(append(dst, base64Mark...), data), nil
		}
	}
	return append(dst, data...), nil
}

const base64Mark = "base64:"

// appendFloat writes whole numbers with ".0", as Java prints them, so that a double is told from a long.
func appendFloat(dst []byte, f float64, bits int) []byte {
	start := len(dst)
	dst = strconv.AppendFloat(dst, f, 'g', -1, bits)
	if !strings.ContainsAny(string(dst[start:]), ".eIN") {
		dst = append(dst, ".0"...)
	}
	return dst
}

// ParseText is the opposite of AppendText: the bytes that Kafka's serializer writes for text. It never returns nil
// without an error; null is not text and the caller's to decide.
func ParseText(s Serde, text string) ([]byte, error) {
	data, err := parseAny(s, text)
	if err == nil && data == nil {
		data, err = s.Deserialize([]byte(text))
	}
	if err != nil {
		return nil, errs.RecordFormat.New(s.Name(), fmt.Sprintf("%q is not of this type", clip(text)), "").WithCause(err)
	}
	return data, nil
}

func parseAny(s Serde, text string) ([]byte, error) {
	switch s := s.(type) {
	case timeWindowedSerde, sessionWindowedSerde:
		return parseWindowedText(s, text)
	case listSerde:
		return parseListText(s, text)
	}
	return parseText(s.Name(), text)
}

func parseText(serde, text string) ([]byte, error) {
	switch serde {
	case "long":
		n, err := strconv.ParseInt(text, 10, 64)
		return binary.BigEndian.AppendUint64(nil, uint64(n)), err
	case "int":
		n, err := strconv.ParseInt(text, 10, 32)
		return binary.BigEndian.AppendUint32(nil, uint32(n)), err
	case "short":
		n, err := strconv.ParseInt(text, 10, 16)
		return binary.BigEndian.AppendUint16(nil, uint16(n)), err
	case "float":
		f, err := strconv.ParseFloat(text, 32)
		return binary.BigEndian.AppendUint32(nil, math.Float32bits(float32(f))), err
	case "double":
		f, err := strconv.ParseFloat(text, 64)
		return binary.BigEndian.AppendUint64(nil, math.Float64bits(f)), err
	case "boolean":
		b, err := strconv.ParseBool(text)
		if b {
			return []byte{1}, err
		}
		return []byte{0}, err
	case "bytes":
		if encoded, ok := strings.CutPrefix(text, base64Mark); ok {
			data, err := base64.StdEncoding.DecodeString(encoded)
			return append([]byte{}, data...), err
		}
	}
	return nil, nil
}

func clip(text string) string {
	if len(text) <= 64 {
		return text
	}
	return strings.ToValidUTF8(text[:64], "") + "..."
}
