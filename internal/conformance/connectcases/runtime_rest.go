package connectcases

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/builtin"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/host/connect"
	"github.com/wasmstream/wasmstream/host/rest"
	"github.com/wasmstream/wasmstream/internal/kafka"
)

// node is a standalone worker with its API, on a broker of its own.
type node struct {
	herder *connect.Herder
	api    http.Handler
	broker *kafka.Embedded
}

func newNode(worker map[string]string) (*node, error) {
	broker, err := kafka.StartEmbedded(kafka.EmbeddedConfig{Retention: time.Hour})
	if err != nil {
		return nil, err
	}
	props := config.PropsOf(map[string]string{
		"bootstrap.servers": broker.Addr, "key.converter": "JsonConverter", "value.converter": "JsonConverter", "offset.storage.file.filename": "",
	})
	for k, v := range worker {
		props.Set(k, v)
	}
	cfg, err := connect.ParseWorkerConfig(props, false)
	if err == nil {
		cfg.Compat = true
		plugins := builtin.Plugins()
		plugins.Add(casePlugins()...)
		var h *connect.Herder
		if h, err = connect.NewStandalone(cfg, plugins, slog.New(slog.NewTextHandler(io.Discard, nil))); err == nil {
			n := &node{herder: h, broker: broker}
			n.api = rest.NewHandler(rest.Config{Herder: h, Admin: true, Version: connectors.Version})
			return n, nil
		}
	}
	broker.Close()
	return nil, err
}

func (n *node) close() {
	_ = n.herder.Close()
	n.broker.Close()
}

// reply is what the API answered.
type reply struct {
	status int
	header http.Header
	body   []byte
}

func (n *node) call(method, path string, body string) reply {
	req := httptest.NewRequest(method, path, strings.NewReader(body))
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	n.api.ServeHTTP(w, req)
	return reply{w.Code, w.Result().Header, w.Body.Bytes()}
}

func (a reply) message() string {
	var m struct{ Message string }
	_ = json.Unmarshal(a.body, &m)
	return m.Message
}

// matches compares status, message and body with what is expected.
func (a reply) matches(e expectation) error {
	if raw, ok := e["status"]; ok && string(raw) != fmt.Sprint(a.status) {
		return fmt.Errorf("status %d: %s", a.status, a.body)
	}
	if string(e["error"]) == "true" && a.status < 400 {
		return fmt.Errorf("status %d: %s", a.status, a.body)
	}
	if raw, ok := e["message"]; ok && text(raw) != a.message() {
		return fmt.Errorf("the message %q", a.message())
	}
	if raw, ok := e["message_contains"]; ok && !strings.Contains(a.message(), text(raw)) {
		return fmt.Errorf("the message %q", a.message())
	}
	if raw, ok := e["body"]; ok && isNull(raw) && len(bytes.TrimSpace(a.body)) > 0 {
		return fmt.Errorf("the body %s", a.body)
	}
	return nil
}

// create makes a connector and returns when it has the state.
func (n *node) create(name string, settings map[string]string, state string) error {
	body, err := json.Marshal(map[string]any{"name": name, "config": settings})
	if err != nil {
		return err
	}
	if a := n.call(http.MethodPost, "/connectors", string(body)); a.status != http.StatusCreated {
		return fmt.Errorf("creating: %s", a.body)
	}
	return n.await(name, state, -1)
}

// await returns when a connector has a state and, unless negative, so many tasks in the same state.
func (n *node) await(name, state string, tasks int) error {
	var s connect.ConnectorStateInfo
	for end := time.Now().Add(patience); time.Now().Before(end); <-time.After(time.Millisecond) {
		s = connect.ConnectorStateInfo{}
		_ = json.Unmarshal(n.call(http.MethodGet, "/connectors/"+url.PathEscape(name)+"/status", "").body, &s)
		same := 0
		for _, t := range s.Tasks {
			if string(t.State) == state {
				same++
			}
		}
		if string(s.Connector.State) == state && (tasks < 0 || len(s.Tasks) == tasks && same == tasks) {
			return nil
		}
	}
	return fmt.Errorf("%+v, not %s with %d tasks", s, state, tasks)
}

// withNode runs a case on a node.
func withNode(worker map[string]string, f func(*node) error) error {
	n, err := newNode(worker)
	if err != nil {
		return err
	}
	defer n.close()
	return f(n)
}

func runSinkParsing(c *testCase) error {
	in := object(c.Input)
	e := c.expects()
	list, err := connect.ParseOffsets([]connect.OffsetInfo{{Partition: in["partition"], Offset: in["offset"]}})
	var tp connectors.TopicPartition
	var offset *int64
	if err == nil {
		tp, offset, err = connect.ParseSinkOffset(list[0].Partition, list[0].Offset)
	}
	if err != nil {
		return errorAnswer(err).matches(e)
	}
	return equalJSON(c.Expected, map[string]any{"topic": tp.Topic, "partition": tp.Partition, "offset": offset})
}

// errorAnswer is the reply that an error becomes.
func errorAnswer(err error) reply {
	status, body := rest.ErrorBody(err)
	return reply{status: status, body: body}
}

func runSinkFormat(c *testCase) error {
	in, err := into[struct {
		Offsets map[string]int64 `json:"group_offsets"`
	}](c.Input)
	if err != nil {
		return err
	}
	out := []map[string]json.RawMessage{}
	names := make([]string, 0, len(in.Offsets))
	for name := range in.Offsets {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		id := taskOf(name)
		o := connect.SinkOffsetEntry(connectors.TopicPartition{Topic: id.Connector, Partition: int32(id.Task)}, in.Offsets[name])
		entry := map[string]json.RawMessage{}
		for key, m := range map[string]*data.Map{"partition": o.Partition, "offset": o.Offset} {
			if entry[key], err = connect.MapJSON(m); err != nil {
				return err
			}
		}
		out = append(out, entry)
	}
	return equalJSON(c.Expected, map[string]any{"offsets": out})
}

func runPatchOffsets(c *testCase) error {
	in := object(c.Input)
	settings := map[string]string{"connector.class": "CaseSource", "topics": "t", "case.alter": string(in["connector.alterOffsets"])}
	if strings.HasPrefix(text(object(c.Config)["connector"]), "sink") {
		settings["connector.class"] = "CaseSink"
	} else {
		delete(settings, "topics")
	}
	body := string(in["body"])
	if s := text(in["body"]); s != "" {
		body = s
	}
	if body == "" {
		body = `{"offsets": [{"partition": {"p": 1}, "offset": {"o": 5}}]}`
	}
	return withNode(nil, func(n *node) error {
		if err := n.create("c", settings, "RUNNING"); err != nil {
			return err
		}
		switch state := text(in["connector_state"]); state {
		case "RUNNING":
		case "PAUSED":
			n.call(http.MethodPut, "/connectors/c/pause", "")
			if err := n.await("c", "PAUSED", -1); err != nil {
				return err
			}
		default:
			n.call(http.MethodPut, "/connectors/c/stop", "")
			if err := n.await("c", "STOPPED", 0); err != nil {
				return err
			}
		}
		return n.call(http.MethodPatch, "/connectors/c/offsets", body).matches(c.expects())
	})
}

func runUnknownOffsets(c *testCase) error {
	return withNode(nil, func(n *node) error {
		path := "/connectors/" + text(object(c.Input)["connector"]) + "/offsets"
		if err := n.call(http.MethodGet, path, "").matches(c.expects()); err != nil {
			return err
		}
		if err := n.call(http.MethodDelete, path, "").matches(c.expects()); err != nil {
			return err
		}
		return n.call(http.MethodPatch, path, `{"offsets": [{"partition": {"p": 1}, "offset": null}]}`).matches(c.expects())
	})
}

func runZombie(c *testCase) error {
	return withNode(nil, func(n *node) error {
		if err := n.create("c", map[string]string{"connector.class": "CaseSink", "topics": "t"}, "RUNNING"); err != nil {
			return err
		}
		n.call(http.MethodPut, "/connectors/c/stop", "")
		if err := n.await("c", "STOPPED", 0); err != nil {
			return err
		}
		if err := n.zombie("t", "connect-c"); err != nil {
			return err
		}
		if err := n.call(http.MethodDelete, "/connectors/c/offsets", "").matches(c.expects()); err != nil {
			return err
		}
		return n.call(http.MethodPatch, "/connectors/c/offsets", `{"offsets": [{"partition": {"kafka_topic": "t", "kafka_partition": 0}, "offset": {"kafka_offset": 1}}]}`).matches(c.expects())
	})
}

// zombie makes a member of a consumer group: the sink of another connector, which has read a line of a file from a topic.
func (n *node) zombie(topic, group string) error {
	file, err := os.CreateTemp("", "zombie")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	_, err = file.WriteString("a line\n")
	if cerr := file.Close(); err != nil || cerr != nil {
		return errors.Join(err, cerr)
	}
	source := map[string]string{"connector.class": "FileStreamSource", "file": file.Name(), "topic": topic, "topic.creation.default.partitions": "1", "topic.creation.default.replication.factor": "1"}
	if err := n.create("lines", source, "RUNNING"); err != nil {
		return err
	}
	if err := n.create("zombie", map[string]string{"connector.class": "CaseSink", "topics": topic, "consumer.override.group.id": group}, "RUNNING"); err != nil {
		return err
	}
	for end := time.Now().Add(patience); time.Now().Before(end); <-time.After(5 * time.Millisecond) {
		if a := n.call(http.MethodGet, "/connectors/zombie/topics", ""); bytes.Contains(a.body, []byte(`["`+topic+`"]`)) {
			return nil
		}
	}
	return fmt.Errorf("no member came to the group %s", group)
}

func runCreate(c *testCase) error {
	in := object(c.Input)
	e := c.expects()
	return withNode(nil, func(n *node) error {
		if text(in["herder"]) == "AlreadyExists" {
			if err := n.create("c", map[string]string{"connector.class": "CaseSource"}, "RUNNING"); err != nil {
				return err
			}
			return n.call(http.MethodPost, "/connectors", `{"name":"c","config":{"connector.class":"CaseSource"}}`).matches(e)
		}
		if raw, ok := e["name_passed_to_herder"]; ok {
			name, given := rest.CreationName(mustBody(in))
			if err := equalJSON(raw, name); err != nil {
				return err
			}
			return equalJSON(e["config.name"], given)
		}
		name := text(in["name"])
		if e["location_path_decoded"] == nil {
			body, _ := json.Marshal(in)
			return n.call(http.MethodPost, "/connectors", string(body)).matches(e)
		}
		u, err := url.Parse(rest.Location("http", "host:8083", name))
		if err != nil {
			return err
		}
		want := strings.Replace(text(e["location_path_decoded"]), "<the same name>", name, 1)
		if u.Path != want {
			return fmt.Errorf("%q", u.Path)
		}
		return nil
	})
}

func mustBody(in map[string]json.RawMessage) []byte {
	b, err := json.Marshal(in)
	if err != nil {
		panic("a case that cannot be written again: " + err.Error())
	}
	return b
}

// follower is a place in a group that another worker leads.
type follower struct{ leader string }

func (f follower) Leader() (bool, string)          { return false, f.leader }
func (f follower) Owner(connect.TaskID) string     { return f.leader }
func (follower) AwaitLeader(context.Context) error { return nil }
func (follower) Rejoin()                           {}
func (follower) Changed() <-chan struct{}          { return nil }
func (follower) Confirm(context.Context) error     { return nil }

// relay notes where a request goes and answers 200.
type relay struct{ to string }

func (r *relay) RoundTrip(req *http.Request) (*http.Response, error) {
	r.to = req.URL.String()
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("{}")), Request: req}, nil
}

func runForwardedRestart(c *testCase) error {
	in, err := into[struct {
		Owner   string `json:"owner_url"`
		Forward *string
	}](c.Input)
	if err != nil {
		return err
	}
	return withNode(nil, func(n *node) error {
		if err := n.create("test", map[string]string{"connector.class": "CaseSource"}, "RUNNING"); err != nil {
			return err
		}
		n.herder.UseMember(follower{in.Owner})
		to := &relay{}
		n.api = rest.NewHandler(rest.Config{Herder: n.herder, Client: &http.Client{Transport: to}})
		path := "/connectors/test/restart"
		if in.Forward != nil {
			path += "?forward=" + *in.Forward
		}
		a := n.call(http.MethodPost, path, "")
		if want := c.expects()["forwarded_to"]; want != nil && text(want) != to.to {
			return fmt.Errorf("forwarded to %q", to.to)
		}
		return a.matches(c.expects())
	})
}

func runNoLeader(c *testCase) error {
	return withNode(nil, func(n *node) error {
		if err := n.create("c", map[string]string{"connector.class": "CaseSource"}, "RUNNING"); err != nil {
			return err
		}
		n.herder.UseMember(follower{})
		return n.call(http.MethodDelete, "/connectors/c", "").matches(c.expects())
	})
}

func runPatchConfig(c *testCase) error {
	stored, err := c.props()
	if err != nil {
		return err
	}
	patch, err := propsOf(c.Input)
	if err != nil {
		return err
	}
	return equalJSON(c.Expected, connect.Patched(stored.Map(), patch).Map())
}

func runLoggers(c *testCase) error {
	in := object(c.Input)
	method, path, _ := strings.Cut(c.name(), " ")
	logger := text(in["logger"])
	if logger == "" {
		logger = "org.apache.kafka.connect"
	}
	scopes, err := into[[]*string](in["scope"])
	if err != nil {
		return err
	}
	path, query, _ := strings.Cut(strings.Replace(path, "{l}", logger, 1), "?")
	if len(scopes) == 0 {
		scopes = []*string{nil}
	}
	body := string(in["body"])
	return withNode(nil, func(n *node) error {
		for _, scope := range scopes {
			q := query
			if scope != nil {
				q = "scope=" + url.QueryEscape(*scope)
			}
			a := n.call(method, path+"?"+q, body)
			e := c.expects()
			if strings.HasPrefix(text(e["body"]), "sorted list") {
				var list []string
				if err := json.Unmarshal(a.body, &list); err != nil || !slices.IsSorted(list) {
					return fmt.Errorf("%s", a.body)
				}
			}
			if err := a.matches(e); err != nil {
				return err
			}
		}
		return nil
	})
}

func runTopics(c *testCase) error {
	props, err := c.props()
	if err != nil {
		return err
	}
	method, path, _ := strings.Cut(c.name(), " ")
	return withNode(props.Map(), func(n *node) error {
		return n.call(method, strings.Replace(path, "{c}", "c", 1), "").matches(c.expects())
	})
}

func runExpand(c *testCase) error {
	in, err := into[struct{ Connectors []string }](c.Input)
	if err != nil {
		return err
	}
	_, path, _ := strings.Cut(c.name(), " ")
	return withNode(nil, func(n *node) error {
		for _, name := range in.Connectors {
			if err := n.create(name, map[string]string{"connector.class": "CaseSource"}, "RUNNING"); err != nil {
				return err
			}
			if text(object(c.Input)["status_of_"+name]) == "not found" {
				n.herder.ApplyStatus(0, []byte("status-connector-"+name), nil)
			}
		}
		var got map[string]map[string]json.RawMessage
		if err := json.Unmarshal(n.call(http.MethodGet, path, "").body, &got); err != nil {
			return err
		}
		want := map[string]map[string]json.RawMessage{}
		e := c.expects()
		for name, parts := range object(e["shape"]) {
			want[name] = object(parts)
		}
		keys, err := into[[]string](e["keys"])
		if err != nil {
			return err
		}
		for _, name := range keys {
			want[name] = nil
		}
		if len(got) != len(want) {
			return fmt.Errorf("%v", got)
		}
		for name, parts := range want {
			if got[name] == nil {
				return fmt.Errorf("no %s", name)
			}
			for part := range parts {
				if got[name][part] == nil {
					return fmt.Errorf("no %s of %s", part, name)
				}
			}
		}
		return nil
	})
}

// runLocalFile creates the file connector of Kafka's system tests, with the settings that its tasks are expected to have.
func runLocalFile(c *testCase) error {
	_, path, _ := strings.Cut(c.name(), " ")
	name := strings.Split(strings.TrimPrefix(path, "/connectors/"), "/")[0]
	settings := map[string]string{"connector.class": "org.apache.kafka.connect.file.FileStreamSourceConnector", "file": "/mnt/connect.input", "topic": "topic-${file:x:topic.external}", "tasks.max": "1"}
	tasks, err := into[[]connect.TaskInfo](c.Expected)
	if err == nil && len(tasks) > 0 {
		settings = map[string]string{}
		for k, v := range tasks[0].Config {
			if k != "task.class" && k != "name" {
				settings[k] = v
			}
		}
	}
	return withNode(nil, func(n *node) error {
		if err := n.create(name, settings, "RUNNING"); err != nil {
			return err
		}
		if err := n.await(name, "RUNNING", 1); err != nil {
			return err
		}
		a := n.call(http.MethodGet, path, "")
		e := c.expects()
		if e == nil {
			return equalJSON(c.Expected, json.RawMessage(a.body))
		}
		settings["name"] = name
		got := object(a.body)
		for key, want := range e {
			if key == "config" && strings.HasPrefix(text(want), "the config as submitted") {
				want = mustBody(map[string]json.RawMessage{})
				if b, err := json.Marshal(settings); err == nil {
					want = b
				}
			}
			if err := equalJSON(want, got[key]); err != nil {
				return fmt.Errorf("%s: %w", key, err)
			}
		}
		return nil
	})
}

// stuckLog never writes what it is given, as a topic that was deleted.
type stuckLog struct{ connect.ConfigLog }

func (stuckLog) Append(ctx context.Context, _ ...connect.Record) error {
	<-ctx.Done()
	return ctx.Err()
}

func (l stuckLog) AppendLeading(ctx context.Context, records ...connect.Record) error {
	return l.Append(ctx, records...)
}

func runRestTimeout(c *testCase) error {
	method, _, _ := strings.Cut(text(object(c.Input)["request"]), " ")
	return withNode(nil, func(n *node) error {
		if err := n.create("simple-connector", map[string]string{"connector.class": "CaseSource"}, "RUNNING"); err != nil {
			return err
		}
		n.herder.UseLogs(stuckLog{connect.NewMemoryLog(n.herder.ApplyConfig)}, connect.NewMemoryLog(n.herder.ApplyStatus))
		n.api = rest.NewHandler(rest.Config{Herder: n.herder, Timeout: 50 * time.Millisecond})
		path, body := "/connectors/simple-connector/config", `{"connector.class":"CaseSource","more":"1"}`
		if method == http.MethodDelete {
			path, body = "/connectors/simple-connector", ""
		}
		return n.call(method, path, body).matches(c.expects())
	})
}
