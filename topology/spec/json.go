package spec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"

	"github.com/wasmstream/wasmstream/internal/errs"
)

// parseJSON reads a document of strict JSON. Its places are those of the text written anew with a line for each value,
// which is what excerpts show.
func (s *source) parseJSON(data []byte) *value {
	s.lines = []string{""}
	switch {
	case len(data) > maxBytes:
		s.limit(1, 1, fmt.Sprintf("the document is larger than %d KiB", maxBytes>>10))
		return nil
	case deepest(data) > maxDepth:
		s.limit(1, 1, fmt.Sprintf("brackets nest more than %d deep", maxDepth))
		return nil
	case !utf8.Valid(data):
		s.fault(errs.YAMLSyntax, 1, 1, "the document is not UTF-8 text", "")
		return nil
	}
	var text bytes.Buffer
	if err := json.Indent(&text, data, "", "  "); err != nil {
		s.fault(errs.YAMLSyntax, 1, 1, "the document is not JSON ("+err.Error()+")", "")
		return nil
	}
	for line := range bytes.Lines(text.Bytes()) {
		s.lines = append(s.lines, string(bytes.TrimRight(line, "\n")))
	}
	s.lines = slices.Delete(s.lines, 0, 1)
	r := &jsonReader{source: s, text: text.Bytes(), decoder: json.NewDecoder(bytes.NewReader(text.Bytes())), line: 1}
	r.decoder.UseNumber()
	v, err := r.value()
	if err != nil && !errors.Is(err, errTooMany) {
		s.fault(errs.YAMLSyntax, 1, 1, "the document is not JSON ("+err.Error()+")", "")
		return nil
	}
	return v
}

// deepest is how deep the brackets of a JSON text nest, those in strings not counted. It stops one beyond the bound.
func deepest(data []byte) int {
	depth, most, inString, escaped := 0, 0, false, false
	for _, c := range data {
		switch {
		case escaped:
			escaped = false
		case inString && c == '\\':
			escaped = true
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return depth
			}
			most = max(most, depth)
		case c == '}' || c == ']':
			depth--
		}
	}
	return most
}

// errTooMany: the bound on values is reached, which is told.
var errTooMany = errors.New("too many values")

// jsonReader makes values of tokens. It knows their places, since a decoder only moves on.
type jsonReader struct {
	*source
	text    []byte
	decoder *json.Decoder
	at      int // the offset that line and start belong to
	line    int
	start   int // where the line begins
}

// place is where the next token begins.
func (r *jsonReader) place() (line, col int) {
	next := int(r.decoder.InputOffset())
	for next < len(r.text) && bytes.IndexByte([]byte(" \n\t\r,:"), r.text[next]) >= 0 {
		next++
	}
	for ; r.at < next; r.at++ {
		if r.text[r.at] == '\n' {
			r.line, r.start = r.line+1, r.at+1
		}
	}
	return r.line, utf8.RuneCount(r.text[r.start:next]) + 1
}

func (r *jsonReader) value() (*value, error) {
	v := &value{}
	v.line, v.col = r.place()
	if r.values++; r.values > maxValues {
		r.limit(v.line, v.col, fmt.Sprintf("there are more than %d values", maxValues))
		return v, errTooMany
	}
	token, err := r.decoder.Token()
	if err != nil {
		return v, err
	}
	switch token := token.(type) {
	case json.Delim:
		if token == '{' {
			v.kind = mapping
			return v, r.entries(v)
		}
		v.kind = sequence
		return v, r.items(v)
	case string:
		v.kind, v.text, v.quote = scalar, token, 1
	case json.Number:
		v.kind, v.text, v.plain = scalar, token.String(), true
	case bool:
		v.kind, v.text, v.plain = scalar, fmt.Sprint(token), true
	}
	return v, nil
}

func (r *jsonReader) items(v *value) error {
	for r.decoder.More() {
		item, err := r.value()
		v.items = append(v.items, item)
		if err != nil {
			return err
		}
	}
	return r.end()
}

func (r *jsonReader) entries(v *value) error {
	seen := map[string]bool{}
	for r.decoder.More() {
		line, col := r.place()
		token, err := r.decoder.Token()
		if err != nil {
			return err
		}
		key, ok := token.(string)
		if !ok {
			return io.ErrUnexpectedEOF
		}
		val, err := r.value()
		if seen[key] {
			r.fault(errs.YAMLDuplicateKey, line, col, fmt.Sprintf("the key %q occurs twice", key), "")
		} else {
			v.entries = append(v.entries, entry{key: key, line: line, col: col, value: val})
		}
		seen[key] = true
		if err != nil {
			return err
		}
	}
	return r.end()
}

// end takes a closing bracket.
func (r *jsonReader) end() error {
	_, err := r.decoder.Token()
	return err
}
