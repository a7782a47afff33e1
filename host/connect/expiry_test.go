package connect_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wasmstream/wasmstream/connectors/builtin"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/host/connect"
	"github.com/wasmstream/wasmstream/internal/brokertest"
)

// aging is a provider whose answers are good for so many milliseconds.
type aging int64

func (aging) Configure(config.Props) error { return nil }
func (aging) Close() error                 { return nil }

func (a aging) Get(string, []string) (config.ProviderData, error) {
	ttl := int64(a)
	return config.ProviderData{Data: map[string]string{"file": "/dev/null"}, TTL: &ttl}, nil
}

// TestValuesExpire has a connector restarted when the first of its values is to be asked for again, once, unless it wants no restarts,
// has no such values, or does not run.
func TestValuesExpire(t *testing.T) {
	for _, tt := range []struct {
		name, file, action string
		target             connect.TargetState
		want               int64
	}{
		{"restart", "${slow:a:file}${fast:b:file}", "restart", connect.Started, 1},
		{"by default", "${fast:b:file}", "", connect.Started, 1},
		{"at once", "${none:b:file}", "", connect.Started, 1},
		{"none", "${fast:b:file}", "none", connect.Started, 0},
		{"no variables", "/dev/null", "restart", connect.Started, 0},
		{"paused", "${fast:b:file}", "restart", connect.Paused, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg, err := connect.ParseWorkerConfig(config.PropsOf(map[string]string{"key.converter": "StringConverter", "value.converter": "StringConverter", "offset.storage.file.filename": ""}), false)
				if err != nil {
					t.Fatal(err)
				}
				w, err := connect.NewWorker(cfg, builtin.Plugins(), quiet())
				if err != nil {
					t.Fatal(err)
				}
				var expired atomic.Int64
				w.Transformer = config.NewTransformer(map[string]config.Provider{"slow": aging(3_600_000), "fast": aging(60_000), "none": aging(0)})
				w.ConnectorStatus = func(string, connect.Status) {}
				w.ConnectorFailed = func(c *connect.RunningConnector) { t.Error(c.Name, "failed") }
				w.ConnectorExpired = func(*connect.RunningConnector) { expired.Add(1) }
				props := map[string]string{"name": "c", "connector.class": "FileStreamSink", "topics": "t", "file": tt.file}
				if tt.action != "" {
					props["config.action.reload"] = tt.action
				}
				c := w.StartConnector("c", config.PropsOf(props), tt.target, func() {})
				<-time.After(50 * time.Millisecond)
				if n := expired.Load(); n != 0 {
					t.Errorf("restarted %d times at once", n)
				}
				<-time.After(time.Minute)
				if n := expired.Load(); n != tt.want {
					t.Errorf("restarted %d times after a minute", n)
				}
				c.Stop("")
				<-c.Done()
				<-time.After(2 * time.Hour)
				if n := expired.Load(); n != tt.want {
					t.Errorf("restarted %d times after it was stopped", n)
				}
			})
		})
	}
}

// TestSecretsAreReadAgain has the value of a variable change in its file: connector and task go on with the new one, in both modes, and
// what is stored stays the variable.
func TestSecretsAreReadAgain(t *testing.T) {
	t.Parallel()
	b := brokertest.Fake(t)
	dir := t.TempDir()
	secrets := filepath.Join(dir, "secrets.properties")
	point := func(to string) {
		t.Helper()
		if err := os.WriteFile(secrets+".new", []byte("in="+to+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(secrets+".new", secrets); err != nil {
			t.Fatal(err)
		}
	}
	first, second := filepath.Join(dir, "first"), filepath.Join(dir, "second")
	appendLines(t, first, 0, 10)
	appendLines(t, second, 10, 20)
	point(first)
	worker := map[string]string{"config.providers": "file", "config.providers.file.class": "FileConfigProvider", "config.providers.file.param.ttl.ms": "100"}
	alone, group := standalone(t, b.Addr, dir, worker), distributed(t, b, worker)
	settings := func(topic string) map[string]string {
		return map[string]string{"connector.class": "FileStreamSource", "file": "${file:" + secrets + ":in}", "topic": b.CreateTopic(t, topic, 1)}
	}
	put(t, alone, "alone", settings("alone"))
	lead(t, group, "group", settings("group"))
	for name, h := range map[string]*connect.Herder{"alone": alone, "group": group.herder} {
		await(t, "what lies in the first file", func() bool { return len(b.ReadAll(t, name)) >= 10 })
		await(t, "the task", func() bool { return states(h, name) == "RUNNING RUNNING" })
	}
	point(second)
	for name, h := range map[string]*connect.Herder{"alone": alone, "group": group.herder} {
		await(t, "what lies in the second file", func() bool {
			return len(texts(b.ReadAll(t, name))) >= 20
		})
		if stored, err := h.ConnectorConfig(name); err != nil || stored["file"] != "${file:"+secrets+":in}" {
			t.Errorf("%v, %v", stored, err)
		}
		tasks, err := h.Tasks(name)
		if err != nil || len(tasks) != 1 || fmt.Sprint(tasks[0].Config["file"]) != "${file:"+secrets+":in}" {
			t.Errorf("%v, %v", tasks, err)
		}
		if err := h.DeleteConnector(context.Background(), name); err != nil {
			t.Error(err)
		}
	}
}
