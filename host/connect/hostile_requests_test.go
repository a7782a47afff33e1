package connect_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/wasmstream/wasmstream/host/connect"
	"github.com/wasmstream/wasmstream/host/rest"
	"github.com/wasmstream/wasmstream/internal/brokertest"
)

// asker calls an API without a network.
type asker func(method, path, body string) (int, string)

func askerOf(h *connect.Herder) asker {
	api := rest.NewHandler(rest.Config{Herder: h, Admin: true})
	return func(method, path, body string) (int, string) {
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		out := httptest.NewRecorder()
		api.ServeHTTP(out, r)
		return out.Code, out.Body.String()
	}
}

// eachMode runs a test with a worker alone and with one of a group.
func eachMode(t *testing.T, more map[string]string, test func(t *testing.T, b *brokertest.Broker, call asker)) {
	t.Run("standalone", func(t *testing.T) {
		b := brokertest.Fake(t)
		test(t, b, askerOf(standalone(t, b.Addr, t.TempDir(), more)))
	})
	t.Run("distributed", func(t *testing.T) {
		b := brokertest.Fake(t)
		test(t, b, askerOf(distributed(t, b, more).herder))
	})
}

const quietSource = `"connector.class":"FileStreamSource","topic":"t","file":"/dev/null"`

// TestNamesOfConnectors creates connectors of all kinds of names, and finds, changes and deletes them by their paths.
func TestNamesOfConnectors(t *testing.T) {
	eachMode(t, nil, func(t *testing.T, _ *brokertest.Broker, call asker) {
		for _, name := range []string{
			"a b", "ä", "a/b", "a/", "/", "a%b", "%2F", "a?b", "a#b", `a\b`, ".", "..", "...", "a;b", "a+b", `"q"`, "<x>", "😀", "a:b", "a&b=c", "config", "tasks", strings.Repeat("x", 300),
		} {
			path := "/connectors/" + url.PathEscape(name)
			if code, body := call("POST", "/connectors", fmt.Sprintf(`{"name":%q,"config":{%s}}`, name, quietSource)); code != http.StatusCreated {
				t.Errorf("POST %q: %d %s", name, code, body)
			}
			if code, body := call("GET", path+"/config", ""); code != http.StatusOK || !strings.Contains(body, `"connector.class":"FileStreamSource"`) {
				t.Errorf("GET config of %q: %d %s", name, code, body)
			}
			if code, body := call("PUT", path+"/config", "{"+quietSource+`,"note":"x"}`); code != http.StatusOK {
				t.Errorf("PUT config of %q: %d %s", name, code, body)
			}
			if code, body := call("PUT", path+"/pause", ""); code != http.StatusAccepted {
				t.Errorf("PUT pause of %q: %d %s", name, code, body)
			}
			if code, body := call("DELETE", path, ""); code != http.StatusNoContent {
				t.Errorf("DELETE %q: %d %s", name, code, body)
			}
		}
		for _, name := range []string{"", "a\tb", "a\nb", "a\x00b"} {
			if code, body := call("POST", "/connectors", fmt.Sprintf(`{"name":"%s","config":{%s}}`, strings.NewReplacer("\t", `\t`, "\n", `\n`, "\x00", `\u0000`).Replace(name), quietSource)); code != http.StatusBadRequest {
				t.Errorf("POST %q: %d %s", name, code, body)
			}
		}
		if code, body := call("GET", "/connectors", ""); code != http.StatusOK || strings.TrimSpace(body) != "[]" {
			t.Errorf("%d %s are left", code, body)
		}
	})
}

// TestHostileBodies sends what is no request: the answer says what is wrong, in words of nobody's parser, and nothing is stored.
func TestHostileBodies(t *testing.T) {
	eachMode(t, nil, func(t *testing.T, _ *brokertest.Broker, call asker) {
		if code, body := call("PUT", "/connectors/c/config", "{"+quietSource+"}"); code != http.StatusCreated {
			t.Fatalf("%d %s", code, body)
		}
		if code, body := call("PUT", "/connectors/c/stop", ""); code != http.StatusNoContent {
			t.Fatalf("%d %s", code, body)
		}
		offsets := func(entry string) string { return `{"offsets":[` + entry + `]}` }
		for _, c := range []struct {
			method, path, body string
			status             int
			text               string
		}{
			{"POST", "/connectors", "", 500, "want an object: there is nothing"},
			{"POST", "/connectors", "null", 500, "the request has no config"},
			{"POST", "/connectors", "[]", 500, "want an object: it is of type array"},
			{"POST", "/connectors", `"x"`, 500, "want an object: it is of type string"},
			{"POST", "/connectors", `{"name":"a","config":{`, 500, "it ends too early"},
			{"POST", "/connectors", `{"name":"a","config":{` + quietSource + `}} x`, 500, "something follows"},
			{"POST", "/connectors", `{"name":"a","config":` + strings.Repeat("[", 100_000), 500, "max depth"},
			{"POST", "/connectors", "{\"name\":\"\xff\",\"config\":{" + quietSource + "}}", 500, "it is not UTF-8"},
			{"POST", "/connectors", `{"name":["a"],"config":{}}`, 500, "want text as name"},
			{"POST", "/connectors", `{"name":"a","config":{},"initial_state":7}`, 500, "initial_state is one of"},
			{"POST", "/connectors", `{"name":"a","config":"` + strings.Repeat("y", 17<<20) + `"}`, 413, "HTTP 413 Request Entity Too Large"},
			{"PUT", "/connectors/a/config", "", 500, "there is nothing"},
			{"PUT", "/connectors/a/config", "null", 500, "the request has no settings"},
			{"PUT", "/connectors/a/config", `{"connector.class":{}}`, 500, "want text as value of connector.class"},
			{"PUT", "/connectors/a/config", `{` + quietSource + `,"nobodys":null}`, 400, "the following 1 error(s):\\nNull value can not be supplied as the configuration value.\\nYou can"},
			{"PATCH", "/connectors/c/config", "", 500, "there is nothing"},
			{"PATCH", "/connectors/c/config", "null", 500, "the request has no settings"},
			{"PATCH", "/connectors/c/config", "[]", 500, "want a map of settings: it is of type array"},
			{"PATCH", "/connectors/c/offsets", "", 500, "there is nothing"},
			{"PATCH", "/connectors/c/offsets", `{"offsets":{}}`, 500, "want a list of offsets: it is of type object"},
			{"PATCH", "/connectors/c/offsets", offsets("null"), 500, "it is null"},
			{"PATCH", "/connectors/c/offsets", offsets(`{"partition":{"filename":"f"},"offset":{"position":99999999999999999999}}`), 500, "the offset is no object of texts, numbers and booleans: "},
			{"PATCH", "/connectors/c/offsets", offsets(`{}`), 200, "altered successfully"}, // as Kafka: there is nothing to reset
			{"PATCH", "/connectors/c/offsets", offsets(`{"offset":{"position":9}}`), 500, "Partition objects cannot be null"},
			{"POST", "/connectors/c/tasks/99999999999/restart", "", 404, "HTTP 404 Not Found"},
			{"PATCH", "/connectors/c/offsets", offsets(`{"partition":[1],"offset":{"position":9}}`), 500, "the partition is no object"},
			{"PUT", "/admin/loggers/root", "", 500, "there is nothing"},
			{"PUT", "/admin/loggers/root", "null", 400, "Desired 'level' parameter was not specified in request."},
			{"GET", "//connectors", "", 404, "HTTP 404 Not Found"},
			{"GET", "/connectors//config", "", 404, "HTTP 404 Not Found"},
			{"GET", "/../connectors", "", 404, "HTTP 404 Not Found"},
			{"DELETE", "/connectors/", "", 405, "HTTP 405 Method Not Allowed"},
			{"GET", "/connectors/", "", 200, `["c"]`},
		} {
			code, body := call(c.method, c.path, c.body)
			if code != c.status || !strings.Contains(body, c.text) || strings.Contains(body, "Go value") {
				t.Errorf("%s %s %.60q: %d %s", c.method, c.path, c.body, code, body)
			}
		}
	})
}

// TestSettingsThatAreTooLarge sends settings that the config topic does not take: the answer says so, and the group goes on.
func TestSettingsThatAreTooLarge(t *testing.T) {
	for _, eos := range []string{"disabled", "enabled"} {
		t.Run(eos, func(t *testing.T) {
			b := brokertest.Fake(t)
			call := askerOf(distributed(t, b, map[string]string{"exactly.once.source.support": eos}).herder)
			code, body := call("PUT", "/connectors/c/config", "{"+quietSource+`,"note":"`+strings.Repeat("y", 3<<20)+`"}`)
			if code != http.StatusInternalServerError || !strings.Contains(body, "the record is larger than the topic or the worker's producer takes") {
				t.Errorf("%d %s", code, body)
			}
			await(t, "settings that fit to be taken", func() bool {
				code, _ := call("PUT", "/connectors/c/config", "{"+quietSource+"}")
				return code == http.StatusCreated || code == http.StatusOK
			})
		})
	}
}

// TestWritesAtTheSameTime has many clients create one connector: one of them does. All who change it are answered, and one of the settings
// is what holds in the end.
func TestWritesAtTheSameTime(t *testing.T) {
	eachMode(t, nil, func(t *testing.T, _ *brokertest.Broker, call asker) {
		const clients = 20
		all := func(request func(i int) int) map[int]int {
			var mu sync.Mutex
			var wg sync.WaitGroup
			codes := map[int]int{}
			for i := range clients {
				wg.Go(func() {
					code := request(i)
					mu.Lock()
					defer mu.Unlock()
					codes[code]++
				})
			}
			wg.Wait()
			return codes
		}
		created := all(func(int) int {
			code, _ := call("POST", "/connectors", `{"name":"c","config":{`+quietSource+`}}`)
			return code
		})
		if created[http.StatusCreated] != 1 || created[http.StatusConflict] != clients-1 {
			t.Errorf("%v", created)
		}
		changed := all(func(i int) int {
			code, _ := call("PUT", "/connectors/c/config", fmt.Sprintf(`{%s,"note":"%d"}`, quietSource, i))
			return code
		})
		if changed[http.StatusOK] != clients {
			t.Errorf("%v", changed)
		}
		if code, body := call("GET", "/connectors/c/config", ""); code != http.StatusOK || !strings.Contains(body, `"note":"`) {
			t.Errorf("%d %s", code, body)
		}
	})
}
