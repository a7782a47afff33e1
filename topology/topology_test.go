package topology_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/topology"
)

// pass is a processor of no interest.
type pass struct{}

func (pass) New() (topology.Processor, error) { return nil, nil }

// plan runs a script of one call a line: `source NAME TOPIC...`, `pattern NAME RE`, `processor NAME PARENT...`,
// `sink NAME TOPIC PARENT...`, `store NAME PROCESSOR...`, `connect PROCESSOR STORE...`, `internal TOPIC`, `fixed TOPIC`
// (an internal topic of 5 partitions), `copartition SOURCE...`.
func plan(script string) (*topology.Topology, error) {
	t := topology.New()
	for line := range strings.Lines(script) {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		f = append(f, "")
		rest := f[2 : len(f)-1]
		var err error
		switch f[0] {
		case "source":
			err = t.AddSource(f[1], topology.SourceOptions{}, rest...)
		case "pattern":
			err = t.AddSourcePattern(f[1], topology.SourceOptions{}, f[2])
		case "processor":
			err = t.AddProcessor(f[1], pass{}, rest...)
		case "sink":
			err = t.AddSink(f[1], f[2], topology.SinkOptions{}, rest[1:]...)
		case "store":
			err = t.AddStateStore(&topology.StoreSpec{Name: f[1]}, rest...)
		case "connect":
			err = t.ConnectProcessorAndStateStores(f[1], rest...)
		case "internal":
			err = t.AddInternalTopic(f[1], 0)
		case "fixed":
			err = t.AddInternalTopic(f[1], 5)
		case "copartition":
			t.CopartitionSources(f[1 : len(f)-1]...)
		}
		if err != nil {
			return nil, err
		}
	}
	return t, t.Validate()
}

// TestRules: each rule of Kafka's Topology, with Kafka's words.
func TestRules(t *testing.T) {
	for _, c := range []struct {
		script string
		code   errs.Code
		want   string
	}{
		{"", errs.TopologyNoSource, "must subscribe to at least one source topic"},
		{"source s a\nsource s b", errs.TopologyDuplicateName, "Processor s is already added."},
		{"source s a\nprocessor s s", errs.TopologyDuplicateName, "Processor s is already added."},
		{"source s a\nsink s x s", errs.TopologyDuplicateName, "Processor s is already added."},
		{"source s", errs.TopologyInvalid, "You must provide at least one topic"},
		{"source s a a", errs.TopologyTopicTaken, "Topic a has already been registered by another source."},
		{"source s a\nsource t b a", errs.TopologyTopicTaken, "Topic a has already been registered by another source."},
		{"pattern s a.*\nsource t ab", errs.TopologyTopicTaken, "Topic ab matches a Pattern already registered by another source."},
		{"source s ab\npattern t a.*", errs.TopologyTopicTaken, "Pattern a.* will match a topic that has already been registered by another source."},
		{"pattern s a.*\npattern t a.*b", errs.TopologyTopicTaken, "Pattern a.*b will overlap with another pattern a.* already been registered by another source"},
		{"pattern s (", errs.TopologyInvalid, "is not a regular expression"},
		{"source s a\nprocessor p", errs.TopologyNotConnected, "Processor p: predecessorNames cannot be empty"},
		{"source s a\nsink p x", errs.TopologyNotConnected, "Sink p: predecessorNames cannot be empty"},
		{"source s a\nprocessor p q", errs.TopologyUnknownNode, "Parent node q is unknown."},
		{"source s a\nprocessor p p", errs.TopologyCycle, "Parent node p is unknown (self-reference)."},
		{"source s a\nsink k x s\nprocessor p k", errs.TopologyInvalid, "Sink k cannot be used a parent."},
		{"source s a\nprocessor p s s", errs.TopologyInvalid, "Processor s is named twice as a parent"},
		{"source s a\nstore x q", errs.TopologyUnknownNode, "Processor q is not added yet."},
		{"source s a\nstore x s", errs.TopologyInvalid, "cannot connect a state store x to a source node or a sink node."},
		{"source s a\nstore x\nstore x", errs.TopologyStoreClash, "A different StateStore has already been added with the name x"},
		{"source s a\nprocessor p s\nconnect p x", errs.TopologyUnknownNode, "StateStore x is not added yet."},
		{"source s a\nprocessor p s\nconnect p", errs.TopologyInvalid, "stateStoreNames cannot be empty"},
		{"source s a\nprocessor p s\nstore x p\nconnect p x", errs.Code{}, ""},
	} {
		topo, err := plan(c.script)
		if c.want == "" {
			if err != nil || topo.Node("p").Stores[0] != "x" || len(topo.Node("p").Stores) != 1 {
				t.Errorf("%q: %v", c.script, err)
			}
			continue
		}
		if !c.code.Is(err) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: got %v, want %s with %q", c.script, err, c.code.ID, c.want)
		}
	}
}

// TestSubtopologies: nodes hang together by edges and by stores; ids follow the order of adding.
func TestSubtopologies(t *testing.T) {
	topo, err := plan(`
		source one a
		source two b
		source three c
		processor p one
		processor q two
		processor r three
		store shared p r
		store unused
		internal x-repartition
		sink out x-repartition q
		source in x-repartition
		sink end o in
		pattern any z.*`)
	if err != nil {
		t.Fatal(err)
	}
	subs := topo.Subtopologies("app")
	var got []string
	for _, s := range subs {
		var names []string
		for _, n := range s.Nodes {
			names = append(names, n.Name)
		}
		got = append(got, strings.Join(names, " ")+" | "+strings.Join(s.SourceTopics, " ")+" | "+strings.Join(s.SinkTopics, " "))
	}
	want := []string{"one three p r | a c | ", "two q out | b | app-x-repartition", "in end | app-x-repartition | o", "any |  | "}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(subs[0].Stores) != 1 || subs[0].ChangelogStores["app-shared-changelog"] != "shared" {
		t.Errorf("stores = %v, %v", subs[0].Stores, subs[0].ChangelogStores)
	}
	for topic, want := range map[string]string{"app-x-repartition": "in", "x-repartition": "", "o": ""} {
		n := subs[2].Source(topic)
		if got := n != nil; got != (want != "") || got && n.Name != want {
			t.Errorf("Source(%q) = %v, want %q", topic, n, want)
		}
	}
	if !subs[3].Reads("zoo") || subs[3].Reads("azoo") {
		t.Error("a pattern matches the whole name")
	}
}

func TestPlanPartitions(t *testing.T) {
	const chain = `
		source s a b
		internal x
		sink k x s
		source t x
		internal y
		processor p t
		store st p
		sink l y p
		source u y`
	const joined = `
		source s a
		internal x
		sink k x s
		source t x
		source v c
		processor j t v
		copartition t v`
	for name, c := range map[string]struct {
		script string
		known  map[string]int
		want   map[string]int
		tasks  string
		fault  string
		code   errs.Code
	}{
		"chain": {
			script: chain, known: map[string]int{"a": 2, "b": 3, "other": 9},
			want:  map[string]int{"a": 2, "b": 3, "app-x": 3, "app-y": 3, "app-st-changelog": 3},
			tasks: "0_0 0_1 0_2 1_0 1_1 1_2 2_0 2_1 2_2",
		},
		"fixed": {
			script: strings.Replace(chain, "internal x", "fixed x", 1), known: map[string]int{"a": 2, "b": 3},
			want:  map[string]int{"a": 2, "b": 3, "app-x": 5, "app-y": 5, "app-st-changelog": 5},
			tasks: "0_0 0_1 0_2 1_0 1_1 1_2 1_3 1_4 2_0 2_1 2_2 2_3 2_4",
		},
		"missing": {script: chain, known: map[string]int{"b": 3}, fault: "a: the source topic does not exist", code: errs.TopicMissing},
		"copartitioned": {
			script: joined, known: map[string]int{"a": 2, "c": 4},
			want: map[string]int{"a": 2, "app-x": 4, "c": 4}, tasks: "0_0 0_1 1_0 1_1 1_2 1_3",
		},
		"fixed against source": {
			script: strings.Replace(joined, "internal x", "fixed x", 1), known: map[string]int{"a": 2, "c": 4},
			fault: "Number of partitions [5] of repartition topic [app-x] doesn't match number of partitions [4] of the source topic.", code: errs.TopicPartitions,
		},
		"not copartitioned": {
			script: "source s a\nsource t b\nprocessor j s t\ncopartition s t", known: map[string]int{"a": 2, "b": 3},
			fault: "a (2), b (3): Topics not co-partitioned", code: errs.TopicPartitions,
		},
		"feeds itself alone": {
			script: "internal x\nsource s x\nsink k x s", known: nil,
			fault: "Failed to compute number of partitions for all repartition topics", code: errs.TopicPartitions,
		},
		"pattern": {
			script: "pattern s in-.*\nprocessor p s\nstore st p", known: map[string]int{"in-1": 1, "in-2": 2, "out": 5, "app-st-changelog": 7},
			want: map[string]int{"in-1": 1, "in-2": 2, "app-st-changelog": 2}, tasks: "0_0 0_1",
		},
	} {
		topo, err := plan(c.script)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got, err := topology.PlanPartitions(topo.Subtopologies("app"), c.known)
		if c.fault != "" {
			if !c.code.Is(err) || !strings.Contains(err.Error(), c.fault) {
				t.Errorf("%s: got %v, want %s with %q", name, err, c.code.ID, c.fault)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(c.want, got.Partitions); diff != "" {
			t.Errorf("%s: partitions (-want +got):\n%s", name, diff)
		}
		var tasks []string
		for _, id := range got.Tasks {
			tasks = append(tasks, id.String())
		}
		if strings.Join(tasks, " ") != c.tasks {
			t.Errorf("%s: tasks = %v, want %s", name, tasks, c.tasks)
		}
	}
}

// TestInputs: a source with fewer partitions has none in the higher tasks.
func TestInputs(t *testing.T) {
	topo, err := plan("source s a b")
	if err != nil {
		t.Fatal(err)
	}
	p, err := topology.PlanPartitions(topo.Subtopologies("app"), map[string]int{"a": 2, "b": 1})
	if err != nil {
		t.Fatal(err)
	}
	want := map[topology.TaskID][]topology.TopicPartition{
		{Subtopology: 0, Partition: 0}: {{Topic: "a"}, {Topic: "b"}},
		{Subtopology: 0, Partition: 1}: {{Topic: "a", Partition: 1}},
	}
	if diff := cmp.Diff(want, p.Inputs); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestArena(t *testing.T) {
	var a topology.Arena
	empty := a.Copy(nil)
	if empty == nil || len(empty) != 0 {
		t.Errorf("Copy(nil) = %v, want empty and not nil", empty)
	}
	x, y := a.Copy([]byte("x")), a.Copy([]byte("y"))
	if longer := append(x, 'z'); string(y) != "y" || string(longer) != "xz" {
		t.Errorf("appending to one copy changed the next: %q", y)
	}
	if big := a.Alloc(1 << 20); len(big) != 1<<20 || cap(big) != 1<<20 {
		t.Errorf("Alloc of 1 MiB: %d, %d", len(big), cap(big))
	}
}
