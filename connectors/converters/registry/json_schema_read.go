package registry

import (
	"encoding/json"
	"net/url"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

// jsonDocument is a JSON Schema as it is read. Members of the wrong form are as good as missing.
type jsonDocument struct {
	root   map[string]any
	others map[string]map[string]any // those that it refers to, by the names of the references and by their $id
	loose  bool                      // properties that are not required are optional
	nodes  *int                      // that were read: references make many of few
}

// maxNodes bounds the nodes of a schema whose references are followed.
const maxNodes = 100_000

// readJSONSchema reads a schema as the registry has it.
func readJSONSchema(r registered, loose bool) (*data.Schema, error) {
	d := jsonDocument{others: map[string]map[string]any{}, loose: loose, nodes: new(int)}
	for _, to := range append(slices.Clone(r.references), reference{"", r.text}) {
		d.root = nil
		if err := json.Unmarshal([]byte(to.text), &d.root); err != nil {
			return nil, fault.Data.Errorf("reading a JSON Schema: %w", err)
		}
		d.others[to.name] = d.root
		if id, ok := d.root["$id"].(string); ok {
			d.others[strings.TrimSuffix(id, "#")] = d.root
		}
	}
	return d.schema(d.root, false, 0)
}

// reference is the node that a $ref names, and the document that it lies in.
func (d jsonDocument) reference(ref string) (jsonDocument, map[string]any, error) {
	name, fragment, _ := strings.Cut(ref, "#")
	if name != "" {
		root, ok := d.others[name]
		if base, _ := d.root["$id"].(string); !ok && base != "" {
			root = d.others[base[:strings.LastIndexByte(base, '/')+1]+name]
		}
		if d.root = root; root == nil {
			return d, nil, fault.Data.New("The JSON Schema refers to " + ref + ", which is not among the schema's references")
		}
	}
	var node any = d.root
	for step := range strings.SplitSeq(strings.TrimPrefix(fragment, "/"), "/") {
		if fragment == "" {
			break
		}
		step = strings.NewReplacer("~1", "/", "~0", "~").Replace(step)
		if plain, err := url.PathUnescape(step); err == nil {
			step = plain
		}
		switch at := node.(type) {
		case map[string]any:
			node = at[step]
		case []any:
			i, err := strconv.Atoi(step)
			if node = nil; err == nil && i >= 0 && i < len(at) {
				node = at[i]
			}
		default:
			node = nil
		}
	}
	out, ok := node.(map[string]any)
	if !ok {
		return d, nil, fault.Data.New("The JSON Schema refers to " + ref + ", which is not there")
	}
	return d, out, nil
}

// schema reads a node.
func (d jsonDocument) schema(node map[string]any, optional bool, depth int) (*data.Schema, error) {
	if *d.nodes++; depth > 100 || *d.nodes > maxNodes {
		return nil, fault.Data.New("The JSON Schema nests too deep, or is within itself")
	}
	if ref, ok := node["$ref"].(string); ok {
		in, to, err := d.reference(ref)
		if err != nil {
			return nil, err
		}
		return in.schema(to, optional, depth+1)
	}
	if all, _ := node["allOf"].([]any); len(all) == 1 && node["type"] == nil {
		only, _ := all[0].(map[string]any)
		return d.schema(only, optional, depth+1)
	}
	for _, union := range []string{"oneOf", "anyOf"} {
		branches, _ := node[union].([]any)
		if len(branches) == 0 {
			continue
		}
		return d.union(branches, optional, depth)
	}
	typ, null := jsonType(node["type"])
	optional = optional || null
	b, err := d.builder(node, typ, depth)
	if err != nil {
		return nil, err
	}
	describeJSON(b, node)
	s, err := b.SetOptional(optional).Build()
	if err != nil || node["default"] == nil || !s.Type().IsPrimitive() || s.IsLogical() {
		return s, err
	}
	text, _ := json.Marshal(node["default"])
	if v, err := data.Convert(s, nil, data.StringValue(strings.Trim(string(text), `"`))); err == nil {
		return data.CopyAll(s).Default(v).Rebuild(), nil
	}
	return s, nil
}

// jsonType is the type of a node: of several, the one that is not null.
func jsonType(v any) (name string, null bool) {
	list, ok := v.([]any)
	if !ok {
		s, _ := v.(string)
		return s, false
	}
	for _, x := range list {
		if s, _ := x.(string); s == "null" {
			null = true
		} else if name == "" {
			name = s
		}
	}
	return name, null
}

func (d jsonDocument) union(branches []any, optional bool, depth int) (*data.Schema, error) {
	var others []map[string]any
	for _, x := range branches {
		b, _ := x.(map[string]any)
		if t, _ := jsonType(b["type"]); t == "null" {
			optional = true
		} else if b != nil {
			others = append(others, b)
		}
	}
	if len(others) != 1 {
		return nil, fault.Data.New("A JSON Schema with a choice of several types is not supported")
	}
	return d.schema(others[0], optional, depth+1)
}

func (d jsonDocument) builder(node map[string]any, typ string, depth int) (*data.SchemaBuilder, error) {
	connect, _ := node["connect.type"].(string)
	for t, names := range jsonTypes {
		if names[1] != "" && names[1] == connect {
			return data.NewSchema(t), nil
		}
	}
	switch typ {
	case "string":
		return data.NewSchema(data.TypeString), nil
	case "boolean":
		return data.NewSchema(data.TypeBoolean), nil
	case "integer":
		return data.NewSchema(data.TypeInt64), nil
	case "number":
		return data.NewSchema(data.TypeFloat64), nil
	case "array":
		items, _ := node["items"].(map[string]any)
		elem, err := d.schema(items, false, depth+1)
		return data.NewArraySchema(elem), err
	case "object":
		if extra, ok := node["additionalProperties"].(map[string]any); ok && node["properties"] == nil {
			elem, err := d.schema(extra, false, depth+1)
			return data.NewMapSchema(data.StringSchema, elem), err
		}
		return d.properties(node, depth)
	}
	return nil, fault.Data.New("A JSON Schema of type '" + typ + "' is not supported")
}

func (d jsonDocument) properties(node map[string]any, depth int) (*data.SchemaBuilder, error) {
	properties, _ := node["properties"].(map[string]any)
	required, _ := node["required"].([]any)
	names := sortedKeys(properties)
	index := func(name string) float64 {
		p, _ := properties[name].(map[string]any)
		i, ok := p["connect.index"].(float64)
		if !ok {
			return float64(len(names))
		}
		return i
	}
	sort.SliceStable(names, func(a, b int) bool { return index(names[a]) < index(names[b]) })
	b := data.NewStructSchema()
	for _, name := range names {
		p, _ := properties[name].(map[string]any)
		optional := d.loose && !slices.Contains(required, any(name))
		s, err := d.schema(p, optional, depth+1)
		if err != nil {
			return nil, err
		}
		b.Field(name, s)
	}
	return b, nil
}

func describeJSON(b *data.SchemaBuilder, node map[string]any) {
	if name, ok := node["title"].(string); ok {
		b.Name(name)
	}
	if v, ok := node["connect.version"].(float64); ok {
		b.Version(int32(v))
	}
	if doc, ok := node["description"].(string); ok {
		b.Doc(doc)
	}
	params, _ := node["connect.parameters"].(map[string]any)
	for _, name := range sortedKeys(params) {
		if s, ok := params[name].(string); ok {
			b.Parameter(name, s)
		}
	}
}
