package host

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/wasmstream/wasmstream/host/stream"
	"github.com/wasmstream/wasmstream/host/wasm"
	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/internal/kafka"
)

const (
	// adminShutdown is how long requests may take to end when the application has.
	adminShutdown = 2 * time.Second
	// wasmType is the media type of a reload. A web page cannot send it across origins without asking first, and the
	// answer is no.
	wasmType = "application/wasm"
	jsonType = "application/json"
)

// adminServer serves what operators ask: metrics, health, profiles, reloads. It listens on loopback and knows no
// authentication. nil serves nothing.
type adminServer struct {
	listener net.Listener
	server   *http.Server
}

// listenAdmin takes the address first, so that a port in use shows before anything else starts.
func (h *Host) listenAdmin() (*adminServer, error) {
	if h.cfg.Admin == "" {
		return nil, nil
	}
	l, err := net.Listen("tcp", h.cfg.Admin)
	if err != nil {
		return nil, kafka.ListenError(h.cfg.Admin, err)
	}
	if h.cfg.AdminListener != nil {
		h.cfg.AdminListener(l.Addr().String())
	}
	return &adminServer{listener: l, server: &http.Server{Handler: localOnly(h.adminRoutes()), ReadHeaderTimeout: 10 * time.Second}}, nil
}

func (s *adminServer) run(ctx context.Context) error {
	if s == nil {
		return nil
	}
	stop := context.AfterFunc(ctx, func() {
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), adminShutdown)
		defer cancel()
		if s.server.Shutdown(grace) != nil {
			_ = s.server.Close()
		}
	})
	defer stop()
	if err := s.server.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (s *adminServer) close() {
	if s != nil {
		_ = s.server.Close()
		_ = s.listener.Close()
	}
}

func (h *Host) adminRoutes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(h.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") })
	mux.HandleFunc("GET /readyz", h.readyz)
	mux.HandleFunc("POST /reload", h.reloadRequest)
	h.stateRoutes(mux)
	h.controlRoutes(mux)
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}

// localOnly refuses requests that came here under another host's name: a web page that has its own name point to
// loopback could read the answers otherwise.
func localOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		if kafka.CheckLoopback(net.JoinHostPort(host, "0")) != nil {
			http.Error(w, "asked by a name that is not this machine's loopback", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// readyz says 200 while the application runs: joined, restored, working.
func (h *Host) readyz(w http.ResponseWriter, _ *http.Request) {
	s := h.State()
	if s != stream.Running.String() {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_, _ = io.WriteString(w, s+"\n")
}

// adminError is the body of an answer that is not 2xx. Its names are a contract.
type adminError struct {
	Code   string `json:"code"`
	Where  string `json:"where,omitempty"`
	What   string `json:"what"`
	Detail string `json:"detail,omitempty"`
	Cause  string `json:"cause,omitempty"`
	Fix    string `json:"fix,omitempty"`
}

// reloadRequest is POST /reload?module=NAME with the module as body; it answers when all tasks are swapped.
func (h *Host) reloadRequest(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Content-Type") != wasmType {
		http.Error(w, "want Content-Type "+wasmType, http.StatusUnsupportedMediaType)
		return
	}
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, wasm.MaxModuleBytes))
	if err != nil {
		writeJSON(w, http.StatusRequestEntityTooLarge, describeError(errs.ModuleTooLarge.New("", "the module is larger than a module may be, or broke off", "").WithCause(err)))
		return
	}
	done, err := h.Reload(r.Context(), r.URL.Query().Get("module"), data)
	if err != nil {
		status := http.StatusInternalServerError
		if errs.Exit(err) == errs.ExitInput {
			status = http.StatusUnprocessableEntity
		}
		writeJSON(w, status, describeError(err))
		return
	}
	writeJSON(w, http.StatusOK, done)
}

func describeError(err error) adminError {
	var coded *errs.Error
	if !errors.As(err, &coded) {
		coded = errs.RuntimeError.New("", err.Error(), "")
	}
	d := adminError{Code: coded.Code, Where: coded.Where, What: coded.What, Detail: coded.Detail, Fix: coded.Fix}
	if coded.Cause != nil {
		d.Cause = coded.Cause.Error()
	}
	return d
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", jsonType)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}
