package spec

import (
	"strings"
	"testing"
)

// TestTables: the operators of tables give the topologies of the builder.
func TestTables(t *testing.T) {
	const document = `
apiVersion: wasmstream/v1
kind: Application
operators:
  - table: {topic: people, key: string, value: string}
    id: people
  - table: {topic: cities, key: string, value: string, materialized: cities}
    id: cities
  - globalTable: {topic: countries, key: string, value: string}
    id: countries
  - stream: {topic: visits, key: string, value: string}
    id: visits
  - leftJoin: {foreignKey: {expr: value}, expr: left, result: string}
    from: [people, cities]
    id: lives
  - filter: {expr: "value != ''", materialized: kept}
    from: lives
  - toStream:
  - to: {topic: out}
  - join: {expr: left + right, result: string}
    from: [visits, people]
  - to: {topic: out2}
  - leftJoin: {keyMapper: {expr: value}, expr: left, result: string}
    from: [visits, countries]
  - to: {topic: out3}
  - outerJoin: {expr: "left == null ? right : left", result: string, materialized: both}
    from: [people, cities]
  - suppress: {untilTimeLimit: 10s, maxRecords: 100, emitEarly: true}
  - toStream:
  - to: {topic: out4}
`
	app, err := Parse("dir/app.yaml", []byte(document), testOptions)
	if err != nil {
		t.Fatal(err)
	}
	text := app.Topology.Describe()
	for _, part := range []string{
		"(will not generate tasks)", "(topics: [KTABLE-FK-JOIN-SUBSCRIPTION-REGISTRATION-", "(stores: [kept])", "(stores: [both])",
		"KTABLE-SUPPRESS-", "KSTREAM-JOIN-", "KSTREAM-LEFTJOIN-",
	} {
		if !strings.Contains(text, part) {
			t.Errorf("no %s in\n%s", part, text)
		}
	}
}
