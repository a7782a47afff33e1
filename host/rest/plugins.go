package rest

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/fault"
	"github.com/wasmstream/wasmstream/host/connect"
	"github.com/wasmstream/wasmstream/host/connect/guest"
)

func getPlugins(r *request) error {
	var kinds []connectors.Kind
	if only := r.URL.Query(); !only.Has("connectorsOnly") || strings.EqualFold(only.Get("connectorsOnly"), "true") {
		kinds = []connectors.Kind{connectors.KindSink, connectors.KindSource}
	}
	out := []connect.PluginInfo{}
	for _, p := range r.h.Herder.Plugins().List(kinds...) {
		out = append(out, connect.PluginInfo{Class: p.Class, Type: string(p.Kind), Version: p.Version})
	}
	slices.SortStableFunc(out, func(a, b connect.PluginInfo) int {
		return strings.Compare(a.Type+" "+a.Class, b.Type+" "+b.Class)
	})
	writeJSON(r.w, http.StatusOK, out)
	return nil
}

// Modules are wasm modules that plugins come from.
type Modules interface {
	// Reload reads the files of modules again: the one of a name, all without one.
	Reload(ctx context.Context, name string) ([]guest.Reloaded, error)
}

// reloadModules answers what became of each module; one that may not replace the running one is no error of the request.
func reloadModules(r *request) error {
	done, err := r.h.Modules.Reload(r.Context(), r.URL.Query().Get("module"))
	if err != nil {
		return status(http.StatusNotFound, "%s", err.Error())
	}
	writeJSON(r.w, http.StatusOK, done)
	return nil
}

func getPluginConfig(r *request) error {
	keys, err := r.h.Herder.PluginConfig(r.PathValue("plugin"), r.URL.Query().Get("version"))
	if err != nil {
		return err
	}
	writeJSON(r.w, http.StatusOK, keys)
	return nil
}

func validate(r *request) error {
	if err := r.json(); err != nil {
		return err
	}
	props, err := settings(r.body)
	if err != nil {
		return err
	}
	plugin := r.PathValue("plugin")
	if class, ok := props.Get("connector.class"); ok && !strings.HasSuffix(withoutSuffix(class), withoutSuffix(plugin)) {
		return status(http.StatusBadRequest, "Included connector type %s does not match request type %s", class, plugin)
	}
	infos, err := r.h.Herder.Validate(props)
	if err != nil {
		return status(http.StatusInternalServerError, "%s: %s", className(err), err.Error())
	}
	writeJSON(r.w, http.StatusOK, infos)
	return nil
}

// className is that of the exception which Kafka would have thrown.
func className(err error) string {
	var s *connect.StatusError
	if errors.As(err, &s) || fault.ClassOf(err) == fault.Connect {
		return "org.apache.kafka.connect.runtime.rest.errors.BadRequestException"
	}
	return string(fault.ClassOf(err))
}

func withoutSuffix(class string) string { return strings.TrimSuffix(class, "Connector") }
