package connectcases

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// runtimeFamilies are the components of the runtime: package host/connect and, in front of it, host/rest.
func runtimeFamilies() map[string]family {
	return map[string]family{
		"storage:config topic":                    runConfigTopic,
		"storage:offset topic":                    runOffsetTopic,
		"storage:status topic":                    runStatusTopic,
		"source offset tracking":                  runSubmitted,
		"errors.retry":                            runRetry,
		"errors.tolerance":                        runTolerance,
		"errors.tolerance (ErrantRecordReporter)": runErrant,
		"errors.log":                              runErrorLog,
		"DLQ":                                     runDeadLetter,
		"restart":                                 runRestartPlan,
		"lifecycle":                               runLifecycle,
		"tasks.max":                               runTasksMax,
		"group protocol:incremental cooperative":  runAssignor,
		"group protocol bytes":                    runProtocolBytes,
		"internal REST signature":                 runSignature,
		"rest timeouts":                           runRestTimeout,
		"rest:PATCH /connectors/{c}/offsets (sink parsing)": runSinkParsing,
		"rest:GET /connectors/{c}/offsets (sink)":           runSinkFormat,
		"rest:PATCH /connectors/{c}/offsets":                runPatchOffsets,
		"rest:GET|PATCH /connectors/{c}/offsets":            runUnknownOffsets,
		"rest:PATCH|DELETE /connectors/{c}/offsets":         runZombie,
		"rest:POST /connectors":                             runCreate,
		"rest:POST /connectors/{c}/restart":                 runForwardedRestart,
		"rest:DELETE /connectors/{c}":                       runNoLeader,
		"rest:PATCH /connectors/{c}/config":                 runPatchConfig,
		"rest:PUT /admin/loggers/{l}":                       runLoggers,
		"rest:GET /admin/loggers/{l}":                       runLoggers,
		"rest:GET /connectors/{c}/topics":                   runTopics,
		"rest:PUT /connectors/{c}/topics/reset":             runTopics,
		"rest:GET /connectors?expand=status":                runExpand,
		"rest:GET /connectors?expand=info":                  runExpand,
		"rest:GET /connectors?expand=info&expand=status":    runExpand,
		"rest:GET /connectors?expand=status&expand=info":    runExpand,
	}
}

// runtimeFamily finds the family of a component whose name varies.
func runtimeFamily(component string) family {
	if f := runtimeFamilies()[component]; f != nil {
		return f
	}
	switch {
	case strings.HasPrefix(component, "rest:PUT /admin/loggers/{l}"):
		return runLoggers
	case strings.HasPrefix(component, "rest:GET /connectors/local-file-"):
		return runLocalFile
	}
	return nil
}

// into reads JSON that a case gives.
func into[T any](raw json.RawMessage) (v T, err error) {
	if isNull(raw) {
		return v, nil
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		return v, fmt.Errorf("a case that cannot be read: %w", err)
	}
	return v, nil
}

// sameJSON compares what came out with what is expected, as JSON.
func equalJSON(want json.RawMessage, got any) error {
	b, err := json.Marshal(got)
	if err != nil {
		return err
	}
	var w, g any
	if err := json.Unmarshal(want, &w); err != nil {
		return err
	}
	if err := json.Unmarshal(b, &g); err != nil {
		return err
	}
	if !reflect.DeepEqual(w, g) {
		return fmt.Errorf("%s", b)
	}
	return nil
}
