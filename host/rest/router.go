package rest

import (
	"net/http"
	"net/url"
	"strings"
)

// route is a path of the API, whose segments in braces take any text that is not empty. http.ServeMux would not do: it cleans paths, and a
// connector may be named ".." or have a slash, as %2F, in its name.
type route struct {
	segments []string
	handler  http.Handler
}

// internal tells whether workers ask each other there, with a signature instead of a password.
func (t *route) internal(method string) bool {
	switch t.segments[len(t.segments)-1] {
	case "tasks":
		return method == http.MethodPost
	case "fence":
		return method == http.MethodPut
	}
	return false
}

func newRoute(pattern string, handler http.Handler) *route {
	return &route{strings.Split(strings.Trim(pattern, "/"), "/"), handler}
}

// segmentsOf are the parts of a path, decoded. One slash at the end means nothing.
func segmentsOf(u *url.URL) []string {
	path := strings.TrimPrefix(u.EscapedPath(), "/")
	out := strings.Split(strings.TrimSuffix(path, "/"), "/")
	for i := range out {
		if text, err := url.PathUnescape(out[i]); err == nil { // the server has refused what cannot be decoded
			out[i] = text
		}
	}
	return out
}

// matches tells whether the route is that of a path, and notes what stands for the segments in braces.
func (t *route) matches(r *http.Request, path []string) bool {
	if len(path) != len(t.segments) {
		return false
	}
	for i, s := range t.segments {
		if variable(s) && path[i] == "" || !variable(s) && s != path[i] {
			return false
		}
	}
	for i, s := range t.segments {
		if variable(s) {
			r.SetPathValue(strings.Trim(s, "{}"), path[i])
		}
	}
	return true
}

func variable(segment string) bool { return strings.HasPrefix(segment, "{") }

// find is the route of a request, nil if there is none.
func find(routes []*route, r *http.Request) *route {
	path := segmentsOf(r.URL)
	for _, t := range routes {
		if t.matches(r, path) {
			return t
		}
	}
	return nil
}
