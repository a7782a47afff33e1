package rest

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics answers what Prometheus asks for.
func (h *handler) metrics() endpoint {
	registry := prometheus.NewRegistry()
	registry.MustRegister(h.Herder.Collector())
	serve := promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
	return func(r *request) error {
		serve.ServeHTTP(r.w, r.Request)
		return nil
	}
}
