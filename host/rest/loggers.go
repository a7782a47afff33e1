package rest

import (
	"net/http"
	"strings"

	"github.com/wasmstream/wasmstream/host/connect"
)

func getLoggers(r *request) error {
	writeJSON(r.w, http.StatusOK, r.h.Herder.Loggers().All())
	return nil
}

func getLogger(r *request) error {
	name := r.PathValue("logger")
	info, ok := r.h.Herder.Loggers().Get(name)
	if !ok {
		return status(http.StatusNotFound, "Logger %s not found.", name)
	}
	writeJSON(r.w, http.StatusOK, info)
	return nil
}

func putLogger(r *request) error {
	if err := r.json(); err != nil {
		return err
	}
	body, err := settings(r.body)
	if err != nil {
		return err
	}
	level, ok := body.Get("level")
	if !ok {
		return status(http.StatusBadRequest, "Desired 'level' parameter was not specified in request.")
	}
	if !connect.ValidLevel(level) {
		return status(http.StatusNotFound, "invalid log level '%s'.", level)
	}
	name, scope := r.PathValue("logger"), r.URL.Query().Get("scope")
	if strings.EqualFold(scope, "cluster") {
		return r.empty(http.StatusNoContent, r.h.Herder.SetClusterLogger(r.Context(), name, strings.ToUpper(level)))
	}
	if scope != "" && !strings.EqualFold(scope, "worker") && r.h.Log != nil {
		r.h.Log.Warn("the scope of a logger is not known; worker is meant", "scope", scope)
	}
	writeJSON(r.w, http.StatusOK, r.h.Herder.Loggers().Set(name, level))
	return nil
}
