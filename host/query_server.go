package host

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/internal/kafka"
)

const (
	// maxQueryBytes bounds a query: a key of 1 MiB as JSON has it.
	maxQueryBytes = 2 << 20
	// maxQueries is how many queries a process answers at a time.
	maxQueries = 32
)

// listenQueries takes the address of application.server.listen, where queries are answered and nothing else; nil without.
func (h *Host) listenQueries() (*adminServer, error) {
	addr := h.settings.ApplicationServerListen
	if addr == "" {
		return nil, nil
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, kafka.ListenError(addr, err)
	}
	mux := http.NewServeMux()
	h.stateRoutes(mux)
	var handler http.Handler = mux
	if token := h.settings.ApplicationServerToken; token != "" {
		handler = withToken(token, mux)
	} else {
		handler = localOnly(mux)
	}
	return &adminServer{listener: l, server: &http.Server{
		Handler: handler, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: queryTimeout, WriteTimeout: 2 * queryTimeout, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
	}}, nil
}

// withToken admits requests that carry the token.
func withToken(token string, next http.Handler) http.Handler {
	want := sha256.Sum256([]byte(token))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		given, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		got := sha256.Sum256([]byte(given))
		if subtle.ConstantTimeCompare(want[:], got[:]) != 1 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			writeQueryError(w, errs.QueryDenied.New(r.Host, "the token is missing or another one", ""))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// stateRoutes has mux answer GET /state and POST /state/query.
func (h *Host) stateRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /state", h.bounded(h.storesRequest))
	mux.HandleFunc("POST /state/query", h.bounded(h.queryRequest))
}

// bounded answers a bounded number of requests at a time, and turns others away.
func (h *Host) bounded(answer func(w http.ResponseWriter, r *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		select {
		case h.querying <- struct{}{}:
			defer func() { <-h.querying }()
		default:
			writeQueryError(w, errs.QueryBusy.New(r.Host, "it answers as many queries as it may", ""))
			return
		}
		// One that sends its query byte by byte keeps the others waiting no longer than the slowest query.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(queryTimeout))
		ctx, cancel := context.WithTimeout(r.Context(), queryTimeout)
		defer cancel()
		if err := answer(w, r.WithContext(ctx)); err != nil {
			writeQueryError(w, err)
		}
	}
}

func (h *Host) storesRequest(w http.ResponseWriter, _ *http.Request) error {
	list, err := h.Stores()
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, list)
	return nil
}

// queryRequest is POST /state/query with a StoreQuery as body; ?local=true is for one process that asks another.
func (h *Host) queryRequest(w http.ResponseWriter, r *http.Request) error {
	if r.Header.Get("Content-Type") != "application/json" {
		return errs.QueryInvalid.New(r.Host, "want Content-Type application/json", "")
	}
	var q StoreQuery
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxQueryBytes))
	d.DisallowUnknownFields()
	err := d.Decode(&q)
	if err == nil && d.More() {
		err = errors.New("something follows the object")
	}
	if err != nil {
		return errs.QueryInvalid.New(r.Host, "the query is no JSON of a query", "").WithCause(err)
	}
	answer, err := h.answer(r.Context(), q, r.URL.Query().Get("local") == "true")
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, answer)
	return nil
}

// answer is Query; local keeps it in this process, so that a query does not go round.
func (h *Host) answer(ctx context.Context, q StoreQuery, local bool) (*StoreAnswer, error) {
	if !local {
		return h.Query(ctx, q)
	}
	app, err := h.running()
	if err != nil {
		return nil, err
	}
	return app.Query(&q)
}

func writeQueryError(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	switch {
	case errs.QueryDenied.Is(err):
		status = http.StatusUnauthorized
	case errs.QueryStore.Is(err):
		status = http.StatusNotFound
	case errs.QueryOwner.Is(err):
		status = http.StatusBadGateway
	case errs.Exit(err) == errs.ExitInput:
		status = http.StatusBadRequest
	case errs.Exit(err) == errs.ExitEnvironment, errors.Is(err, context.DeadlineExceeded):
		status = http.StatusServiceUnavailable
	}
	writeJSON(w, status, describeError(err))
}
