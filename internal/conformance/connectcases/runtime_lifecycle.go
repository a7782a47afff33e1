package connectcases

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// lifecycleTasks is N in the cases.
const lifecycleTasks = 2

// runLifecycle carries out the steps on a connector and compares its state after each.
func runLifecycle(c *testCase) error {
	steps, err := into[[]string](c.Input)
	if err != nil {
		return err
	}
	want, err := into[[]string](c.Expected)
	if err != nil {
		return err
	}
	if len(want) > len(steps) {
		return fmt.Errorf("%d states are expected after %d steps", len(want), len(steps))
	}
	return withNode(nil, func(n *node) error {
		settings := map[string]string{"connector.class": "CaseSource", "tasks.max": strconv.Itoa(lifecycleTasks)}
		last := ""
		for i, step := range steps {
			if err := lifecycleStep(n, step, settings); err != nil {
				return fmt.Errorf("step %d: %w", i, err)
			}
			if i < len(want) && want[i] != "(same)" {
				last = want[i]
			}
			if err := lifecycleState(n, last); err != nil {
				return fmt.Errorf("after step %d (%s): %w", i, step, err)
			}
		}
		return nil
	})
}

// stored tells whether settings were taken. A standalone worker answers 500 when the connector then fails as it starts.
func (a reply) stored() bool { return a.status/100 == 2 || a.status == http.StatusInternalServerError }

func lifecycleStep(n *node, step string, settings map[string]string) error {
	put := func() error {
		body, err := json.Marshal(settings)
		if err != nil {
			return err
		}
		if a := n.call(http.MethodPut, "/connectors/c/config", string(body)); !a.stored() {
			return fmt.Errorf("%s", a.body)
		}
		return nil
	}
	for _, part := range strings.Split(step, " and ") {
		var a reply
		switch {
		case strings.Contains(part, "initial_state ") || strings.HasPrefix(part, "created "):
			words := strings.Fields(part)
			body, err := json.Marshal(map[string]any{"name": "c", "config": settings, "initial_state": words[len(words)-1]})
			if err != nil {
				return err
			}
			a = n.call(http.MethodPost, "/connectors", string(body))
		case part == "restart":
			a = n.call(http.MethodPost, "/connectors/c/restart", "")
		case strings.HasPrefix(part, "connector FAILED at start"):
			settings["case.start"] = "fail"
			if err := put(); err != nil {
				return err
			}
		case part == "running" || strings.HasPrefix(part, "create"):
			if err := put(); err != nil {
				return err
			}
		case part == "fix config":
			delete(settings, "case.start")
			if err := put(); err != nil {
				return err
			}
		case part == "break its stop":
			settings["case.stop"] = "fail"
			if err := put(); err != nil {
				return err
			}
		case part == "delete":
			a = n.call(http.MethodDelete, "/connectors/c", "")
		case part == "stop" || part == "resume" || part == "pause":
			a = n.call(http.MethodPut, "/connectors/c/"+part, "")
		default:
			return fmt.Errorf("a step %q that the runner does not know", part)
		}
		if a.status >= 400 {
			return fmt.Errorf("%s", a.body)
		}
	}
	return nil
}

// lifecycleState reads "RUNNING with N tasks", "STOPPED, tasks []", "FAILED", "gone".
func lifecycleState(n *node, want string) error {
	state, rest, _ := strings.Cut(strings.ReplaceAll(want, ",", ""), " ")
	if state == "gone" {
		if a := n.call(http.MethodGet, "/connectors/c", ""); a.status != http.StatusNotFound {
			return fmt.Errorf("%s", a.body)
		}
		return nil
	}
	tasks := -1
	switch {
	case strings.Contains(rest, "with N tasks"):
		tasks = lifecycleTasks
	case strings.Contains(rest, "with 0 tasks"), strings.Contains(rest, "tasks []"):
		tasks = 0
	}
	return n.await("c", state, tasks)
}

func runTasksMax(c *testCase) error {
	props, err := c.props()
	if err != nil {
		return err
	}
	settings := props.Map()
	settings["connector.class"], settings["case.tasks"] = "CaseSource", string(object(c.Input)["generated_tasks"])
	e := c.expects()
	return withNode(nil, func(n *node) error {
		tasks := -1
		if raw, ok := e["tasks"]; ok {
			if tasks, err = strconv.Atoi(string(raw)); err != nil {
				return err
			}
		}
		state := text(e["connector"])
		if state == "FAILED" && tasks > 0 {
			return fmt.Errorf("a failed connector with tasks cannot be")
		}
		body, err := json.Marshal(settings)
		if err != nil {
			return err
		}
		if a := n.call(http.MethodPut, "/connectors/c/config", string(body)); !a.stored() {
			return fmt.Errorf("%s", a.body)
		}
		if err := n.await("c", state, tasks); err != nil {
			return err
		}
		var s struct{ Connector struct{ Trace string } }
		if err := json.Unmarshal(n.call(http.MethodGet, "/connectors/c/status", "").body, &s); err != nil {
			return err
		}
		if want := strings.ReplaceAll(text(e["trace_contains"]), "<name>", "c"); !strings.Contains(s.Connector.Trace, want) {
			return fmt.Errorf("the trace %q", s.Connector.Trace)
		}
		return nil
	})
}
