package connectcases

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/wasmstream/wasmstream/host/connect"
)

// group is a group of workers whose assignor a case drives.
type group struct {
	assignor   *connect.Assignor
	configured connect.Share
	members    map[string]connect.Share
	now        int64
	generation int32
	maxDelay   int64

	connectors, tasks [][]int
	delays            []int64
}

func runAssignor(c *testCase) error {
	in, err := into[struct {
		Connectors map[string]int
		Steps      []string
	}](c.Input)
	if err != nil {
		return err
	}
	config, err := into[map[string]int64](c.Config)
	if err != nil {
		return err
	}
	maxDelay, set := config["scheduled.rebalance.max.delay.ms"]
	if !set {
		maxDelay = 300000
	}
	g := &group{assignor: connect.NewAssignor(maxDelay), configured: connect.NewShare(nil, nil), members: map[string]connect.Share{}, generation: -1, maxDelay: maxDelay}
	for name, tasks := range in.Connectors {
		g.add(name, tasks)
	}
	for _, step := range in.Steps {
		if err := g.step(step); err != nil {
			return err
		}
	}
	e := c.expects()
	if err := equalJSON(e["connectors"], g.connectors); e["connectors"] != nil && err != nil {
		return fmt.Errorf("connectors: %w", err)
	}
	if err := equalJSON(e["tasks"], g.tasks); e["tasks"] != nil && err != nil {
		return fmt.Errorf("tasks: %w", err)
	}
	return g.sameDelays(e["delay"])
}

func (g *group) sameDelays(raw json.RawMessage) error {
	want, err := into[[]json.RawMessage](raw)
	if err != nil {
		return err
	}
	for i, w := range want {
		if text(w) == "?" {
			continue
		}
		if i >= len(g.delays) || string(w) != strconv.FormatInt(g.delays[i], 10) {
			return fmt.Errorf("delays %v", g.delays)
		}
	}
	return nil
}

func (g *group) add(connector string, tasks int) {
	g.configured.Connectors[connector] = true
	for i := range tasks {
		g.configured.Tasks[connect.TaskID{Connector: connector, Task: i}] = true
	}
}

// step understands "w1", "+w2", "-w2", "w1,w2" (a first round with several), "rebalance", "wait", "wait N", "after N ms",
// "+connectorN:T" and "-connectorN"; each but a wait is one round. A wait for a delay is followed by the round that it brings.
func (g *group) step(step string) error {
	words := strings.Fields(strings.NewReplacer(",", " ", ";", " ").Replace(step))
	round := false
	for i := 0; i < len(words); i++ {
		w := words[i]
		switch {
		case w == "rebalance" || w == "again" || w == "round" || w == "same":
			round = true
		case w == "wait" || w == "after" || w == "sleep":
			g.now += g.maxDelay
			if i+1 < len(words) {
				if n, err := strconv.ParseInt(strings.TrimSuffix(words[i+1], "ms"), 10, 64); err == nil {
					g.now += n - g.maxDelay
					i++
				}
			}
		case w == "ms" || w == "delay":
		case strings.HasPrefix(w, "-w"):
			delete(g.members, w[1:])
			round = true
		case strings.HasPrefix(w, "-"):
			g.drop(w[1:])
			round = true
		case strings.HasPrefix(strings.TrimPrefix(w, "+"), "w"):
			name := strings.TrimPrefix(w, "+")
			if _, ok := g.members[name]; !ok {
				g.members[name] = connect.NewShare(nil, nil)
			}
			round = true
		case strings.HasPrefix(w, "+"):
			name, count, _ := strings.Cut(w[1:], ":")
			n, _ := strconv.Atoi(count)
			g.add(name, n)
			round = true
		default:
			return fmt.Errorf("a step %q that the runner does not know", step)
		}
	}
	if round {
		g.round()
	}
	return nil
}

func (g *group) drop(connector string) {
	delete(g.configured.Connectors, connector)
	for id := range g.configured.Tasks {
		if id.Connector == connector {
			delete(g.configured.Tasks, id)
		}
	}
}

// round rebalances once: workers give up what is revoked and take what is assigned.
func (g *group) round() {
	r := g.assignor.Assign(g.now, g.configured, g.members, g.generation, g.generation+1)
	g.generation++
	var connectors, tasks []int
	for name, share := range g.members {
		for _, c := range r.Revoked[name].ConnectorList() {
			delete(share.Connectors, c)
		}
		for _, t := range r.Revoked[name].TaskList() {
			delete(share.Tasks, t)
		}
		for _, c := range r.Assigned[name].ConnectorList() {
			share.Connectors[c] = true
		}
		for _, t := range r.Assigned[name].TaskList() {
			share.Tasks[t] = true
		}
		connectors, tasks = append(connectors, len(share.Connectors)), append(tasks, len(share.Tasks))
	}
	slices.Sort(connectors)
	slices.Sort(tasks)
	g.connectors, g.tasks, g.delays = append(g.connectors, connectors), append(g.tasks, tasks), append(g.delays, r.Delay)
}

// runProtocolBytes reads metadata of every version.
func runProtocolBytes(c *testCase) error {
	in, err := into[struct{ Offset int64 }](c.Input)
	if err != nil {
		return err
	}
	state := connect.WorkerState{URL: "http://leader:8083/", Offset: in.Offset, Assignment: &connect.Assignment{Connectors: []string{"c"}, Tasks: []connect.TaskID{{Connector: "c"}}}}
	for version := range int16(3) {
		got, err := connect.ParseWorkerState(connect.AppendWorkerState(nil, version, &state))
		if err != nil || got.URL != state.URL || got.Offset != state.Offset {
			return fmt.Errorf("version %d: %+v %w", version, got, err)
		}
	}
	return nil
}
