package registry

import (
	"maps"
	"slices"
	"strconv"

	"github.com/wasmstream/wasmstream/connectors/converters"
	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

// jsonPart is one of the things that a node says: a type, or with branches a choice between schemas, or all of them at once.
type jsonPart struct {
	node     map[string]any
	branches []jsonPart
	all      bool
	of       uintptr // the node that node is a part of, 0 if it is a node itself
}

// combined are the members that combine schemas.
var combined = []string{"allOf", "anyOf", "oneOf"}

// partsOf takes a node apart: what it says itself, and what it combines. A list of types is a choice.
func partsOf(node map[string]any) []jsonPart {
	var parts []jsonPart
	own := maps.Clone(node)
	for _, member := range combined {
		if list, ok := node[member].([]any); ok {
			delete(own, member)
			parts = append(parts, jsonPart{node: node, branches: partsOfList(list), all: member == "allOf"})
		}
	}
	if types, ok := node["type"].([]any); ok {
		var branches []jsonPart
		for _, t := range types {
			one := maps.Clone(own)
			one["type"] = t
			branches = append(branches, jsonPart{node: one, of: nodeID(node)})
		}
		return append(parts, jsonPart{node: node, branches: branches})
	}
	if len(parts) == 0 {
		return []jsonPart{{node: node}}
	}
	if typeOf(own) != "" {
		parts = append(parts, jsonPart{node: own, of: nodeID(node)})
	}
	return parts
}

// partsOfList are the schemas of a list: combined ones come first, as the library has them that Confluent uses.
func partsOfList(list []any) []jsonPart {
	out := make([]jsonPart, 0, len(list))
	for _, x := range list {
		node, _ := x.(map[string]any)
		out = append(out, jsonPart{node: node})
	}
	slices.SortStableFunc(out, func(a, b jsonPart) int { return order(b.node) - order(a.node) })
	return out
}

func order(node map[string]any) int {
	if _, types := node["type"].([]any); types || slices.ContainsFunc(combined, func(member string) bool { return node[member] != nil }) {
		return 1
	}
	return 0
}

// part reads a part of a node.
func (d jsonDocument) part(p jsonPart, optional bool) (*data.Schema, error) {
	switch {
	case p.all:
		return d.all(p.node, p.branches, optional)
	case p.branches != nil:
		return d.union(p.node, p.branches, optional)
	case p.of != 0:
		return d.plain(p.node, p.of, optional)
	}
	return d.schema(p.node, optional)
}

// union is a type that may be null, or a struct with a field for each type.
func (d jsonDocument) union(node map[string]any, branches []jsonPart, optional bool) (*data.Schema, error) {
	isNull := func(p jsonPart) bool { return p.node["type"] == "null" }
	if null := slices.IndexFunc(branches, isNull); null >= 0 && len(branches) == 2 {
		return d.part(branches[1-null], true)
	}
	b := data.NewStructSchema()
	describeJSON(b, node)
	field := converters.UnionName + ".field."
	b.Name(converters.UnionName).SetOptional(optional)
	if d.sums {
		name := sumPrefix + strconv.Itoa(d.unions)
		d.unions++
		b.Name(name).Parameter(sumParameter, name)
		field = sumField
	}
	n := 0
	for _, p := range branches {
		if isNull(p) {
			b.Optional()
			continue
		}
		s, err := d.part(p, true)
		if err != nil {
			return nil, err
		}
		b.Field(field+strconv.Itoa(n), s)
		n++
	}
	return b.Build()
}

// all is a value that is all of several schemas: a struct with the members of each, a choice among them, or the one that says most of
// a single type.
func (d jsonDocument) all(node map[string]any, parts []jsonPart, optional bool) (*data.Schema, error) {
	var properties []jsonProperty
	for _, p := range parts {
		var err error
		if properties, err = d.members(p, properties, 0); err != nil {
			return nil, err
		}
	}
	if len(properties) > 0 {
		var k data.Knot
		b, err := d.object(nodeID(node), properties, &k)
		if err != nil {
			return nil, err
		}
		describeJSON(b, node)
		s, err := b.SetOptional(optional).Build()
		if err == nil {
			k.Tie(s)
		}
		return s, err
	}
	if len(parts) == 1 {
		return d.part(parts[0], optional)
	}
	if p, ok := foremost(parts); ok {
		return d.part(p, optional)
	}
	return nil, fault.Data.New("The JSON Schema combines schemas by allOf that have no type together")
}

// foremost is the part of an allOf without properties whose type counts: a choice; a number; an enumeration; a string; another schema.
func foremost(parts []jsonPart) (jsonPart, bool) {
	for _, is := range []func(p jsonPart) bool{
		func(p jsonPart) bool { return p.branches != nil || order(p.node) > 0 },
		func(p jsonPart) bool { return typeOf(p.node) == "number" || typeOf(p.node) == "integer" },
		func(p jsonPart) bool { return p.node["enum"] != nil },
		func(p jsonPart) bool { return p.node["$ref"] != nil || typeOf(p.node) != "" },
	} {
		if i := slices.IndexFunc(parts, is); i >= 0 {
			return parts[i], true
		}
	}
	return jsonPart{}, false
}

// members adds the properties of a part of an allOf, through references and allOfs within.
func (d jsonDocument) members(p jsonPart, to []jsonProperty, depth int) ([]jsonProperty, error) {
	if d.nodes++; depth > maxSchemaDepth || d.nodes > maxNodes {
		return nil, fault.Data.New("The JSON Schema nests too deep, or refers to itself without end")
	}
	if ref, ok := p.node["$ref"].(string); ok {
		in, node, err := d.reference(ref)
		if err != nil {
			return nil, err
		}
		return in.members(jsonPart{node: node}, to, depth+1)
	}
	parts := p.branches
	if parts == nil {
		parts = partsOf(p.node)
		if len(parts) == 1 && parts[0].branches == nil {
			return d.properties(p.node, to), nil
		}
		p.all = true
	}
	if !p.all {
		return to, nil
	}
	for _, part := range parts {
		var err error
		if to, err = d.members(part, to, depth+1); err != nil {
			return to, err
		}
	}
	return to, nil
}
