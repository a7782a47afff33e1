package registry

import (
	"encoding/json"
	"net/url"
	"reflect"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

// jsonDocument is a JSON Schema as it is read. Members of the wrong form are as good as missing.
type jsonDocument struct {
	*jsonReading
	root map[string]any
}

// jsonReading is what the documents of one schema share.
type jsonReading struct {
	others map[string]map[string]any // those that are referred to, by the names of the references and by their $id
	open   map[uintptr]*data.Knot    // nodes that are being read as structs
	loose  bool                      // properties that are not required are optional
	sums   bool                      // generalized.sum.type.support
	unions int                       // that were named
	nodes  int                       // that were read: references make many of few
	depth  int
}

// maxNodes bounds the nodes of a schema whose references are followed, maxSchemaDepth how deep they are nested.
const (
	maxNodes       = 100_000
	maxSchemaDepth = 100
)

// readJSONSchema reads a schema as the registry has it.
func readJSONSchema(r registered, loose, sums bool) (*data.Schema, error) {
	d := jsonDocument{jsonReading: &jsonReading{others: map[string]map[string]any{}, open: map[uintptr]*data.Knot{}, loose: loose, sums: sums}}
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
	return d.schema(d.root, false)
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
	if fragment != "" && fragment[0] != '/' {
		node = anchored(d.root, fragment)
	} else if fragment != "" {
		node = pointed(d.root, fragment[1:])
	}
	out, ok := node.(map[string]any)
	if !ok {
		return d, nil, fault.Data.New("The JSON Schema refers to " + ref + ", which is not there")
	}
	return d, out, nil
}

// pointed is the node at the end of a pointer, whose steps are separated by slashes.
func pointed(node any, pointer string) any {
	for step := range strings.SplitSeq(pointer, "/") {
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
			return nil
		}
	}
	return node
}

// anchored is the node whose $id or $anchor is a name.
func anchored(node any, name string) any {
	switch at := node.(type) {
	case map[string]any:
		if at["$id"] == "#"+name || at["id"] == "#"+name || at["$anchor"] == name {
			return at
		}
		for _, key := range sortedKeys(at) {
			if found := anchored(at[key], name); found != nil {
				return found
			}
		}
	case []any:
		for _, x := range at {
			if found := anchored(x, name); found != nil {
				return found
			}
		}
	}
	return nil
}

// schema reads a node.
func (d jsonDocument) schema(node map[string]any, optional bool) (*data.Schema, error) {
	d.depth++
	defer func() { d.depth-- }()
	if d.nodes++; d.depth > maxSchemaDepth || d.nodes > maxNodes {
		return nil, fault.Data.New("The JSON Schema nests too deep, or refers to itself without end")
	}
	if ref, ok := node["$ref"].(string); ok {
		in, to, err := d.reference(ref)
		if err != nil {
			return nil, err
		}
		if k := d.open[nodeID(to)]; k != nil {
			return k.Reference(optional), nil
		}
		return in.schema(to, optional)
	}
	switch parts := partsOf(node); {
	case len(parts) > 1:
		return d.all(node, parts, optional)
	case len(parts) == 1 && parts[0].branches != nil && parts[0].all:
		return d.all(node, parts[0].branches, optional)
	case len(parts) == 1 && parts[0].branches != nil:
		return d.union(node, parts[0].branches, optional)
	}
	return d.plain(node, nodeID(node), optional)
}

func nodeID(node map[string]any) uintptr { return reflect.ValueOf(node).Pointer() }

// plain reads a node of one type, which references know as id.
func (d jsonDocument) plain(node map[string]any, id uintptr, optional bool) (*data.Schema, error) {
	var k data.Knot
	b, err := d.builder(node, id, &k)
	if err != nil {
		return nil, err
	}
	describeJSON(b, node)
	s, err := b.SetOptional(optional).Build()
	if err != nil {
		return nil, err
	}
	k.Tie(s)
	if node["default"] == nil || !s.Type().IsPrimitive() || s.IsLogical() {
		return s, nil
	}
	text, _ := json.Marshal(node["default"])
	if v, err := data.Convert(s, nil, data.StringValue(strings.Trim(string(text), `"`))); err == nil {
		return data.CopyAll(s).Default(v).Rebuild(), nil
	}
	return s, nil
}

// typeOf is the type of a node, or that which its other members speak of.
func typeOf(node map[string]any) string {
	if s, ok := node["type"].(string); ok {
		return s
	}
	for _, hint := range [][2]string{{"properties", "object"}, {"additionalProperties", "object"}, {"required", "object"}, {"items", "array"}, {"enum", "string"}} {
		if node[hint[0]] != nil {
			return hint[1]
		}
	}
	switch node["const"].(type) {
	case string:
		return "string"
	case bool:
		return "boolean"
	case float64:
		return "number"
	}
	return ""
}

// builder begins the schema of a node; knot is for a struct that is within itself.
func (d jsonDocument) builder(node map[string]any, id uintptr, knot *data.Knot) (*data.SchemaBuilder, error) {
	typ := typeOf(node)
	connect, _ := node["connect.type"].(string)
	if connect == "map" {
		return d.mapping(node, typ)
	}
	for t, names := range jsonTypes {
		if names[1] != "" && names[1] == connect {
			return data.NewSchema(t), nil
		}
	}
	switch typ {
	case "string":
		return d.enumeration(node), nil
	case "boolean":
		return data.NewSchema(data.TypeBoolean), nil
	case "integer":
		return data.NewSchema(data.TypeInt64), nil
	case "number":
		return data.NewSchema(data.TypeFloat64), nil
	case "array":
		items, ok := node["items"].(map[string]any)
		if !ok {
			return nil, fault.Data.New("Array schema did not specify the items type")
		}
		elem, err := d.schema(items, false)
		return data.NewArraySchema(elem), err
	case "object":
		if _, ok := node["additionalProperties"].(map[string]any); ok && node["properties"] == nil {
			return d.mapping(node, typ)
		}
		return d.object(id, d.properties(node, nil), knot)
	}
	return nil, fault.Data.New("A JSON Schema of type '" + typ + "' is not supported")
}

// enumeration is a string; the values that are allowed are parameters.
func (d jsonDocument) enumeration(node map[string]any) *data.SchemaBuilder {
	b := data.NewSchema(data.TypeString)
	symbols, _ := node["enum"].([]any)
	param := jsonEnumParameter(d.sums)
	if len(symbols) > 0 {
		b.Parameter(param, "")
	}
	for i, x := range symbols {
		symbol, ok := x.(string)
		if text, err := json.Marshal(x); !ok && err == nil {
			symbol = string(text)
		}
		if x == nil {
			symbol = nullSymbol
		}
		if d.sums {
			b.Parameter(param+"."+symbol, strconv.Itoa(i))
			continue
		}
		b.Parameter(param+"."+symbol, symbol)
	}
	return b
}

// mapping is a map: an object, or an array of objects with key and value.
func (d jsonDocument) mapping(node map[string]any, typ string) (*data.SchemaBuilder, error) {
	if typ != "array" {
		extra, _ := node["additionalProperties"].(map[string]any)
		elem, err := d.schema(extra, false)
		return data.NewMapSchema(data.StringSchema, elem), err
	}
	items, _ := node["items"].(map[string]any)
	properties, _ := items["properties"].(map[string]any)
	var entry [2]*data.Schema
	for i, name := range []string{"key", "value"} {
		p, _ := properties[name].(map[string]any)
		var err error
		if entry[i], err = d.schema(p, false); err != nil {
			return nil, err
		}
	}
	return data.NewMapSchema(entry[0], entry[1]), nil
}

// jsonProperty is a member of an object, in the document that says so.
type jsonProperty struct {
	in       jsonDocument
	name     string
	node     map[string]any
	required bool
}

// properties adds the members of an object, in the order of connect.index; those of the same name take the place of others.
func (d jsonDocument) properties(node map[string]any, to []jsonProperty) []jsonProperty {
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
	for _, name := range names {
		p, _ := properties[name].(map[string]any)
		property := jsonProperty{d, name, p, slices.Contains(required, any(name))}
		if i := slices.IndexFunc(to, func(p jsonProperty) bool { return p.name == name }); i >= 0 {
			to[i] = property
		} else {
			to = append(to, property)
		}
	}
	return to
}

// object begins the struct of a node with these members.
func (d jsonDocument) object(id uintptr, properties []jsonProperty, knot *data.Knot) (*data.SchemaBuilder, error) {
	d.open[id] = knot
	defer delete(d.open, id)
	b := data.NewStructSchema()
	for _, p := range properties {
		s, err := p.in.schema(p.node, d.loose && !p.required)
		if err != nil {
			return nil, err
		}
		b.Field(p.name, s)
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
