package connect_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// requestPatience bounds for how long a request is sent again.
const requestPatience = 90 * time.Second

// awaitLong is await for what goes through other processes.
func awaitLong(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(requestPatience); !cond(); {
		if time.Now().After(end) {
			t.Fatalf("waiting for %s", what)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// ask sends a request and returns status and body; requests that meet a rebalance are sent again, as clients do.
func ask(t testing.TB, method, url, body string) (int, string) {
	t.Helper()
	for end := time.Now().Add(requestPatience); ; <-time.After(50 * time.Millisecond) {
		req, err := http.NewRequest(method, url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != http.StatusConflict && resp.StatusCode != http.StatusInternalServerError || time.Now().After(end) {
			return resp.StatusCode, string(b)
		}
	}
}

// owners are the workers that run a connector's tasks, if the connector and as many tasks as wanted run; else nil.
func owners(t testing.TB, url, name string, tasks int) map[string]int {
	t.Helper()
	var s struct {
		Connector struct{ State, Trace string }
		Tasks     []struct {
			State    string
			WorkerID string `json:"worker_id"`
		}
	}
	code, body := ask(t, "GET", url+"/connectors/"+name+"/status", "")
	if code != http.StatusOK || json.Unmarshal([]byte(body), &s) != nil || s.Connector.State != "RUNNING" || len(s.Tasks) != tasks {
		return nil
	}
	out := map[string]int{}
	for _, task := range s.Tasks {
		if task.State != "RUNNING" {
			return nil
		}
		out[task.WorkerID]++
	}
	return out
}

func appendLines(t testing.TB, path string, from, to int) (size int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for i := from; i < to; i++ {
		fmt.Fprintf(f, "line %d\n", i)
	}
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// distinct is how many different lines a file has.
func distinct(path string) int {
	b, _ := os.ReadFile(path)
	seen := map[string]bool{}
	for line := range strings.Lines(string(b)) {
		seen[line] = true
	}
	return len(seen)
}
