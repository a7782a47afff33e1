package connect

import (
	"errors"
	"log/slog"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/connectorconfig"
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
	return w, errors.Join(w.tryConverter(keyConverterKey), w.tryConverter(valueConverterKey), w.tryConverter(headerConverterKey))
}

// tryConverter is an error if the worker's converter of a setting is none, or does not take its settings.
func (w *Worker) tryConverter(key string) error {
	kind := connectors.KindConverter
	if key == headerConverterKey {
		kind = connectors.KindHeaderConverter
	}
	class, own := w.Config.ConverterProps(key, nil)
	p, err := w.Plugins.Find(class, kind)
	if err != nil {
		return unfitClass(key, class, kind)
	}
	if err := connectorconfig.CheckVersionOf(p, own, versionKey); err != nil {
		return config.Invalid(key+"."+versionKey, own.Or(versionKey, ""), err.Error())
	}
	if kind == connectors.KindHeaderConverter {
		return nil
	}
	c := p.Converter()
	err = c.Configure(own, key == keyConverterKey)
	_ = c.Close()
	return err
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
