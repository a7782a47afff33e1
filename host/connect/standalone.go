package connect

import (
	"log/slog"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
)

// NewWorker makes a worker of its settings. Offsets come with the mode.
func NewWorker(cfg *WorkerConfig, plugins *connectors.Plugins, log *slog.Logger) (*Worker, error) {
	providers, err := config.NewProviders(cfg.Props)
	if err != nil {
		return nil, err
	}
	client, err := cfg.httpClient()
	if err != nil {
		return nil, err
	}
	w := &Worker{Client: client, Config: cfg, Plugins: plugins, Log: log, Clock: realClock{}, Transformer: config.NewTransformer(providers)}
	for key, kind := range map[string]connectors.Kind{keyConverterKey: connectors.KindConverter, valueConverterKey: connectors.KindConverter, headerConverterKey: connectors.KindHeaderConverter} {
		class, own := cfg.ConverterProps(key, nil)
		p, err := plugins.Find(class, kind)
		if err != nil {
			return nil, unfitClass(key, class, kind)
		}
		if kind == connectors.KindConverter {
			c := p.Converter()
			err = c.Configure(own, key == keyConverterKey)
			_ = c.Close()
		}
		if err != nil {
			return nil, err
		}
	}
	return w, nil
}

// NewStandalone makes the herder of a worker alone: configurations in memory, offsets in a file.
func NewStandalone(cfg *WorkerConfig, plugins *connectors.Plugins, log *slog.Logger) (*Herder, error) {
	w, err := NewWorker(cfg, plugins, log)
	if err != nil {
		return nil, err
	}
	offsets, err := OpenFileOffsets(cfg.OffsetsFile)
	if err != nil {
		return nil, err
	}
	w.Offsets = offsets
	h := NewHerder(w)
	h.worker.Log = slog.New(h.loggers.Handler(log.Handler()))
	h.UseLogs(NewMemoryLog(h.ApplyConfig), NewMemoryLog(h.ApplyStatus))
	h.Ready()
	return h, nil
}
