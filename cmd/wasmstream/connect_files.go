package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/host/connect"
	"github.com/wasmstream/wasmstream/internal/errs"
)

// connectorRequest is a connector that a file asks for.
type connectorRequest struct {
	path    string
	name    string
	config  config.Props
	initial connect.TargetState
}

// pipeline is a file of connect run.
type pipeline struct {
	worker     config.Props
	connectors []connectorRequest
}

// readFileOf reads a file of settings and says of which form it is.
func readFileOf(path string) (data []byte, isYAML bool, err error) {
	data, err = os.ReadFile(path)
	if err != nil {
		return nil, false, errs.ConnectConfig.New(path, "the file cannot be read", "").WithCause(withoutPath(err))
	}
	switch strings.ToLower(filepath.Ext(path)) {
	case ".yaml", ".yml", ".json":
		return data, true, nil
	}
	return data, false, nil
}

// parseTree reads YAML, of which JSON is a part.
func parseTree(path string, data []byte) (map[string]any, error) {
	var tree map[string]any
	if err := yaml.Unmarshal(data, &tree); err != nil {
		where := path
		var at yaml.Error
		if errors.As(err, &at) && at.GetToken() != nil && at.GetToken().Position != nil {
			where = fmt.Sprintf("%s:%d:%d", path, at.GetToken().Position.Line, at.GetToken().Position.Column)
		}
		what, _, _ := strings.Cut(strings.TrimSpace(err.Error()), "\n")
		return nil, errs.ConnectConfig.New(where, what, "")
	}
	return tree, nil
}

// readSettings reads the settings of a worker: properties or YAML.
func readSettings(path string) (config.Props, error) {
	data, isYAML, err := readFileOf(path)
	if err != nil {
		return nil, err
	}
	if !isYAML {
		return config.PropsOf(config.ParseProperties(string(data))), nil
	}
	tree, err := parseTree(path, data)
	if err != nil {
		return nil, err
	}
	return flatten(tree), nil
}

// flatten makes settings of nested YAML: keys are joined by dots, lists by commas.
func flatten(tree map[string]any) config.Props {
	props := config.Props{}
	var walk func(prefix string, v any)
	walk = func(prefix string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for _, k := range slices.Sorted(maps.Keys(v)) {
				walk(joined(prefix, k), v[k])
			}
		case []any:
			var parts []string
			for _, e := range v {
				parts = append(parts, fmt.Sprint(e))
			}
			props.Set(prefix, strings.Join(parts, ","))
		case nil:
			props[prefix] = nil
		default:
			props.Set(prefix, fmt.Sprint(v))
		}
	}
	walk("", tree)
	return props
}

func joined(prefix, key string) string {
	if prefix == "" {
		return key
	}
	return prefix + "." + key
}

// readConnectors reads a connector: properties, a flat map in JSON or YAML, a CreateConnectorRequest, or, in YAML, several
// under connectors.
func readConnectors(path string) ([]connectorRequest, error) {
	data, isYAML, err := readFileOf(path)
	if err != nil {
		return nil, err
	}
	if !isYAML {
		return oneConnector(path, "", config.PropsOf(config.ParseProperties(string(data))), "")
	}
	tree, err := parseTree(path, data)
	if err != nil {
		return nil, err
	}
	if several, ok := tree["connectors"].(map[string]any); ok {
		return connectorsOf(path, several)
	}
	settings, isRequest := tree["config"].(map[string]any)
	if !isRequest {
		return oneConnector(path, "", flatten(tree), "")
	}
	name, _ := tree["name"].(string)
	state, _ := tree["initial_state"].(string)
	initial := map[string]connect.TargetState{"": "", "RUNNING": connect.Started, "PAUSED": connect.Paused, "STOPPED": connect.Stopped}
	target, known := initial[strings.ToUpper(state)]
	if !known {
		return nil, errs.ConnectConfig.New(path, fmt.Sprintf("initial_state is RUNNING, PAUSED or STOPPED (got %q)", state), "")
	}
	return oneConnector(path, name, flatten(settings), target)
}

func connectorsOf(path string, several map[string]any) (out []connectorRequest, err error) {
	for _, name := range slices.Sorted(maps.Keys(several)) {
		settings, ok := several[name].(map[string]any)
		if !ok {
			return nil, errs.ConnectConfig.New(path, fmt.Sprintf("connector %s: want settings", name), "write key: value lines below the name")
		}
		one, err := oneConnector(path, name, flatten(settings), "")
		if err != nil {
			return nil, err
		}
		out = append(out, one...)
	}
	return out, nil
}

func oneConnector(path, name string, props config.Props, initial connect.TargetState) ([]connectorRequest, error) {
	given, ok := props.Get("name")
	switch {
	case name == "" && !ok:
		return nil, errs.ConnectConfig.New(path, "the connector has no name", "add name=...")
	case name == "":
		name = given
	case ok && given != name:
		return nil, errs.ConnectConfig.New(path, fmt.Sprintf("the connector has two names, %s and %s", name, given), "leave one out")
	}
	props.Set("name", name)
	return []connectorRequest{{path, name, props, initial}}, nil
}

// readPipeline reads a file of connect run.
func readPipeline(path string) (pipeline, error) {
	data, _, err := readFileOf(path)
	if err != nil {
		return pipeline{}, err
	}
	tree, err := parseTree(path, data)
	if err != nil {
		return pipeline{}, err
	}
	for key := range tree {
		if key != "worker" && key != "connectors" {
			return pipeline{}, errs.ConnectConfig.New(path, fmt.Sprintf("there is no key %q", key), errs.DidYouMean(key, []string{"worker", "connectors"}))
		}
	}
	p := pipeline{worker: config.Props{}}
	if worker, ok := tree["worker"].(map[string]any); ok {
		p.worker = flatten(worker)
	}
	several, ok := tree["connectors"].(map[string]any)
	if !ok || len(several) == 0 {
		return pipeline{}, errs.ConnectConfig.New(path, "the pipeline has no connectors", "write them below connectors:, each with its name")
	}
	p.connectors, err = connectorsOf(path, several)
	return p, err
}

// requestBody is the body that creates a connector.
func (r connectorRequest) requestBody() ([]byte, error) {
	body := map[string]any{"name": r.name, "config": r.config}
	if r.initial != "" {
		body["initial_state"] = map[connect.TargetState]string{connect.Started: "RUNNING", connect.Paused: "PAUSED", connect.Stopped: "STOPPED"}[r.initial]
	}
	return json.Marshal(body)
}
