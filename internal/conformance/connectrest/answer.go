package connectrest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// Answer is what a worker answered to a call, with names in place of what differs between two runs.
type Answer struct {
	// Mode of the worker.
	Mode   string            `json:"-"`
	Call   string            `json:"call"`
	Status int               `json:"status"`
	Header map[string]string `json:"header"`
	// Body is JSON; nil for none. What is no JSON is a text.
	Body any `json:"body"`
}

// comparedHeaders are those that a client goes by.
var comparedHeaders = []string{
	"Content-Type", "Location", "Allow", "Access-Control-Allow-Origin", "Access-Control-Allow-Methods", "X-Served-By", "Www-Authenticate",
}

// hidden are fields whose values differ from run to run, or are the program's own.
var hidden = map[string]string{
	"worker_id": "<worker>", "version": "<version>", "commit": "<commit>", "kafka_cluster_id": "<cluster>", "last_modified": "<time>",
	"trace": "<trace>", "documentation": "<documentation>",
}

// noJSON stands for a body that is none.
const noJSON = "<no JSON>"

func newAnswer(c *Call, mode string, r *http.Response, body []byte, names *strings.Replacer) Answer {
	a := Answer{Mode: mode, Call: c.String(), Status: r.StatusCode, Header: map[string]string{}}
	for _, name := range comparedHeaders {
		if values := r.Header.Values(name); len(values) > 0 {
			a.Header[name] = names.Replace(headerValue(name, values))
		}
	}
	text := names.Replace(string(body))
	if strings.TrimSpace(text) == "" {
		return a
	}
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		a.Body = noJSON
		return a
	}
	a.Body = normal(v, "")
	return a
}

// headerValue is the value without what means nothing: the order of methods, blanks.
func headerValue(name string, values []string) string {
	value := strings.Join(values, ",")
	if name != "Allow" && name != "Access-Control-Allow-Methods" {
		return value
	}
	list := strings.Split(strings.ReplaceAll(value, " ", ""), ",")
	slices.Sort(list)
	return strings.Join(list, ",")
}

// clutter are the parts of messages that differ by nature: lists of classes, times.
var clutter = []struct {
	expr *regexp.Regexp
	by   string
}{
	{regexp.MustCompile(`available connectors are: .*`), "available connectors are: <classes>"},
	{regexp.MustCompile(`which began at [^ ]*`), "which began at <time>"},
	{regexp.MustCompile(`(?s)Invalid regex: .*`), "Invalid regex: <reason>"},
	{regexp.MustCompile(`^org\.apache\.kafka\.[A-Za-z.]+: `), ""},
}

func normal(v any, field string) any {
	if by, ok := hidden[field]; ok && v != nil {
		if _, scalar := v.(map[string]any); !scalar {
			return by
		}
	}
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			v[k] = normal(e, k)
		}
	case []any:
		for i, e := range v {
			v[i] = normal(e, "")
		}
		if allText(v) {
			slices.SortFunc(v, func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
		}
	case string:
		if strings.HasPrefix(v, "[") || strings.HasPrefix(v, "{") {
			return v
		}
		for _, c := range clutter {
			v = c.expr.ReplaceAllString(v, c.by)
		}
		return v
	}
	return v
}

func allText(list []any) bool {
	return !slices.ContainsFunc(list, func(e any) bool { _, ok := e.(string); return !ok })
}

// Difference says how got differs from want, "" for not at all.
func Difference(c *Call, want, got Answer) string {
	if want.Call != got.Call {
		return fmt.Sprintf("another call was recorded: %s", want.Call)
	}
	if c.Wording && want.Body == noJSON { // a page of the HTTP layer's
		return differentStatus(want, got)
	}
	if c.Wording {
		want.Body, got.Body = withoutMessage(want.Body), withoutMessage(got.Body)
	}
	if c.Own == "all" || c.Own != "" && c.Own == got.Mode {
		return sameKind(want, got)
	}
	var lines []string
	if want.Status != got.Status {
		lines = append(lines, fmt.Sprintf("  status: %d expected, got %d", want.Status, got.Status))
	}
	for name, value := range want.Header { // a worker may say more
		if got.Header[name] != value {
			lines = append(lines, fmt.Sprintf("  header %s: %q expected, got %q", name, value, got.Header[name]))
		}
	}
	lines = append(lines, differences("body", want.Body, got.Body)...)
	return strings.Join(lines, "\n")
}

func differentStatus(want, got Answer) string {
	if want.Status == got.Status {
		return ""
	}
	return fmt.Sprintf("  expected status %d, got %d", want.Status, got.Status)
}

// differences are the places where two bodies differ.
func differences(at string, want, got any) (out []string) {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			break
		}
		keys := slices.Sorted(maps.Keys(w))
		for k := range g {
			if _, in := w[k]; !in {
				keys = append(keys, k)
			}
		}
		for _, k := range keys {
			out = append(out, differences(at+"."+k, orAbsent(w, k), orAbsent(g, k))...)
		}
		return out
	case []any:
		g, ok := got.([]any)
		if !ok {
			break
		}
		if strings.HasSuffix(at, ".recommended_values") && len(missing(w, g)) == 0 {
			return nil
		}
		wanted, named := byName(w)
		if given, ok := byName(g); ok && named && len(w) > 0 {
			for _, k := range slices.Sorted(maps.Keys(wanted)) {
				out = append(out, differences(at+"["+k+"]", wanted[k], orAbsent(given, k))...)
			}
			return out
		}
		if len(w) != len(g) {
			break
		}
		for i := range w {
			out = append(out, differences(fmt.Sprintf("%s[%d]", at, i), w[i], g[i])...)
		}
		return out
	}
	w, _ := json.Marshal(want)
	g, _ := json.Marshal(got)
	if string(w) != string(g) {
		out = append(out, fmt.Sprintf("  %s: expected %s\n    got %s", at, w, g))
	}
	return out
}

// absent stands for a field that is not there, which is not the same as null.
const absent = "<absent>"

func orAbsent(m map[string]any, key string) any {
	if v, ok := m[key]; ok {
		return v
	}
	return absent
}

// withoutMessage keeps that there is a message.
func withoutMessage(body any) any {
	m, ok := body.(map[string]any)
	if !ok {
		return body
	}
	out := map[string]any{}
	for k, v := range m {
		if k == "message" && v != nil && v != "" {
			v = "<message>"
		}
		out[k] = v
	}
	return out
}

// byName are the entries of a list that have names: plugins, settings. What this program adds to Kafka's is no difference.
func byName(list []any) (map[string]any, bool) {
	out := map[string]any{}
	for _, e := range list {
		name, ok := nameOf(e)
		if !ok {
			return nil, false
		}
		out[name] = e
	}
	return out, len(out) == len(list)
}

func nameOf(e any) (string, bool) {
	m, ok := e.(map[string]any)
	if !ok {
		return "", false
	}
	if value, ok := m["value"].(map[string]any); ok {
		m = value
	}
	for _, field := range []string{"class", "name"} {
		if name, ok := m[field].(string); ok {
			kind, _ := m["type"].(string)
			return name + " " + kind, true
		}
	}
	return "", false
}

// missing are the texts of want that got has not.
func missing(want, got []any) (out []any) {
	for _, w := range want {
		if !slices.Contains(got, w) {
			out = append(out, w)
		}
	}
	return out
}

// sameKind compares answers that differ on purpose: both are successes, or both are errors.
func sameKind(want, got Answer) string {
	if (want.Status < 400) == (got.Status < 400) {
		return ""
	}
	return fmt.Sprintf("  expected status %d, got %d", want.Status, got.Status)
}
