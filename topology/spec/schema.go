package spec

import (
	"encoding/json"
	"slices"

	"github.com/wasmstream/wasmstream/topology"
)

// object is a JSON object of the schema. Its keys are written sorted.
type object = map[string]any

// Schema is the JSON Schema (draft 2020-12) of a document, made of the same catalogue that reads one. What a schema
// cannot say (a reference that leads nowhere, a cycle, an expression's types) Parse finds.
func Schema() []byte {
	b, err := json.MarshalIndent(schema(), "", "  ")
	if err != nil {
		panic("spec: the schema is not JSON: " + err.Error())
	}
	return append(b, '\n')
}

func schema() object {
	return object{
		"$schema":     "https://json-schema.org/draft/2020-12/schema",
		"$id":         "https://wasmstream.dev/schema/application.json",
		"title":       "wasmstream application",
		"description": "A stream application: settings, wasm modules and operators by the names of Kafka Streams.",
		"type":        "object", "additionalProperties": false,
		"required": []string{"apiVersion", "kind"},
		"anyOf":    []object{{"required": []string{"operators"}}, {"required": []string{"topology"}}},
		"properties": object{
			"apiVersion": object{"const": APIVersion},
			"kind":       object{"const": Kind},
			"metadata": closed(object{
				"name": text("The name of the application; application.id if that is not set."), "description": text(""), "labels": stringsByName(""),
			}),
			"config":    object{"type": "object", "additionalProperties": setting, "description": "Settings of Kafka Streams and of Kafka's clients, spelled as Kafka spells them."},
			"modules":   object{"type": "object", "additionalProperties": moduleSchema(), "description": "The wasm modules by the names that guests are called by."},
			"topology":  object{"type": "array", "items": object{"$ref": "#/$defs/node"}, "minItems": 1, "description": "Calls of Kafka's Topology, in place of operators or on top of what they make."},
			"operators": object{"type": "array", "items": object{"$ref": "#/$defs/operator"}, "minItems": 1, "description": "The operators. Each reads the one before it, or what from names."},
			"stores":    object{"type": "array", "items": storeSchema(), "description": "The stores of processors."},
		},
		"$defs": object{
			"operator": operatorSchema(),
			"node":     nodeSchema(),
			"serde":    object{"type": "string", "description": "A short name, or one of Kafka's class names.", "examples": topology.SerdeNames()},
		},
	}
}

var setting = object{"type": []string{"string", "number", "boolean"}}

func text(doc string) object { return described(object{"type": "string", "minLength": 1}, doc) }

func described(o object, doc string) object {
	if doc != "" {
		o["description"] = doc
	}
	return o
}

func stringsByName(doc string) object {
	return described(object{"type": "object", "additionalProperties": setting}, doc)
}

func closed(properties object, required ...string) object {
	o := object{"type": "object", "additionalProperties": false, "properties": properties}
	if len(required) > 0 {
		o["required"] = required
	}
	return o
}

func moduleSchema() object {
	return closed(object{
		"path":   text("The file, from the folder of this document on."),
		"digest": object{"type": "string", "pattern": "^sha256:[0-9a-f]{64}$", "description": "What the file must be; any if it is not given."},
		"limits": stringsByName("What instances of the module may use, lower than the settings wasm.* say: memory.max.bytes, fuel.per.record, ..."),
		"components": object{"type": "object", "additionalProperties": closed(object{
			"limits": stringsByName("What calls of the component may use, lower than the module's limits."),
			"onError": described(object{"oneOf": []object{{"enum": []string{"handler", "fail", "skip", "dead-letter", "retry"}}, {"type": "object", "additionalProperties": setting}}},
				"What becomes of a record that the component fails on: a policy, or {policy: ..., retries: ..., retry.backoff.ms: ...}."),
		}), "description": "Limits and error policies of components, by their names."},
	}, "path")
}

func storeSchema() object { return fieldsSchema(storeFields) }

func serdeRef(doc string) object { return described(object{"$ref": "#/$defs/serde"}, doc) }

// operatorSchema is an entry of operators: id, from, name, and exactly one operator.
func operatorSchema() object {
	properties := object{
		"id":   text("A handle for from."),
		"from": described(object{"oneOf": []object{{"type": "string", "minLength": 1}, {"type": "array", "items": object{"type": "string"}, "minItems": 1}}}, "The ids of what this operator reads; the operator before it if not given."),
		"name": text("The name of the node, as Kafka's Named."),
	}
	var one []object
	for _, name := range operatorNames() {
		properties[name] = operatorBody(operators[name])
		one = append(one, object{"required": []string{name}})
	}
	return object{"type": "object", "additionalProperties": false, "properties": properties, "oneOf": one}
}

// nodeSchema is an entry of topology: a call of one method.
func nodeSchema() object {
	properties := object{}
	for _, name := range nodeCallNames() {
		properties[name] = described(fieldsSchema(nodeCalls[name].fields), nodeCalls[name].doc)
	}
	return object{"type": "object", "additionalProperties": false, "properties": properties, "minProperties": 1, "maxProperties": 1}
}

func operatorBody(op *operator) object {
	properties, required := object{}, []string{}
	for _, f := range op.fields {
		properties[f.name] = fieldSchema(f)
		if f.required {
			required = append(required, f.name)
		}
	}
	body := closed(properties, required...)
	body["description"] = op.doc
	if len(required) == 0 {
		body["type"] = []string{"object", "null"}
	}
	if slices.ContainsFunc(op.fields, func(f field) bool { return f.name == "guest" && !f.required }) {
		body["oneOf"] = oneFunction(op.fields)
	}
	return body
}

// oneFunction demands a guest or an expression where both can be.
func oneFunction(fields []field) []object {
	one := []object{{"required": []string{"guest"}}}
	if slices.ContainsFunc(fields, func(f field) bool { return f.name == "adder" }) {
		one = append(one, object{"required": []string{"adder", "subtractor"}})
	}
	if slices.ContainsFunc(fields, func(f field) bool { return f.name == "expr" }) {
		one = append(one, object{"required": []string{"expr"}})
	}
	return one
}

// fieldsSchema is a mapping of fields.
func fieldsSchema(fields []field) object {
	properties, required := object{}, []string{}
	for _, f := range fields {
		properties[f.name] = fieldSchema(f)
		if f.required {
			required = append(required, f.name)
		}
	}
	return closed(properties, required...)
}

// functionSchema is a user function of its own, a guest or an expression.
func functionSchema() object {
	o := fieldsSchema(function())
	o["oneOf"] = oneFunction(function())
	return o
}

func fieldSchema(f field) object {
	switch f.form {
	case texts:
		return described(object{"oneOf": []object{{"type": "string", "minLength": 1}, {"type": "array", "items": object{"type": "string", "minLength": 1}}}}, f.doc)
	case aSerde:
		return serdeRef(f.doc)
	case aTopicSerde:
		return described(object{"oneOf": []object{{"$ref": "#/$defs/serde"}, fieldsSchema(topicSerdeFields)}}, f.doc)
	case aNumber:
		return described(object{"type": "integer", "minimum": 1}, f.doc)
	case aBool:
		return described(object{"type": "boolean"}, f.doc)
	case aMap:
		return stringsByName(f.doc)
	case anExpr:
		// A constant like 1 or true is an expression too.
		return described(object{"type": []string{"string", "number", "boolean"}}, f.doc)
	case aPair:
		return described(closed(object{"key": fieldSchema(exprField), "value": fieldSchema(exprField)}, "key", "value"), f.doc)
	case aReset:
		return described(object{"oneOf": []object{{"enum": offsetResets}, fieldsSchema(byDuration)}}, f.doc)
	case anExtract:
		return described(object{"oneOf": []object{{"enum": extractors}, functionSchema()}}, f.doc)
	case anExprOrPair:
		return described(object{"oneOf": []object{fieldSchema(exprField), fieldSchema(field{form: aPair})}}, f.doc)
	case aStore:
		return described(object{"oneOf": []object{{"type": "string", "minLength": 1}, fieldsSchema(materializedFields)}}, f.doc)
	case aStoreKind:
		return described(object{"enum": storeKindNames()}, f.doc)
	case aStoreType:
		return described(object{"enum": storeTypes}, f.doc)
	case aWholeStore:
		return described(storeSchema(), f.doc)
	case storeRefs:
		return described(object{"oneOf": []object{{"type": "string", "minLength": 1}, {"type": "array", "items": object{"oneOf": []object{{"type": "string", "minLength": 1}, storeSchema()}}}}}, f.doc)
	case aJoinStore:
		return described(fieldsSchema(joinStoreFields), f.doc)
	case aBranch:
		return described(object{"type": []string{"object", "null"}, "additionalProperties": false, "properties": object{"id": text(""), "name": text("")}}, f.doc)
	case aDuration:
		return described(object{"type": []string{"string", "integer"}, "examples": []string{"500ms", "10s", "5m", "1h30m", "2d"}}, f.doc)
	case anEmit:
		return described(object{"enum": emitStrategies}, f.doc)
	case aFunction:
		return described(functionSchema(), f.doc)
	case functions:
		return described(object{"type": "array", "items": functionSchema(), "minItems": 1}, f.doc)
	case aTimeWindows:
		return described(fieldsSchema(timeWindowFields), f.doc)
	case aSlidingWindows:
		return described(fieldsSchema(slidingWindowFields), f.doc)
	case aSessionWindows:
		return described(fieldsSchema(sessionWindowFields), f.doc)
	case anUnlimitedWindow:
		o := fieldsSchema(unlimitedFields)
		o["type"] = []string{"object", "null"}
		return described(o, f.doc)
	case aJoinWindow:
		return described(fieldsSchema(joinWindowFields), f.doc)
	case branches:
		fields := function()
		b := closed(object{"id": text("A handle for from."), "name": text("What follows the split's name in the branch's.")})
		for _, f := range fields {
			b["properties"].(object)[f.name] = fieldSchema(f)
		}
		b["oneOf"] = oneFunction(fields)
		return described(object{"type": "array", "items": b, "minItems": 1}, f.doc)
	}
	return text(f.doc)
}
