package rest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/wasmstream/wasmstream/connectors/fault"
	"github.com/wasmstream/wasmstream/host/connect"
)

// errorMessage is the body of every answer that is no success.
type errorMessage struct {
	Code    int    `json:"error_code"`
	Message string `json:"message"`
}

func writeError(w http.ResponseWriter, status int, message string) {
	writeJSON(w, status, errorMessage{status, message})
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	_ = e.Encode(body) // the client is gone
}

// fail answers with an error (Kafka's ConnectExceptionMapper).
func (r *request) fail(err error) {
	status, message := statusOf(err)
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		stage := r.h.Herder.Stage()
		var timedOut *connect.TimeoutError
		if errors.As(err, &timedOut) {
			stage = &timedOut.Stage
		}
		message = timeoutText(stage)
	}
	if status >= 500 && r.h.Log != nil {
		r.h.Log.Error("a request failed", "method", r.Method, "path", r.URL.Path, "error", err)
	}
	writeError(r.w, status, message)
}

func timeoutText(stage *connect.Stages) string {
	if stage == nil {
		return "Request timed out"
	}
	return "Request timed out. " + stageText(stage)
}

func stageText(s *connect.Stages) string {
	return fmt.Sprintf("The worker is currently %s, which began at %s", s.Doing, s.Began.UTC().Format(time.RFC3339Nano))
}

func statusOf(err error) (int, string) {
	var s *connect.StatusError
	switch {
	case errors.As(err, &s):
		return s.Status, s.Message
	case fault.NotFound.Is(err):
		return http.StatusNotFound, err.Error()
	case fault.AlreadyExists.Is(err):
		return http.StatusConflict, err.Error()
	}
	return http.StatusInternalServerError, err.Error()
}

func status(code int, format string, args ...any) error {
	return &connect.StatusError{Status: code, Message: fmt.Sprintf(format, args...)}
}
