package host

import (
	"context"
	"net/http"

	"github.com/wasmstream/wasmstream/host/stream"
	"github.com/wasmstream/wasmstream/internal/errs"
)

// UncaughtAnswer says what becomes of an application when one of its threads has failed (KIP-671).
type UncaughtAnswer = stream.UncaughtAnswer

// The answers; ShutdownClient is the default.
const (
	ShutdownClient      = stream.ShutdownClient
	ReplaceThread       = stream.ReplaceThread
	ShutdownApplication = stream.ShutdownApplication
)

// CloseOptions say how Close ends an application.
type CloseOptions = stream.CloseOptions

// ClientMetadata describes the application in this process. Its names in JSON are a contract.
type ClientMetadata struct {
	State   string                  `json:"state"`
	Paused  bool                    `json:"paused"`
	Threads []stream.ThreadMetadata `json:"threads"`
}

// controlled is the application, once it can be controlled.
func (h *Host) controlled() (*stream.App, error) {
	if app := h.application(); app != nil {
		return app, nil
	}
	return nil, errs.StreamNotReady.New("", "the application is still starting", "")
}

// Metadata describes the application in this process and its threads (metadataForLocalThreads).
func (h *Host) Metadata(ctx context.Context) (ClientMetadata, error) {
	app, err := h.controlled()
	if err != nil {
		return ClientMetadata{}, err
	}
	return ClientMetadata{State: app.State().String(), Paused: app.IsPaused(), Threads: app.LocalThreads(ctx)}, nil
}

// AddThread starts one more thread and returns its name (addStreamThread).
func (h *Host) AddThread() (string, error) {
	app, err := h.controlled()
	if err != nil {
		return "", err
	}
	return app.AddThread()
}

// RemoveThread stops a thread and returns its name when it has committed and left (removeStreamThread).
func (h *Host) RemoveThread(ctx context.Context) (string, error) {
	app, err := h.controlled()
	if err != nil {
		return "", err
	}
	return app.RemoveThread(ctx)
}

// Pause stops processing in this process, which stays in the group (KIP-834).
func (h *Host) Pause() error { return h.setPaused((*stream.App).Pause) }

// Resume ends a pause.
func (h *Host) Resume() error { return h.setPaused((*stream.App).Resume) }

func (h *Host) setPaused(do func(*stream.App)) error {
	app, err := h.controlled()
	if err == nil {
		do(app)
	}
	return err
}

// Close ends Run as the end of its context does, and returns when the application has closed or ctx is done. One whose
// modules are still being compiled is ended by the context of Run only.
func (h *Host) Close(ctx context.Context, o CloseOptions) error {
	app, err := h.controlled()
	if err != nil {
		return err
	}
	return app.Close(ctx, o)
}

// controlRoutes has mux answer GET, POST and DELETE /threads and POST /pause and /resume. Those that change something
// want a type that a web page of elsewhere cannot send without asking first.
func (h *Host) controlRoutes(mux *http.ServeMux) {
	changing := func(do func(context.Context) error) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Content-Type") != jsonType {
				http.Error(w, "want Content-Type application/json", http.StatusUnsupportedMediaType)
				return
			}
			h.answerControl(w, r, do(r.Context()))
		}
	}
	mux.HandleFunc("GET /threads", func(w http.ResponseWriter, r *http.Request) { h.answerControl(w, r, nil) })
	mux.HandleFunc("POST /threads", changing(func(context.Context) error {
		_, err := h.AddThread()
		return err
	}))
	mux.HandleFunc("DELETE /threads", changing(func(ctx context.Context) error {
		_, err := h.RemoveThread(ctx)
		return err
	}))
	mux.HandleFunc("POST /pause", changing(func(context.Context) error { return h.Pause() }))
	mux.HandleFunc("POST /resume", changing(func(context.Context) error { return h.Resume() }))
}

// answerControl answers with the application as it is now, or with the error.
func (h *Host) answerControl(w http.ResponseWriter, r *http.Request, err error) {
	var m ClientMetadata
	if err == nil {
		m, err = h.Metadata(r.Context())
	}
	switch {
	case err == nil:
		writeJSON(w, http.StatusOK, m)
	case errs.Exit(err) == errs.ExitInput:
		writeJSON(w, http.StatusConflict, describeError(err))
	default:
		writeJSON(w, http.StatusServiceUnavailable, describeError(err))
	}
}

// Control sends a request of controlRoutes to the admin address of a process and returns what it answers: the application
// as it is then.
func Control(ctx context.Context, addr, method, path string) (m ClientMetadata, err error) {
	return m, adminRequest{
		client: http.DefaultClient, code: errs.StreamUnreachable, method: method, url: hostPort(addr) + path, contentType: jsonType,
		maxAnswer: maxControlAnswer, late: "what was asked for may still happen; look with wasmstream threads list",
	}.do(ctx, &m)
}

// maxControlAnswer bounds the description of an application.
const maxControlAnswer = 1 << 20
