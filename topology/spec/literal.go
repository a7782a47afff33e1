package spec

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/wasmstream/wasmstream/topology"
)

// Literal is a key, value or header as it stands in a document. Which bytes it stands for depends on a serde. The zero
// value is one that is not given.
type Literal struct{ v *value }

// Given tells whether the literal is in the document.
func (l Literal) Given() bool { return l.v != nil }

// IsNull tells whether the literal is null, or not given.
func (l Literal) IsNull() bool { return l.v == nil || l.v.kind == null }

// IsTree tells whether the literal is a mapping or a list.
func (l Literal) IsTree() bool { return l.v != nil && (l.v.kind == mapping || l.v.kind == sequence) }

// Text is the literal of a single value as it is written, of any other its JSON.
func (l Literal) Text() string {
	if l.v != nil && l.v.kind == scalar {
		return l.v.text
	}
	return string(l.JSON())
}

// JSON is the literal as JSON, on one line, the keys in the order of the document.
func (l Literal) JSON() []byte { return appendJSON(nil, l.v) }

// Bytes are those that Kafka's serializer of s writes for the literal; nil for null. Mappings and lists are JSON, of
// windowed keys {key, start} or {key, start, end}, of lists their entries. A text that is JSON stands for that JSON where
// s is json.
func (l Literal) Bytes(s topology.Serde) ([]byte, error) {
	if l.IsNull() {
		return nil, nil
	}
	v := l.v
	switch {
	case v.kind == scalar && s.Name() == "json":
		if json.Valid([]byte(v.text)) {
			return []byte(v.text), nil
		}
		return l.JSON(), nil
	case v.kind == scalar:
		return topology.ParseText(s, v.text)
	case v.kind == mapping && topology.IsWindowed(s):
		return windowedLiteral(s, v)
	case strings.HasPrefix(s.Name(), "list("):
		return topology.ParseText(s, string(l.JSON()))
	case s.Name() == "json" || s.Name() == "string" || s.Name() == "bytes":
		return l.JSON(), nil
	}
	return nil, fmt.Errorf("%s is no %s", v.kindName(), s.Name())
}

// windowedLiteral is {key: a, start: 0} or {key: a, start: 0, end: 5000}.
func windowedLiteral(s topology.Serde, v *value) ([]byte, error) {
	start, end := numberOf(v, "start"), numberOf(v, "end")
	if v.get("key") == nil || start == "" {
		return nil, fmt.Errorf("a windowed key is {key: ..., start: ..., end: ...}")
	}
	if end == "" {
		end = start
	}
	return topology.ParseText(s, "["+Literal{v.get("key")}.Text()+"@"+start+"/"+end+"]")
}

func numberOf(v *value, key string) string {
	n := v.get(key)
	if n == nil || n.kind != scalar {
		return ""
	}
	if _, err := strconv.ParseInt(n.text, 10, 64); err != nil {
		return ""
	}
	return n.text
}

func appendJSON(dst []byte, v *value) []byte {
	switch {
	case v == nil || v.kind == null:
		return append(dst, "null"...)
	case v.kind == mapping:
		dst = append(dst, '{')
		for i, e := range v.entries {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(append(dst, Quoted(e.key)...), ':')
			dst = appendJSON(dst, e.value)
		}
		return append(dst, '}')
	case v.kind == sequence:
		dst = append(dst, '[')
		for i, item := range v.items {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendJSON(dst, item)
		}
		return append(dst, ']')
	case v.plain && isBare(v.text):
		return append(dst, v.text...)
	}
	return append(dst, Quoted(v.text)...)
}

// isBare tells whether a plain text is a number or a boolean of JSON.
func isBare(text string) bool {
	return text != "" && text[0] != '"' && text[0] != '{' && text[0] != '[' && text != "null" && json.Valid([]byte(text))
}

// Quoted is a text in quotes, as JSON and YAML have it.
func Quoted(text string) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(text) // of a string to memory
	return strings.TrimSuffix(b.String(), "\n")
}
