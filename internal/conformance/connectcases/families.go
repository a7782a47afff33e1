package connectcases

import "strings"

// family runs the cases of a component.
type family func(c *testCase) error

// families are found by the component's whole name, or by its name up to the colon.
func families() map[string]family {
	return map[string]family{
		"smt":                          runTransform,
		"transform with predicate":     runStage,
		"predicate":                    runPredicate,
		"converter":                    runConverter,
		"header_converter":             runHeaderConverter,
		"fieldpath":                    runFieldPath,
		"config":                       runConfig,
		"config providers":             runProviders,
		"source offsets":               runSourceOffset,
		"connector":                    runFileConnector,
		"connector config":             runConnectorConfig,
		"topic creation":               runTopicCreation,
		"aliases":                      runAliases,
		"rest:PUT .../config/validate": runValidate,
		"header_converter:SimpleHeaderConverter (Values.parseString)": runParseString,
	}
}

func familyOf(component string) family {
	all := families()
	if f := all[component]; f != nil {
		return f
	}
	if strings.HasPrefix(component, "rest:PUT /connector-plugins/") && strings.HasSuffix(component, "/config/validate") {
		return runValidate
	}
	if strings.HasPrefix(component, "Values.") {
		return runValues
	}
	if f := runtimeFamily(component); f != nil {
		return f
	}
	head, _, ok := strings.Cut(component, ":")
	if !ok {
		return nil
	}
	return all[head]
}
