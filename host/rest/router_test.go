package rest

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestInternalRoutes wants the paths that need no password to be those on which workers ask each other, and none that only looks like them.
func TestInternalRoutes(t *testing.T) {
	var routes []*route
	for _, pattern := range []string{"/", "/connectors", "/connectors/{name}", "/connectors/{name}/tasks", "/connectors/{name}/fence", "/connectors/{name}/config", "/admin/loggers/{logger}"} {
		routes = append(routes, newRoute(pattern, http.NotFoundHandler()))
	}
	for _, c := range []struct {
		method, path    string
		found, internal bool
		name            string
	}{
		{"POST", "/connectors/c/tasks", true, true, "c"},
		{"POST", "/connectors/c/tasks/", true, true, "c"},
		{"GET", "/connectors/c/tasks", true, false, "c"},
		{"PUT", "/connectors/c/fence", true, true, "c"},
		{"POST", "/connectors/c/fence", true, false, "c"},
		{"PUT", "/admin/loggers/a%2Ffence", true, false, ""},
		{"POST", "/connectors/a%2Ftasks", true, false, "a/tasks"},
		{"PUT", "/connectors/fence", true, false, "fence"},
		{"PUT", "/connectors//fence", false, false, ""},
		{"PUT", "/fence", false, false, ""},
		{"PUT", "/connectors/../fence", true, true, ".."},
		{"GET", "/", true, false, ""},
		{"GET", "/connectors/%2E%2e/config", true, false, ".."},
	} {
		r := httptest.NewRequest(c.method, c.path, nil)
		to := find(routes, r)
		if (to != nil) != c.found || to != nil && (to.internal(c.method) != c.internal || r.PathValue("name") != c.name) {
			t.Errorf("%s %s: %+v, name %q", c.method, c.path, to, r.PathValue("name"))
		}
	}
}
