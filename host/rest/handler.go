package rest

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"mime"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/wasmstream/wasmstream/host/connect"
)

// Config is what a handler needs.
type Config struct {
	Herder *connect.Herder
	Log    *slog.Logger
	// Admin serves /admin; without it those paths are 404.
	Admin bool
	// AdminOnly serves nothing but /admin.
	AdminOnly bool
	// Modules are those that plugins come from; without them POST /admin/modules/reload is 404.
	Modules Modules
	// Auth decides who may come in; nil lets everyone in.
	Auth *Auth
	// Timeout bounds requests, HealthTimeout that of /health. Zero is Kafka's: 90 s and 10 s.
	Timeout, HealthTimeout time.Duration
	// BodyTimeout bounds how long the body of a request may take to come. Zero is that of the HTTP server of Kafka's worker: 30 s.
	BodyTimeout time.Duration
	// Version, Commit and Client: what GET / tells, and what requests to other workers go through.
	Version, Commit string
	Client          *http.Client
}

// maxBody bounds the body of a request: no configuration is as large.
const maxBody = 16 << 20

// handler answers requests.
type handler struct {
	Config
	headers []headerRule
	cors    cors
}

// endpoint answers one method of a path: a body (nil for none), or an error.
type endpoint func(*request) error

// request is one request on its way.
type request struct {
	*http.Request
	w    http.ResponseWriter
	h    *handler
	body []byte
}

// NewHandler makes the API.
func NewHandler(cfg Config) http.Handler {
	if cfg.Timeout == 0 {
		cfg.Timeout = 90 * time.Second
	}
	if cfg.HealthTimeout == 0 {
		cfg.HealthTimeout = 10 * time.Second
	}
	if cfg.BodyTimeout == 0 {
		cfg.BodyTimeout = 30 * time.Second
	}
	if cfg.Client == nil {
		cfg.Client = cfg.Herder.Client()
	}
	h := &handler{Config: cfg}
	worker := cfg.Herder.Config().Props
	h.headers, h.cors = parseHeaderRules(worker.Or("response.http.headers.config", "")), newCORS(worker)
	var routes []*route
	for path, methods := range h.routes() {
		routes = append(routes, newRoute(path, h.route(methods)))
	}
	return h.around(routes)
}

func (h *handler) routes() map[string]map[string]endpoint {
	all := map[string]map[string]endpoint{}
	if h.Admin || h.AdminOnly {
		all["/admin/loggers"] = map[string]endpoint{"GET": getLoggers}
		all["/admin/loggers/{logger}"] = map[string]endpoint{"GET": getLogger, "PUT": putLogger}
		if !h.Herder.Config().Compat { // Kafka's worker tells by JMX only
			all["/metrics"] = map[string]endpoint{"GET": h.metrics()}
		}
		if h.Modules != nil {
			all["/admin/modules/reload"] = map[string]endpoint{"POST": reloadModules}
		}
	}
	if h.AdminOnly {
		return all
	}
	maps.Copy(all, map[string]map[string]endpoint{
		"/":                                           {"GET": getRoot},
		"/health":                                     {"GET": getHealth},
		"/connectors":                                 {"GET": getConnectors, "POST": postConnector},
		"/connectors/{name}":                          {"GET": getConnector, "DELETE": deleteConnector},
		"/connectors/{name}/config":                   {"GET": getConfig, "PUT": putConfig, "PATCH": patchConfig},
		"/connectors/{name}/status":                   {"GET": getStatus},
		"/connectors/{name}/pause":                    {"PUT": pause},
		"/connectors/{name}/resume":                   {"PUT": resume},
		"/connectors/{name}/stop":                     {"PUT": stop},
		"/connectors/{name}/restart":                  {"POST": restart},
		"/connectors/{name}/tasks":                    {"GET": getTasks},
		"/connectors/{name}/tasks/{task}/status":      {"GET": getTaskStatus},
		"/connectors/{name}/tasks/{task}/restart":     {"POST": restartTask},
		"/connectors/{name}/topics":                   {"GET": getTopics},
		"/connectors/{name}/topics/reset":             {"PUT": resetTopics},
		"/connectors/{name}/offsets":                  {"GET": getOffsets, "PATCH": patchOffsets, "DELETE": deleteOffsets},
		"/connector-plugins":                          {"GET": getPlugins},
		"/connector-plugins/{plugin}/config":          {"GET": getPluginConfig},
		"/connector-plugins/{plugin}/config/validate": {"PUT": validate},
	})
	all["/connectors/{name}/tasks"]["POST"] = postTasks
	all["/connectors/{name}/fence"] = map[string]endpoint{"PUT": putFence}
	return all
}

// ambiguous is what the HTTP server of Kafka's worker says to a path that could be read in two ways, "" if it takes it.
func ambiguous(path string) string {
	path = strings.ToLower(path)
	switch {
	case strings.Contains(path, "%2f"):
		return "Ambiguous URI path separator"
	case strings.Contains(path, "%25"):
		return "Ambiguous URI path encoding"
	case strings.Contains(path, "%5c"):
		return "Suspicious Path Character"
	case strings.Contains(path, "//"):
		return "Ambiguous URI empty segment"
	}
	return ""
}

// around does what is the same for all paths, and finds the right one.
func (h *handler) around(routes []*route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, rule := range h.headers {
			rule.apply(w.Header())
		}
		h.cors.apply(w, r)
		to := find(routes, r)
		if h.Auth != nil && !preflight(r) && (to == nil || !to.internal(r.Method)) && !h.Auth.admits(r) {
			h.Auth.refuse(w)
			return
		}
		if h.cors.strange(r) && !h.Herder.Config().Compat {
			writeError(w, http.StatusForbidden, "Pages of other sites may not change anything here: access.control.allow.origin does not name theirs")
			return
		}
		if text := ambiguous(r.URL.EscapedPath()); text != "" && h.Herder.Config().Compat {
			writeError(w, http.StatusBadRequest, text)
			return
		}
		if to == nil {
			writeError(w, http.StatusNotFound, "HTTP 404 Not Found")
			return
		}
		to.handler.ServeHTTP(w, r)
	})
}

// route answers one path.
func (h *handler) route(methods map[string]endpoint) http.Handler {
	allow := slices.Sorted(maps.Keys(methods))
	if methods["GET"] != nil {
		allow = append(allow, "HEAD")
	}
	allow = append(allow, "OPTIONS")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		method := r.Method
		if method == http.MethodHead {
			method = http.MethodGet
		}
		e := methods[method]
		switch {
		case method == http.MethodOptions:
			w.Header().Set("Allow", strings.Join(allow, ","))
			w.Header().Set("Content-Type", "text/plain")
			_, _ = io.WriteString(w, strings.Join(allow, ", ")) // the client is gone
			return
		case e == nil:
			w.Header().Set("Allow", strings.Join(allow, ","))
			writeError(w, http.StatusMethodNotAllowed, "HTTP 405 Method Not Allowed")
			return
		case !acceptsJSON(r.Header.Values("Accept")):
			writeError(w, http.StatusNotAcceptable, "HTTP 406 Not Acceptable")
			return
		}
		h.serve(&request{Request: r, w: w, h: h}, e)
	})
}

func (h *handler) serve(r *request, e endpoint) {
	timeout := h.Timeout
	if r.URL.Path == "/health" {
		timeout = h.HealthTimeout
	}
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	r.Request = r.WithContext(ctx)
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		if status, text := r.read(); status != 0 {
			writeError(r.w, status, text)
			return
		}
	}
	if err := e(r); err != nil {
		r.fail(err)
	}
}

// read reads the body: one that is too large, too slow or shorter than it said is refused, with a status and a text.
func (r *request) read() (refusal int, text string) {
	control := http.NewResponseController(r.w)
	_ = control.SetReadDeadline(time.Now().Add(r.h.BodyTimeout)) // no connection, no deadline: as in tests
	body, err := io.ReadAll(http.MaxBytesReader(r.w, r.Body, maxBody))
	if err != nil {
		r.w.Header().Set("Connection", "close") // the rest is not waited for: the deadline holds on
	} else {
		_ = control.SetReadDeadline(time.Time{})
	}
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return http.StatusRequestEntityTooLarge, "HTTP 413 Request Entity Too Large"
	case errors.Is(err, os.ErrDeadlineExceeded):
		return http.StatusRequestTimeout, "HTTP 408 Request Timeout"
	case err != nil:
		return http.StatusBadRequest, "HTTP 400 Bad Request"
	}
	r.body = body
	return 0, ""
}

// json refuses bodies that do not say that they are JSON.
func (r *request) json() error {
	given := r.Header.Get("Content-Type")
	if given == "" && (len(r.body) == 0 || !r.h.Herder.Config().Compat && r.Header.Get("Origin") == "") {
		return nil
	}
	if media, _, err := mime.ParseMediaType(given); err != nil || media != "application/json" {
		return &connect.StatusError{Status: http.StatusUnsupportedMediaType, Message: "HTTP 415 Unsupported Media Type"}
	}
	return nil
}

func acceptsJSON(accept []string) bool {
	if len(accept) == 0 {
		return true
	}
	for _, part := range strings.Split(strings.Join(accept, ","), ",") {
		media, _, err := mime.ParseMediaType(part)
		if err == nil && (media == "*/*" || media == "application/*" || media == "application/json") {
			return true
		}
	}
	return false
}

func (r *request) name() string { return r.PathValue("name") }
