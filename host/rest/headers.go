package rest

import (
	"net/http"
	"strings"
	"time"

	"github.com/wasmstream/wasmstream/connectors/config"
)

// headerRule is an entry of response.http.headers.config: "[set|add|setDate|addDate] name:value".
type headerRule struct{ action, name, value string }

func (r headerRule) apply(h http.Header) {
	switch r.action {
	case "add":
		h.Add(r.name, r.value)
	case "setDate":
		h.Set(r.name, time.Now().UTC().Format(http.TimeFormat))
	case "addDate":
		h.Add(r.name, time.Now().UTC().Format(http.TimeFormat))
	default:
		h.Set(r.name, r.value)
	}
}

func parseHeaderRules(csv string) (out []headerRule) {
	for _, part := range splitQuoted(csv) {
		action, rest, ok := strings.Cut(strings.TrimSpace(part), " ")
		name, value, found := strings.Cut(rest, ":")
		if ok && found {
			out = append(out, headerRule{action, strings.TrimSpace(name), strings.TrimSpace(value)})
		}
	}
	return out
}

// splitQuoted splits at commas outside quotes and takes the quotes off.
func splitQuoted(s string) (out []string) {
	var b strings.Builder
	quoted := false
	for _, c := range s {
		switch {
		case c == '"':
			quoted = !quoted
		case c == ',' && !quoted:
			out = append(out, b.String())
			b.Reset()
		default:
			b.WriteRune(c)
		}
	}
	if strings.TrimSpace(b.String()) != "" {
		out = append(out, b.String())
	}
	return out
}

// cors are access.control.allow.origin and .methods; empty is off.
type cors struct{ origin, methods string }

func newCORS(worker config.Props) cors {
	return cors{worker.Or("access.control.allow.origin", ""), worker.Or("access.control.allow.methods", "GET,POST,HEAD")}
}

// preflight tells whether a browser asks what it may ask. It sends no credentials with that.
func preflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != ""
}

// admits tells whether pages of the request's origin may use the API.
func (c cors) admits(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	return c.origin != "" && origin != "" && (c.origin == "*" || strings.Contains(","+c.origin+",", ","+origin+","))
}

// strange tells whether a browser sends the request for a page of another site, to change something. It asks beforehand for most such
// requests, but not for a POST without a content type, with which any page that somebody looks at could create connectors on the worker of
// that machine.
func (c cors) strange(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return false
	}
	return r.Header.Get("Sec-Fetch-Site") == "cross-site" && !c.admits(r)
}

// apply sets the headers for a browser.
func (c cors) apply(w http.ResponseWriter, r *http.Request) {
	if !c.admits(r) {
		return
	}
	origin := r.Header.Get("Origin")
	w.Header().Set("Access-Control-Allow-Origin", origin)
	w.Header().Add("Vary", "Origin")
	if preflight(r) {
		w.Header().Set("Access-Control-Allow-Methods", c.methods)
		w.Header().Set("Access-Control-Allow-Headers", "Content-Type, Authorization")
	}
}
