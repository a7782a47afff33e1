package dsl_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// TestDescribeAsKafka builds random topologies, written as one call a line, and compares their description with what
// Kafka Streams 4.3.1 printed for the same calls. "-" is a name that was not given.
func TestDescribeAsKafka(t *testing.T) {
	datadriven.RunTest(t, "testdata/describe_kafka_4.3.1", func(t *testing.T, d *datadriven.TestData) string {
		topo, err := runScript(d.Input)
		if strings.HasPrefix(d.Expected, "error") {
			if err == nil {
				t.Errorf("%s: built, but Kafka says %s", d.Pos, d.Expected)
			}
			return d.Expected
		}
		if err != nil {
			return "error " + err.Error() + "\n"
		}
		return topo.Describe()
	})
}

// script is a topology that is built by lines of text.
type script struct {
	b       *dsl.StreamsBuilder
	streams map[string]*dsl.KStream
	grouped map[string]*dsl.KGroupedStream
	tables  map[string]*dsl.KTable
}

func runScript(text string) (*topology.Topology, error) {
	s := &script{
		b: dsl.NewStreamsBuilder(), streams: map[string]*dsl.KStream{},
		grouped: map[string]*dsl.KGroupedStream{}, tables: map[string]*dsl.KTable{},
	}
	for line := range strings.Lines(text) {
		if err := s.line(strings.Fields(line)); err != nil {
			return nil, err
		}
	}
	return s.b.Build()
}

func given(name string) string {
	if name == "-" {
		return ""
	}
	return name
}

func (s *script) line(f []string) error {
	result, in := f[0], s.streams[f[2]]
	name := dsl.Named(given(f[len(f)-1]))
	switch f[1] {
	case "stream":
		s.streams[result] = s.b.StreamTopics(strings.Split(f[2], ","), dsl.Consumed{Name: string(name)})
	case "foreach":
		in.Foreach(words, name)
	case "to":
		in.To(f[3], dsl.Produced{Name: string(name)})
	case "merge":
		s.streams[result] = in.Merge(s.streams[f[3]], name)
	case "split":
		s.split(strings.Split(result, ","), in, f)
	case "groupBy":
		s.grouped[result] = in.GroupBy(words, dsl.Grouped{Name: string(name)})
	case "groupByKey":
		s.grouped[result] = in.GroupByKey(dsl.Grouped{Name: string(name)})
	case "count":
		s.tables[result] = s.grouped[f[2]].Count(dsl.Materialized{Name: given(f[3]), StoreNamed: name})
	case "toStream":
		s.streams[result] = s.tables[f[2]].ToStream(name)
	case "repartition":
		s.streams[result] = in.Repartition(dsl.Repartitioned{Name: string(name)})
	case "process":
		s.streams[result] = in.Process(dsl.GuestProcessor("m", "p"), name)
	case "processValues":
		s.streams[result] = in.ProcessValues(dsl.GuestValuesProcessor("m", "p"), name)
	default:
		return s.stateless(result, in, f[1], name)
	}
	return nil
}

func (s *script) stateless(result string, in *dsl.KStream, op string, name dsl.Named) error {
	call := map[string]func(dsl.Fn, ...dsl.Named) *dsl.KStream{
		"filter": in.Filter, "filterNot": in.FilterNot, "map": in.Map, "mapValues": in.MapValues, "flatMap": in.FlatMap,
		"flatMapValues": in.FlatMapValues, "selectKey": in.SelectKey, "peek": in.Peek,
	}[op]
	if call == nil {
		return fmt.Errorf("no operator %q", op)
	}
	s.streams[result] = call(words, name)
	return nil
}

func (s *script) split(results []string, in *dsl.KStream, f []string) {
	split := in.Split(dsl.Named(given(f[3])))
	n, _ := strconv.Atoi(f[4])
	names := strings.Split(f[6], ",")
	branch := func(i int) dsl.Branched {
		return dsl.Branched{Name: given(names[i]), Chain: func(k *dsl.KStream) *dsl.KStream {
			s.streams[results[i]] = k
			return k
		}}
	}
	for i := range n {
		split.Branch(words, branch(i))
	}
	if f[5] == "1" {
		split.DefaultBranch(branch(n))
		return
	}
	split.NoDefaultBranch()
}
