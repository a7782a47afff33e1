package connectorconfig_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmstream/wasmstream/connectors/builtin"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/connectorconfig"
)

const transforms = "org.apache.kafka.connect.transforms."

// TestValidate has settings, over those of a file source or sink, with the errors that Kafka 4.3.1 answers, or ours where it has none.
func TestValidate(t *testing.T) {
	for _, tt := range []struct {
		what  string
		class string
		props map[string]string
		opts  connectorconfig.Options
		want  errs
	}{
		{"topics twice", "FileStreamSink", map[string]string{"topics": "a, a ,b"}, kafka, errs{"topics": {"Configuration 'topics' values must not be duplicated."}}},
		{"topics without a name", "FileStreamSink", map[string]string{"topics": "a,,b"}, kafka, errs{"topics": {"Configuration 'topics' values must not be empty."}}},
		{
			"a transformation's own checks know their settings without the prefix", "FileStreamSource",
			map[string]string{"transforms": "a", "transforms.a.type": transforms + "DropHeaders", "transforms.a.headers": "x,x"},
			kafka,
			errs{"transforms.a.headers": {"Configuration 'headers' values must not be duplicated."}},
		},
		{
			"and what is missing with it", "FileStreamSource",
			map[string]string{"transforms": "a", "transforms.a.type": transforms + "DropHeaders"},
			kafka,
			errs{"transforms.a.headers": {"Missing required configuration \"transforms.a.headers\" which has no default value.", "Configuration 'headers' values must not be null."}},
		},
		{
			"a standalone worker of Kafka does not ask for exactly once", "FileStreamSource", map[string]string{"exactly.once.support": "required"}, kafka, errs{},
		},
		{
			"ours does", "FileStreamSource",
			map[string]string{"exactly.once.support": "required"},
			ours,
			errs{"exactly.once.support": {"This worker does not have exactly-once source support enabled."}},
		},
		{
			"a path that cannot be read", "FileStreamSource",
			map[string]string{"transforms": "a", "transforms.a.type": transforms + "MaskField$Value", "transforms.a.fields": "x,`y", "transforms.a.field.syntax.version": "V2"},
			ours,
			errs{"transforms.a.fields": {"Incomplete backtick pair in path: [`y], consider adding a backslash before backtick at position 0 to escape it"}},
		},
		{
			"a path that cannot be read, which Kafka tells when the task starts", "FileStreamSource",
			map[string]string{"transforms": "a", "transforms.a.type": transforms + "ExtractField$Value", "transforms.a.field": "`y", "transforms.a.field.syntax.version": "V2"},
			kafka,
			errs{},
		},
		{
			"what only shows when converters are configured", "FileStreamSource",
			map[string]string{
				"key.converter": "org.apache.kafka.connect.storage.StringConverter", "key.converter.converter.encoding": "EBCDIC-99",
				"value.converter": "org.apache.kafka.connect.json.JsonConverter", "value.converter.schema.content": "{oops",
				"header.converter": "org.apache.kafka.connect.storage.SimpleHeaderConverter",
			},
			ours,
			errs{
				"key.converter.converter.encoding": {"Invalid value EBCDIC-99 for configuration converter.encoding: Unsupported character set; supported are UTF-8, US-ASCII, ISO-8859-1, UTF-16, UTF-16BE, UTF-16LE"},
				"value.converter.schema.content":   {"Invalid schema.content: Schema must contain 'type' field"},
			},
		},
		{
			"what only shows when transformations are configured, of each", "FileStreamSource",
			map[string]string{
				"transforms":        "a,b,c,d",
				"transforms.a.type": transforms + "InsertField$Value",
				"transforms.b.type": transforms + "HeaderFrom$Value", "transforms.b.fields": "x,y", "transforms.b.headers": "x", "transforms.b.operation": "copy",
				"transforms.c.type": transforms + "TimestampConverter$Value", "transforms.c.target.type": "string",
				"transforms.d.type": transforms + "ExtractField$Value", "transforms.d.field": "fine",
			},
			ours,
			errs{
				"transforms.a.type":    {"No field insertion configured"},
				"transforms.b.headers": {"'fields' config must have the same number of elements as 'headers' config."},
				"transforms.c.format":  {"TimestampConverter requires format option to be specified when using string timestamps"},
			},
		},
		{
			"topics by a pattern that the consumer cannot search by", "FileStreamSink",
			map[string]string{"topics.regex": "(?!_).*"},
			ours,
			errs{"topics.regex": {"Invalid value (?!_).* for configuration topics.regex: Invalid regex: lookahead, lookbehind, backreferences and possessive quantifiers are not supported for topics; name the topics in 'topics'"}},
		},
		{
			"restarts", "FileStreamSink",
			map[string]string{"topics": "t", "restart.policy": "sometimes", "restart.limit": "-1", "restart.backoff.ms": "soon"},
			ours,
			errs{
				"restart.policy":     {"Invalid value sometimes for configuration restart.policy: String must be one of: on-failure, none"},
				"restart.limit":      {"Invalid value -1 for configuration restart.limit: Value must be at least 0"},
				"restart.backoff.ms": {"Invalid value soon for configuration restart.backoff.ms: Not a number of type LONG"},
			},
		},
		{"restarts, of which Kafka knows nothing", "FileStreamSink", map[string]string{"topics": "t", "restart.policy": "sometimes"}, kafka, errs{}},
		{
			"dead letters of a source", "FileStreamSource",
			map[string]string{"errors.deadletterqueue.topic.replication.factor": "x"},
			ours,
			errs{"errors.deadletterqueue.topic.replication.factor": {"Invalid value x for configuration errors.deadletterqueue.topic.replication.factor: Not a number of type SHORT"}},
		},
	} {
		t.Run(tt.what, func(t *testing.T) {
			props := config.PropsOf(map[string]string{"name": "c", "connector.class": tt.class, "file": "f"})
			if tt.class == "FileStreamSource" {
				props.Set("topic", "t")
			}
			for name, v := range tt.props {
				props.Set(name, v)
			}
			infos, err := connectorconfig.New(builtin.Plugins()).Validate(props, tt.opts)
			if err != nil {
				t.Fatal(err)
			}
			got := errs{}
			for _, i := range infos.Configs {
				if len(i.Value.Errors) > 0 {
					got[i.Value.Name] = i.Value.Errors
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

type errs map[string][]string

var kafka, ours = connectorconfig.Options{KafkaCompat: true}, connectorconfig.Options{}

// TestFullNames wants the class that an alias stands for in the answer, and nothing for one that is not there; connector.class stays as it
// was given.
func TestFullNames(t *testing.T) {
	infos, err := connectorconfig.New(builtin.Plugins()).Validate(config.PropsOf(map[string]string{
		"name": "c", "connector.class": "FileStreamSink", "topics": "t", "key.converter": "StringConverter", "value.converter": "Nobodys", "header.converter": "JsonConverter",
		"transforms": "a", "transforms.a.type": "Filter", "predicates": "p", "predicates.p.type": "RecordIsTombstone",
	}), kafka)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"connector.class": "FileStreamSink", "key.converter": "org.apache.kafka.connect.storage.StringConverter", "value.converter": "null",
		"header.converter": "org.apache.kafka.connect.json.JsonConverter", "transforms.a.type": transforms + "Filter",
		"predicates.p.type": transforms + "predicates.RecordIsTombstone",
	}
	got := map[string]string{}
	for _, i := range infos.Configs {
		if _, asked := want[i.Value.Name]; !asked {
			continue
		}
		got[i.Value.Name] = "null"
		if i.Value.Value != nil {
			got[i.Value.Name] = *i.Value.Value
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestPluginVersionsAreChecked wants a fault with the version and with the class, for each kind of plugin.
func TestPluginVersionsAreChecked(t *testing.T) {
	d := connectorconfig.New(builtin.Plugins())
	base := map[string]string{
		"name": "x", "connector.class": "FileStreamSource", "topic": "t", "file": "f", "transforms": "t", "transforms.t.type": "InsertField$Value", "transforms.t.static.field": "f", "transforms.t.static.value": "v", "predicates": "p", "predicates.p.type": "RecordIsTombstone",
		"value.converter": "JsonConverter", "header.converter": "StringConverter", "transforms.t.predicate": "p",
	}
	for setting, class := range map[string]string{
		"connector.plugin.version": "connector.class", "transforms.t.plugin.version": "transforms.t.type", "predicates.p.plugin.version": "predicates.p.type",
		"value.converter.plugin.version": "value.converter", "header.converter.plugin.version": "header.converter", "key.converter.plugin.version": "",
	} {
		for wanted, faults := range map[string]int{"[1.0,5.0)": 0, "4.3.1": 0, "latest": 0, "1.2": 2, "[1.0": 2} {
			props := config.PropsOf(base)
			props.Set(setting, wanted)
			infos, err := d.Validate(props, connectorconfig.Options{})
			unread := wanted == "[1.0"
			switch {
			case setting == "connector.plugin.version" && unread:
				if err == nil || err.Error() != "Unbounded range: [1.0" {
					t.Errorf("%s=%s: %v", setting, wanted, err)
				}
				continue
			case setting == "key.converter.plugin.version" && !unread:
				faults = 0 // the worker's converter is as it is
			case unread && class != "transforms.t.type" && class != "predicates.p.type":
				faults = 1
			}
			if err != nil || infos.ErrorCount != faults {
				t.Errorf("%s=%s: %d faults, %v; want %d", setting, wanted, infos.ErrorCount, err, faults)
			}
			for _, i := range infos.Configs {
				if faulty := len(i.Value.Errors) > 0; faulty && i.Value.Name != setting && i.Value.Name != class {
					t.Errorf("%s=%s: the fault stands with %s: %v", setting, wanted, i.Value.Name, i.Value.Errors)
				}
			}
		}
	}
}
