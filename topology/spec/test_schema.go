package spec

import "encoding/json"

// TestSchema is the JSON Schema (draft 2020-12) of a document of test cases.
func TestSchema() []byte {
	b, err := json.MarshalIndent(testSchema(), "", "  ")
	if err != nil {
		panic("spec: the schema of tests is not JSON: " + err.Error())
	}
	return append(b, '\n')
}

func testSchema() object {
	return object{
		"$schema":     "https://json-schema.org/draft/2020-12/schema",
		"$id":         "https://wasmstream.dev/schema/tests.json",
		"title":       "wasmstream tests",
		"description": "Test cases of a stream application: records in, time that passes, and what comes of it.",
		"type":        "object", "additionalProperties": false,
		"required": []string{"tests"},
		"properties": object{
			"application": text("The document under test, from the folder of this one on; without it the one that this file is called after."),
			"config":      stringsByName("Settings that win over those of the application."),
			"serdes": object{"type": "object", "description": "Serdes of topics, where the topology does not say.", "additionalProperties": closed(object{
				"key": serdeRef(""), "value": serdeRef(""),
			})},
			"tests": object{"type": "array", "minItems": 1, "items": object{"$ref": "#/$defs/case"}},
		},
		"$defs": object{
			"serde":    object{"type": "string", "description": "A short name, or one of Kafka's class names."},
			"time":     described(object{"type": []string{"string", "integer"}}, "+61s after the clock, milliseconds since the epoch, or 2026-01-01T00:00:00Z."),
			"duration": object{"type": []string{"string", "integer"}, "examples": []string{"500ms", "10s", "5m", "1h30m", "2d"}},
			"headers":  described(object{"type": []string{"object", "null"}}, "Headers by their names."),
			"case":     caseSchema(),
			"step":     stepSchema(),
			"expected": expectedSchema(),
			"list":     object{"type": []string{"array", "null"}, "items": object{"$ref": "#/$defs/expected"}},
		},
	}
}

func defined(name string) object { return object{"$ref": "#/$defs/" + name} }

func caseSchema() object {
	return closed(object{
		"name":  text("The name of the case."),
		"clock": described(object{"type": "string"}, "The wall clock at the beginning, and the base of times such as +61s; the epoch if not given."),
		"input": described(object{"type": []string{"array", "null"}, "items": defined("step")}, "Records and time, one after the other."),
		"output": described(object{"type": []string{"object", "null"}, "additionalProperties": defined("list")},
			"What is written, by topic, in order. Topics that are not named are not compared."),
		"store": described(object{"type": []string{"object", "null"}, "additionalProperties": object{"oneOf": []object{defined("list"), {"type": "object"}}}},
			"What stores hold in the end, all of it, by store: values by keys, or a list of rows."),
		"dlq":   described(defined("list"), "What is set aside in the dead-letter topic."),
		"error": text("What the error that ends the application must match; without it there must be none."),
	})
}

func stepSchema() object {
	s := closed(object{
		"topic": text("A topic that the application reads."),
		"key":   object{}, "value": object{}, "ts": defined("time"), "headers": defined("headers"),
		"advance":             described(defined("duration"), "The wall clock and the task's stream time move on."),
		"advance_wall_clock":  described(defined("duration"), "The wall clock moves on."),
		"advance_stream_time": described(defined("duration"), "The task's stream time moves on, without a record."),
		"restart":             described(object{"const": true}, "The task ends as in a crash and starts from what is committed."),
	})
	var one []object
	for _, key := range append([]string{"topic"}, timeFields...) {
		one = append(one, object{"required": []string{key}})
	}
	s["oneOf"] = one
	return s
}

func expectedSchema() object {
	return closed(object{
		"key": object{}, "value": object{}, "ts": defined("time"), "headers": defined("headers"),
		"json_contains": described(object{}, "JSON that the value holds; it may hold more."),
		"matches":       text("What the text of the value must match."),
		"cel":           text("A condition on key, value, timestamp and headers."),
		"file":          text("The file whose content the value is."),
	})
}
