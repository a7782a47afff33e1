package connectcases

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/builtin"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/connectorconfig"
	"github.com/wasmstream/wasmstream/connectors/data"
)

const (
	sourceClass = "org.apache.kafka.connect.file.FileStreamSourceConnector"
	sinkClass   = "org.apache.kafka.connect.file.FileStreamSinkConnector"
	someSMT     = "org.apache.kafka.connect.transforms.Filter"
)

// standIns replaces the words by which cases say that some class is meant.
func standIns(props config.Props) {
	for name, v := range props {
		if v == nil || !strings.HasPrefix(*v, "<") || !strings.HasSuffix(*v, ">") {
			continue
		}
		switch {
		case strings.Contains(*v, "transformation"):
			props.Set(name, someSMT)
		case strings.Contains(*v, "predicate"):
			props.Set(name, "org.apache.kafka.connect.transforms.predicates.RecordIsTombstone")
		case strings.Contains(*v, "sink connector"):
			props.Set(name, sinkClass)
		case strings.Contains(*v, "source connector"):
			props.Set(name, sourceClass)
		case strings.Contains(*v, "converter"):
			props.Set(name, "org.apache.kafka.connect.storage.StringConverter")
		}
	}
}

// runConnectorConfig reads the settings that every connector has.
func runConnectorConfig(c *testCase) error {
	props, err := c.props()
	if err != nil {
		return err
	}
	standIns(props)
	for name, v := range map[string]string{"name": "test", "connector.class": "TestConnector"} {
		if _, ok := props[name]; !ok {
			props.Set(name, v)
		}
	}
	defs := connectorconfig.New(builtin.Plugins())
	want := c.expects()
	_, err = defs.Parse(connectors.KindSource, props)
	if err == nil {
		var stages []connectors.Stage
		if stages, err = defs.Stages(props); err == nil {
			if raw, ok := want["transformations"]; ok {
				return matchRaw(raw, data.Int32Value(int32(len(stages))), false)
			}
		}
	}
	if done, result := want.failure(err); done {
		return result
	}
	return want.mustFail()
}

// runTopicCreation reads the settings by which a source's topics are made.
func runTopicCreation(c *testCase) error {
	props, err := c.props()
	if err != nil {
		return err
	}
	for name, v := range map[string]string{"name": "test", "connector.class": "TestConnector"} {
		props.Set(name, props.Or(name, v))
	}
	_, err = connectorconfig.New(builtin.Plugins()).TopicGroups(props)
	want := c.expects()
	if done, result := want.failure(err); done {
		return result
	}
	return want.mustFail()
}

// runAliases wants a connector with short names of classes to be valid, and its transformations to be made.
func runAliases(c *testCase) error {
	props, err := c.props()
	if err != nil {
		return err
	}
	if _, ok := props["connector.class"]; !ok {
		props.Set("connector.class", "FileStreamSink")
		props.Set("topics", "t")
	}
	props.Set("name", props.Or("name", "aliases"))
	defs := connectorconfig.New(builtin.Plugins())
	infos, err := defs.Validate(props, connectorconfig.Options{})
	want := c.expects()
	if done, result := want.failure(err); done {
		return result
	}
	if infos.ErrorCount > 0 {
		return fmt.Errorf("%s", messages(infos))
	}
	if _, err := defs.Stages(props); err != nil {
		return err
	}
	return want.only("connector")
}

func messages(infos config.Infos) string {
	var out []string
	for _, i := range infos.Configs {
		out = append(out, i.Value.Errors...)
	}
	return strings.Join(out, "; ")
}

// runValidate checks the settings of a connector: those of the case over a valid configuration. Without a class in the
// component it is a source's or a sink's, as the settings tell.
func runValidate(c *testCase) error {
	over, err := c.props()
	if err != nil {
		return err
	}
	standIns(over)
	props := config.PropsOf(map[string]string{"name": "test", "connector.class": classFor(c.Component, over), "topics": "t", "topic": "t", "file": "f"})
	for name, v := range over {
		if v == nil {
			delete(props, name) // null is how the cases write a setting that is missing
		} else {
			props[name] = v
			if name == "topics.regex" && over["topics"] == nil {
				delete(props, "topics")
			}
		}
	}
	opts := connectorconfig.Options{WorkerGroup: "connect-worker-group-id", KafkaCompat: true}
	infos, err := connectorconfig.New(builtin.Plugins()).Validate(props, opts)
	want := c.expects()
	if done, result := want.failure(err); done {
		return result
	}
	if err := want.mustFail(); err != nil {
		return err
	}
	return checkInfos(want, infos)
}

// classFor is the connector of the component's path, or one that has the settings of the case.
func classFor(component string, props config.Props) string {
	if class, ok := props.Get("connector.class"); ok {
		return class
	}
	if strings.Contains(component, sourceClass) {
		return sourceClass
	}
	if strings.Contains(component, sinkClass) {
		return sinkClass
	}
	for name := range props {
		for _, prefix := range []string{"topic.creation.", "exactly.once.", "transaction.", "offsets.", "topic"} {
			if strings.HasPrefix(name, prefix) && !strings.HasPrefix(name, "topics") {
				return sourceClass
			}
		}
	}
	return sinkClass
}

func checkInfos(want expectation, infos config.Infos) error {
	if err := want.only("error_count", "errors", "config_names", "name", "message_contains", "error_contains", "groups"); err != nil {
		return err
	}
	if raw, ok := want["error_count"]; ok {
		if err := matchRaw(raw, data.Int32Value(int32(infos.ErrorCount)), false); err != nil {
			return fmt.Errorf("%d errors: %s", infos.ErrorCount, messages(infos))
		}
	}
	if raw, ok := want["name"]; ok && text(raw) != infos.Name {
		return fmt.Errorf("the name %s", infos.Name)
	}
	for _, key := range []string{"message_contains", "error_contains"} {
		if raw, ok := want[key]; ok && !strings.Contains(messages(infos), text(raw)) {
			return fmt.Errorf("%s", messages(infos))
		}
	}
	var errors map[string]int
	_ = json.Unmarshal(want["errors"], &errors)
	for name, n := range errors {
		if got := errorsOf(infos, name); got != n {
			return fmt.Errorf("%d errors of %s", got, name)
		}
	}
	if raw, ok := want["groups"]; ok {
		got, _ := json.Marshal(infos.Groups)
		if err := sameJSON(raw, got, false); err != nil {
			return err
		}
	}
	if raw, ok := want["config_names"]; ok {
		return checkNames(raw, infos)
	}
	return nil
}

func errorsOf(infos config.Infos, name string) int {
	for _, i := range infos.Configs {
		if i.Value.Name == name {
			return len(i.Value.Errors)
		}
	}
	return 0
}

// checkNames compares the names of settings; those of plugin versions came with Kafka 4.1 and are not in the cases.
func checkNames(raw json.RawMessage, infos config.Infos) error {
	var want, got []string
	if err := json.Unmarshal(raw, &want); err != nil {
		return err
	}
	for _, i := range infos.Configs {
		if !strings.HasSuffix(i.Value.Name, ".plugin.version") || slices.Contains(want, i.Value.Name) {
			got = append(got, i.Value.Name)
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(want, got) {
		return fmt.Errorf("%q", got)
	}
	return nil
}
