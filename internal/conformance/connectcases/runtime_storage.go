package connectcases

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/host/connect"
)

// runConfigTopic folds records, all at once or with checks between them, and compares what is known then.
func runConfigTopic(c *testCase) error {
	in, err := into[struct {
		Records, Steps []json.RawMessage
		Partitions     int
	}](c.Input)
	if err != nil {
		return err
	}
	e := c.expects()
	if in.Partitions > 0 {
		if done, err := e.failure(connect.CheckConfigPartitions("connect-configs", in.Partitions)); done {
			return err
		}
		return e.mustFail()
	}
	fold := connect.NewClusterConfig()
	if err := bootstrap(fold, in.Steps); err != nil {
		return err
	}
	var connectors []string
	for i, step := range append(in.Records, in.Steps...) {
		var name string
		if json.Unmarshal(step, &name) == nil {
			if err := matchConfig(object(e[name]), fold, connectors); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			continue
		}
		var record [2]json.RawMessage
		if err := json.Unmarshal(step, &record); err != nil {
			return err
		}
		value := []byte(record[1])
		if isNull(record[1]) {
			value = nil
		}
		if rest, ok := strings.CutPrefix(text(record[0]), "commit-"); ok {
			connectors = append(connectors, rest)
		}
		if _, err := fold.Apply(fold.Offset(), []byte(text(record[0])), value); err != nil {
			return fmt.Errorf("record %d: %w", i, err)
		}
	}
	if len(in.Steps) > 0 {
		return nil
	}
	return matchConfig(e, fold, connectors)
}

// bootstrap makes the connectors known that the steps of a case are about and do not make: Kafka's tests put them into the
// store's memory, past the topic.
func bootstrap(fold *connect.ClusterConfig, steps []json.RawMessage) error {
	for _, step := range steps {
		var record [2]json.RawMessage
		if json.Unmarshal(step, &record) != nil {
			continue
		}
		name, ok := strings.CutPrefix(text(record[0]), "commit-")
		if !ok || strings.Contains(string(mustBody(map[string]json.RawMessage{"steps": mustList(steps)})), `"connector-`+name+`"`) {
			continue
		}
		r := connect.ConnectorRecord(name, config.PropsOf(map[string]string{"name": name}))
		if _, err := fold.Apply(-1, r.Key, r.Value); err != nil {
			return err
		}
	}
	return nil
}

func mustList(list []json.RawMessage) json.RawMessage {
	b, err := json.Marshal(list)
	if err != nil {
		panic("a case that cannot be written again: " + err.Error())
	}
	return b
}

// matchConfig compares what a fold says. Where a case gives a bare value, it is about the only connector.
func matchConfig(want map[string]json.RawMessage, fold *connect.ClusterConfig, seen []string) error {
	only := ""
	if len(seen) > 0 {
		only = seen[0]
	}
	for key, raw := range want {
		if err := matchConfigKey(key, raw, fold, only); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	return nil
}

func matchConfigKey(key string, raw json.RawMessage, fold *connect.ClusterConfig, only string) error {
	byConnector := object(raw)
	switch key {
	case "offset":
		return equalJSON(raw, fold.Offset())
	case "connectors":
		return equalJSON(raw, append([]string{}, fold.Connectors()...))
	case "inconsistent":
		return equalJSON(raw, append([]string{}, fold.Inconsistent()...))
	case "pending_fencing":
		if byConnector == nil && raw[0] == '[' {
			return eachOf(raw, fold.PendingFencing)
		}
		return equalJSON(raw, fold.PendingFencing(only))
	case "generation":
		return equalJSON(raw, fold.Generation(only))
	case "task_count_record":
		if byConnector == nil {
			return sameCount(raw, fold, only)
		}
		for name, want := range byConnector {
			if err := sameCount(want, fold, name); err != nil {
				return err
			}
		}
		return nil
	case "target_state", "connector_config", "tasks", "task_config":
		for name, want := range byConnector {
			if err := equalJSON(want, configOf(key, fold, name)); err != nil {
				return err
			}
		}
		return nil
	}
	return fmt.Errorf("an expectation that the runner does not know")
}

func eachOf(raw json.RawMessage, is func(string) bool) error {
	names, err := into[[]string](raw)
	for _, n := range names {
		if !is(n) {
			return fmt.Errorf("not %s", n)
		}
	}
	return err
}

func sameCount(want json.RawMessage, fold *connect.ClusterConfig, name string) error {
	n, ok := fold.TaskCountRecord(name)
	if !ok {
		return equalJSON(want, nil)
	}
	return equalJSON(want, n)
}

func configOf(key string, fold *connect.ClusterConfig, name string) any {
	switch key {
	case "target_state":
		if !fold.Contains(name) {
			return nil
		}
		return fold.TargetState(name)
	case "connector_config":
		return fold.Connector(name)
	case "tasks":
		numbers := []int{}
		for _, id := range fold.Tasks(name) {
			numbers = append(numbers, id.Task)
		}
		return numbers
	}
	at := strings.LastIndexByte(name, '-')
	n := 0
	if _, err := fmt.Sscan(name[at+1:], &n); err != nil {
		return nil
	}
	return fold.Task(connect.TaskID{Connector: name[:at], Task: n})
}

func runOffsetTopic(c *testCase) error {
	in, err := into[struct{ Key string }](c.Input)
	if err != nil {
		return err
	}
	e := c.expects()
	connector, _, err := connect.ParseOffsetKey([]byte(in.Key))
	if string(e["ignored"]) != "true" {
		if err != nil {
			return err
		}
		if want := text(e["connector"]); want != "" && want != connector {
			return fmt.Errorf("connector %q", connector)
		}
		return nil
	}
	var ignored *connect.OffsetKeyError
	if !errors.As(err, &ignored) {
		return fmt.Errorf("the key is not ignored: %w", err)
	}
	if want := text(e["warning_contains"]); !strings.Contains(ignored.What, want) {
		return fmt.Errorf("the warning %q", ignored.What)
	}
	if string(e["warning"]) == "false" && !ignored.Quiet {
		return fmt.Errorf("a warning %q", ignored.What)
	}
	return nil
}

func runStatusTopic(c *testCase) error {
	in, err := into[struct {
		Keys []string
		Key  string
	}](c.Input)
	if err != nil {
		return err
	}
	if in.Key != "" {
		in.Keys = append(in.Keys, in.Key)
	}
	ignored := true
	for _, key := range in.Keys {
		s := connect.NewStatuses()
		if err := s.Apply([]byte(key), []byte("{}")); err == nil {
			ignored = false
		}
	}
	return equalJSON(c.expects()["ignored"], ignored)
}

// tracked is what a case of submitted records works on.
type tracked struct {
	records *connect.SubmittedRecords
	last    *connect.SubmittedRecord
	byName  map[string]*connect.SubmittedRecord
	drops   []bool
	polls   []any
}

func runSubmitted(c *testCase) error {
	in, err := into[struct {
		Steps     []string
		Submitted string
	}](c.Input)
	if err != nil {
		return err
	}
	e := c.expects()
	t := &tracked{records: connect.NewSubmittedRecords(), byName: map[string]*connect.SubmittedRecord{}}
	if in.Submitted != "" {
		return t.bulk(in.Submitted, e)
	}
	for _, step := range in.Steps {
		if err := t.step(step); err != nil {
			return err
		}
	}
	if raw, ok := e["drop"]; ok {
		if err := equalJSON(raw, t.drops); err != nil {
			return fmt.Errorf("drop: %w", err)
		}
	}
	return samePolls(e["polls"], t.polls)
}

func (t *tracked) step(step string) error {
	words := strings.Fields(step)
	switch {
	case words[0] == "submit" && len(words) == 3:
		t.last = t.records.Submit(named(words[1]), named(words[2]))
		t.byName[words[1]+" "+words[2]] = t.last
	case words[0] == "drop" || words[0] == "ack":
		r := t.last
		if named := t.byName[strings.Join(words[1:], " ")]; named != nil {
			r = named
		}
		if words[0] == "ack" {
			r.Ack()
		} else {
			t.drops = append(t.drops, r.Drop())
		}
	case words[0] == "poll":
		out := map[string]string{}
		for _, o := range t.records.Committable().Offsets {
			out[nameOf(o.Partition)] = nameOf(o.Offset)
		}
		t.polls = append(t.polls, out)
	default:
		return fmt.Errorf("a step %q that the runner does not know", step)
	}
	return nil
}

func named(s string) *data.Map {
	if s == "null" {
		return nil
	}
	return data.Of("name", data.StringValue(s))
}

func nameOf(m *data.Map) string {
	if m == nil {
		return "null"
	}
	return m.Get("name").Str()
}

// samePolls compares polls; a text says of a poll what is in it.
func samePolls(want json.RawMessage, got []any) error {
	polls, err := into[[]json.RawMessage](want)
	if err != nil {
		return err
	}
	if len(polls) != len(got) {
		return fmt.Errorf("%d polls: %v", len(got), got)
	}
	for i, w := range polls {
		if prose := text(w); prose != "" {
			if prose == "one entry: null partition -> null offset" && !slices.Equal([]string{fmt.Sprint(got[i])}, []string{"map[null:null]"}) {
				return fmt.Errorf("poll %d: %v", i, got[i])
			}
			continue
		}
		if err := equalJSON(w, got[i]); err != nil {
			return fmt.Errorf("poll %d: %w", i, err)
		}
	}
	return nil
}

// bulk reads "N records in each of M partitions, none acked".
func (t *tracked) bulk(prose string, e expectation) error {
	var records, partitions int
	if _, err := fmt.Sscanf(prose, "%d records in each of %d partitions", &records, &partitions); err != nil {
		return fmt.Errorf("an input %q that cannot be read", prose)
	}
	_, what, _ := strings.Cut(prose, ", ")
	for p := range partitions {
		for r := range records {
			s := t.records.Submit(named(fmt.Sprint("p", p)), named(fmt.Sprint("o", r)))
			if strings.HasPrefix(what, "all acked") {
				s.Ack()
			}
		}
	}
	got := t.records.Committable()
	out := map[string]any{
		"committable_messages": got.Messages, "uncommittable_messages": got.Waiting, "partitions": got.Partitions, "largest_partition_size": got.LargestSize,
	}
	for key, want := range e {
		if key == "committable" {
			if n := len(object(want)); n != len(got.Offsets) {
				return fmt.Errorf("%d partitions can be committed", len(got.Offsets))
			}
			continue
		}
		if _, ok := out[key]; !ok {
			return fmt.Errorf("an expectation %q that the runner does not know", key)
		}
		if err := equalJSON(want, out[key]); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	return nil
}
