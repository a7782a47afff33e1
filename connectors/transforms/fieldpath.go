package transforms

import (
	"strconv"
	"strings"

	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

const fieldSyntaxVersion = "field.syntax.version"

// syntaxKey is the setting that tells names of fields from paths.
func syntaxKey() config.Key {
	return config.Key{
		Name: fieldSyntaxVersion, Type: config.String, Default: "V1", Validator: config.OneOfFold("V1", "V2"), Importance: config.High,
		Doc: "V1: fields are given by name. V2: by a path into nested data, with dots between steps and backticks around a step that holds dots.",
	}
}

const replaceNull = "replace.null.with.default"

// pathsKey is the same for transformations that have it beyond Kafka's: it comes behind their other settings.
func pathsKey() config.Key {
	key := syntaxKey()
	key.Importance = config.Low
	return key
}

// replaceNullKey is the setting of KIP-1040.
func replaceNullKey() config.Key {
	return config.Key{
		Name: replaceNull, Type: config.Boolean, Default: true, Importance: config.Medium,
		Doc: "Whether a null is read as its default where the schema has one.",
	}
}

// FieldPath leads to a field (KIP-821).
type FieldPath struct {
	// Text is the path as it was written.
	Text string
	// Steps are the names on the way.
	Steps []string
}

// ParseFieldPath reads a path. In V1 the text is the name of one field.
func ParseFieldPath(text, version string) (FieldPath, error) {
	if !strings.EqualFold(version, "V2") {
		return FieldPath{Text: text, Steps: []string{text}}, nil
	}
	p := FieldPath{Text: text}
	rest := text
	for rest != "" {
		var step string
		var n int
		if rest[0] == '`' {
			var err error
			if step, n, err = quotedStep(text, len(text)-len(rest)); err != nil {
				return p, err
			}
		} else if i := strings.IndexByte(rest, '.'); i >= 0 {
			step, n = rest[:i], i+1
		} else {
			step, n = rest, len(rest)
		}
		p.Steps = append(p.Steps, step)
		rest = rest[n:]
	}
	if strings.HasSuffix(text, ".") {
		p.Steps = append(p.Steps, "")
	}
	return p, nil
}

// quotedStep reads the step whose opening backtick is text[open], and returns how many bytes it and the dot after it take.
// A backtick that neither a dot nor the end follows belongs to the name, as does one before a dot after a backslash.
func quotedStep(text string, open int) (string, int, error) {
	var name strings.Builder
	start := open + 1
	for i := start; ; i++ {
		next := strings.IndexByte(text[i:], '`')
		if next < 0 {
			return "", 0, incomplete(text, open)
		}
		i += next
		escaped := text[i-1] == '\\'
		switch {
		case i == len(text)-1:
			if escaped {
				return "", 0, incomplete(text, open)
			}
			name.WriteString(text[start:i])
			return name.String(), i + 1 - open, nil
		case text[i+1] != '.':
		case escaped:
			name.WriteString(text[start : i-1])
			name.WriteByte('`')
			start = i + 1
		default:
			name.WriteString(text[start:i])
			return name.String(), i + 2 - open, nil
		}
	}
}

func incomplete(path string, at int) error {
	return config.Exception("Incomplete backtick pair in path: [" + path + "], consider adding a backslash before backtick at position " +
		strconv.Itoa(at) + " to escape it")
}

// SchemaIn finds the field's schema below a struct schema, nil if there is none.
func (p FieldPath) SchemaIn(s *data.Schema) *data.Schema {
	for _, step := range p.Steps {
		if s == nil || s.Type() != data.TypeStruct {
			return nil
		}
		f := s.Field(step)
		if f == nil {
			return nil
		}
		s = f.Schema
	}
	return s
}

// In finds the value below a map or struct, null if something on the way is missing or null. Something on the way that is
// neither map nor struct is a DataException.
func (p FieldPath) In(v data.Value, defaults bool) (data.Value, error) {
	for i, step := range p.Steps {
		switch {
		case v.IsNull():
			return v, nil
		case v.Map() != nil:
			v = v.Map().Get(step)
		case v.Struct() != nil:
			f := v.Struct().Schema().Field(step)
			if f == nil {
				return data.Null, nil
			}
			v = field(v.Struct(), f.Index, defaults)
		case i > 0:
			_, err := requireMap(v, "nested field access")
			return data.Null, err
		default:
			return data.Null, fault.Data.New("Only Map objects supported in absence of schema for [field access], found: " + v.Type().JavaClass())
		}
	}
	return v, nil
}

// Name is the last step.
func (p FieldPath) Name() string {
	if len(p.Steps) == 0 {
		return ""
	}
	return p.Steps[len(p.Steps)-1]
}

// parsePath is ParseFieldPath for what must lead to a field: a path of no steps leads to none.
func parsePath(text, version string) (FieldPath, error) {
	p, err := ParseFieldPath(text, version)
	if err == nil && len(p.Steps) == 0 {
		err = config.Exception("The path to the field is empty")
	}
	return p, err
}

// pathAt is parsePath for the text of a setting.
func pathAt(setting, text string, v config.Values) (FieldPath, error) {
	p, err := parsePath(text, v.String(fieldSyntaxVersion))
	return p, config.At(setting, err)
}

// pathsAt are the paths that a setting lists.
func pathsAt(setting string, v config.Values) ([]FieldPath, error) {
	texts := v.List(setting)
	paths := make([]FieldPath, 0, len(texts))
	for _, text := range texts {
		p, err := pathAt(setting, text, v)
		if err != nil {
			return nil, err
		}
		paths = append(paths, p)
	}
	return paths, nil
}
