package connect

import (
	"errors"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/connectorconfig"
)

// taskPlugins are the converters and transformations of one task.
type taskPlugins struct {
	key, value connectors.Converter
	header     connectors.HeaderConverter
	chain      *Chain
	// classes for error reports
	keyClass, valueClass, headerClass string
}

func (w *Worker) newTaskPlugins(props config.Props, t Tolerance) (p *taskPlugins, err error) {
	p = &taskPlugins{}
	if p.key, p.keyClass, err = w.newConverter(keyConverterKey, props); err != nil {
		return nil, err
	}
	if p.value, p.valueClass, err = w.newConverter(valueConverterKey, props); err != nil {
		return nil, errors.Join(err, p.close())
	}
	class, own := w.Config.ConverterProps(headerConverterKey, props)
	found, err := w.Plugins.Find(class, connectors.KindHeaderConverter)
	if err != nil {
		return nil, errors.Join(unfitClass(headerConverterKey, class, connectors.KindHeaderConverter), p.close())
	}
	if err := connectorconfig.CheckVersionOf(found, own, versionKey); err != nil {
		return nil, errors.Join(err, p.close())
	}
	p.header, p.headerClass = found.HeaderConverter(), found.Class
	if err := p.header.Configure(own); err != nil {
		return nil, errors.Join(err, p.close())
	}
	if p.chain, err = NewChain(w.Plugins, props, t, w.Clock); err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

func (w *Worker) newConverter(key string, props config.Props) (connectors.Converter, string, error) {
	class, own := w.Config.ConverterProps(key, props)
	found, err := w.Plugins.Find(class, connectors.KindConverter)
	if err != nil {
		return nil, "", unfitClass(key, class, connectors.KindConverter)
	}
	if err := connectorconfig.CheckVersionOf(found, own, versionKey); err != nil {
		return nil, "", err
	}
	c := found.Converter()
	return c, found.Class, c.Configure(own, key == keyConverterKey)
}

func (p *taskPlugins) close() error {
	var faults []error
	if p.key != nil {
		faults = append(faults, p.key.Close())
	}
	if p.value != nil {
		faults = append(faults, p.value.Close())
	}
	if p.header != nil {
		faults = append(faults, p.header.Close())
	}
	if p.chain != nil {
		faults = append(faults, p.chain.Close())
	}
	return errors.Join(faults...)
}
