package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/wasmstream/wasmstream/topology/spec"
)

// operatorRow is a row of docs/operators.md: the same operator in Java, YAML, Go and Rust.
type operatorRow struct{ java, yaml, golang, rust []string }

var (
	tableRow   = regexp.MustCompile("(?m)^\\| (`.*) \\| (.*) \\| (.*) \\| (.*) \\|$")
	inlineCode = regexp.MustCompile("`([^`]+)`")
)

func operatorRows(t *testing.T) []operatorRow {
	t.Helper()
	var rows []operatorRow
	for _, m := range tableRow.FindAllStringSubmatch(pages(t)["docs/operators.md"], -1) {
		var cells [4][]string
		for i := range cells {
			for _, code := range inlineCode.FindAllStringSubmatch(m[i+1], -1) {
				cells[i] = append(cells[i], code[1])
			}
		}
		rows = append(rows, operatorRow{cells[0], cells[1], cells[2], cells[3]})
	}
	if len(rows) < 55 {
		t.Fatalf("only %d rows found", len(rows))
	}
	return rows
}

// preludeOf are the lines of the page's first block that an entry reads from, with what those read from.
func preludeOf(entry string, prelude []string) (lines []string) {
	for _, line := range prelude {
		id := regexp.MustCompile(`\{id: (\w+)`).FindStringSubmatch(line)[1]
		from := regexp.MustCompile(`from: (\[[^\]]*\]|\w+)`).FindString(entry)
		if regexp.MustCompile(`\b` + id + `\b`).MatchString(from) {
			lines = append(append(lines, preludeOf(line, prelude)...), line)
		}
	}
	return lines
}

// endings are what may follow an operator, so that something reads what it gives.
var endings = []string{
	"", "\n  - to: {topic: out}", "\n  - toStream: {}\n  - to: {topic: out}", "\n  - count: {}\n  - toStream: {}\n  - to: {topic: out}",
	"\n  - aggregate: {initializer: {expr: '0'}, value: long}\n  - toStream: {}\n  - to: {topic: out}",
	"\n  - {from: big, to: {topic: out}}", "\n  - {from: big, to: {topic: out}}\n  - {from: rest, to: {topic: rest}}",
	"\n  - stream: {topic: views, key: string, value: json}\n    id: views\n  - {from: [views, g], join: {keyMapper: {expr: key}, expr: left}}\n  - to: {topic: out}",
}

// nodeEntry is an entry of topology, and nodesBefore what the page says that those entries speak of.
var nodeEntry = regexp.MustCompile(`^(addSource|addProcessor|addSink|addStateStore|connectProcessorAndStateStores|add\w+Store: .*sourceName):? `)

const nodesBefore = `stores: [{name: seen}]
topology:
  - addSource: {name: clicks, topic: clicks}
  - addProcessor: {name: watch, parents: [clicks], guest: shop/watch, stores: [seen]}
`

// TestOperatorsParse: every entry of docs/operators.md is one of a document.
func TestOperatorsParse(t *testing.T) {
	const head = "apiVersion: wasmstream/v1\nkind: Application\nconfig: {application.id: x, default.key.serde: string, default.value.serde: json}\nmodules: {shop: {path: shop.wasm}}\n"
	block := blocks(pages(t)["docs/operators.md"], "yaml")[0]
	prelude := strings.Split(strings.TrimRight(block, "\n"), "\n")
	for _, row := range operatorRows(t) {
		entry := row.yaml[0]
		if nodeEntry.MatchString(entry) {
			if _, err := spec.Parse("app.yaml", []byte(head+nodesBefore+"  - "+entry), spec.Options{}); err != nil {
				t.Errorf("%s\n%v", entry, err)
			}
			continue
		}
		if strings.HasPrefix(entry, "stores:") {
			entry = "stream: {topic: t}\n  - process: {guest: shop/f, stores: [s]}\n  - to: {topic: out}\n" + entry
		}
		var operators []string
		for _, line := range preludeOf(entry, prelude) {
			if !slices.Contains(operators, line) {
				operators = append(operators, line)
			}
		}
		document := head + "operators:\n" + strings.Join(append(operators, "  - "+entry), "\n")
		var faults []string
		for _, ending := range endings {
			_, err := spec.Parse("app.yaml", []byte(document+ending), spec.Options{})
			if err == nil {
				faults = nil
				break
			}
			faults = append(faults, err.Error())
		}
		if len(faults) > 0 {
			t.Errorf("%s\n%s", entry, strings.Join(faults, "\n"))
		}
	}
}

// TestOperatorsExist: every method of the page is there in the SDKs, every operator of the catalogue and every method of
// Kafka's on the page.
func TestOperatorsExist(t *testing.T) {
	method := regexp.MustCompile(`\.(\w+)\(`)
	goSource, rustSource := sourceOf(t, "../../guest-sdk/go/streams/*.go"), sourceOf(t, "../../guest-sdk/rust/src/streams/*.rs")
	rustType := regexp.MustCompile(`\b([A-Z]\w+)(?:::(\w+))?`)
	goTopLevel := regexp.MustCompile(`(?:^|[^.\w])([A-Z]\w+)`)
	var java, yaml []string
	for _, row := range operatorRows(t) {
		java, yaml = append(java, row.java...), append(yaml, row.yaml...)
		for _, code := range row.golang {
			for _, m := range method.FindAllStringSubmatch(code, -1) {
				if !strings.Contains(goSource, ") "+m[1]+"(") {
					t.Errorf("the SDK for Go has no method %s", m[1])
				}
			}
			for _, m := range goTopLevel.FindAllStringSubmatch(code, -1) {
				if !regexp.MustCompile(`(?m)^(func|type) ` + m[1] + `\b|^\t` + m[1] + ` `).MatchString(goSource) {
					t.Errorf("the SDK for Go has no %s", m[1])
				}
			}
		}
		for _, code := range row.rust {
			for _, m := range method.FindAllStringSubmatch(code, -1) {
				if !regexp.MustCompile(`pub fn ` + m[1] + `\b|(?m)^\s+` + m[1] + ` "`).MatchString(rustSource) {
					t.Errorf("the SDK for Rust has no method %s", m[1])
				}
			}
			for _, m := range rustType.FindAllStringSubmatch(code, -1) {
				if m[1] != "None" && !regexp.MustCompile(`pub (struct|enum|trait) `+m[1]+`\b`).MatchString(rustSource) {
					t.Errorf("the SDK for Rust has no %s", m[1])
				}
				if m[2] != "" && !regexp.MustCompile(`pub fn `+m[2]+`\b|(?m)^    `+m[2]+`,`).MatchString(rustSource) {
					t.Errorf("the SDK for Rust has no %s::%s", m[1], m[2])
				}
			}
		}
	}
	for _, name := range catalogue(t) {
		if !slices.ContainsFunc(yaml, func(entry string) bool { return regexp.MustCompile(`(^|, |\{)` + name + `: `).MatchString(entry) }) {
			t.Errorf("docs/operators.md has no row of %s", name)
		}
	}
	for _, name := range kafkasMethods {
		if !regexp.MustCompile(`\b` + name + `\(`).MatchString(strings.Join(java, "\n")) {
			t.Errorf("docs/operators.md has no row of Kafka's %s", name)
		}
	}
}

// TestOperatorsInC: the page names every function and parameter object of the builder in C, and no others.
func TestOperatorsInC(t *testing.T) {
	page := pages(t)["docs/operators.md"]
	header := sourceOf(t, "../../guest-sdk/c/wasmstream_streams.h")
	public := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^WS__(?:MAYBE [\w ]*?\b|STREAM_OPERATOR\()(ws_[a-z]\w*)[(,]`).FindAllStringSubmatch(header, -1) {
		public[m[1]] = true
	}
	if len(public) < 70 {
		t.Fatalf("only %d functions found", len(public))
	}
	for name := range public {
		if !strings.Contains(page, "`"+name+"`") {
			t.Errorf("docs/operators.md does not name %s", name)
		}
	}
	for _, m := range regexp.MustCompile(`\bws_\w+`).FindAllString(page, -1) {
		if !public[m] && !strings.Contains(header, "} "+m+";") {
			t.Errorf("docs/operators.md names %s, which wasmstream_streams.h does not have", m)
		}
	}
}

// kafkasMethods are those of StreamsBuilder, KStream, KTable and what stands between them, and of Topology.
var kafkasMethods = strings.Fields(`stream table globalTable addStateStore addGlobalStore addReadOnlyStateStore filter filterNot map mapValues flatMap flatMapValues selectKey
	peek foreach print split branch defaultBranch noDefaultBranch merge repartition to toTable groupByKey groupBy process processValues join
	leftJoin outerJoin transformValues toStream suppress count reduce aggregate cogroup windowedBy emitStrategy
	addSource addProcessor addSink connectProcessorAndStateStores`)

// catalogue are the names of the operators of documents.
func catalogue(t *testing.T) (names []string) {
	t.Helper()
	var schema struct {
		Defs struct {
			Operator struct{ OneOf []struct{ Required []string } }
		} `json:"$defs"`
	}
	if err := json.Unmarshal(spec.Schema(), &schema); err != nil {
		t.Fatal(err)
	}
	for _, one := range schema.Defs.Operator.OneOf {
		names = append(names, one.Required[0])
	}
	if len(names) < 30 {
		t.Fatalf("the schema names %d operators", len(names))
	}
	return names
}

func sourceOf(t *testing.T, pattern string) string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no files like %s: %v", pattern, err)
	}
	var b strings.Builder
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(text)
	}
	return b.String()
}
