package guest

import (
	"log/slog"

	"github.com/wasmstream/wasmstream/abi"
	"github.com/wasmstream/wasmstream/connectors/config"
)

// connector is what sources and sinks share.
type connector struct {
	plugin
	version string
}

// TaskClass implements connectors.SourceConnector and connectors.SinkConnector.
func (c *connector) TaskClass() string { return className(c.module.name, c.spec.Name) }

// task is the plugin of a task of the connector.
func (c *connector) task() plugin { return plugin{loader: c.loader, module: c.module, spec: c.spec} }

// startTask makes the component of a task, which may reach the network. prepare may be nil.
func (p *plugin) startTask(props config.Props, log *slog.Logger, prepare func(*component)) error {
	x := extra{connector: props.Or("name", ""), task: props.Or("task.id", "0"), node: p.node()}
	return p.startWith(props, x, func(c *component) {
		c.egress = p.loader.egress.grant(secrets(&p.spec, props))
		if log != nil {
			c.log = log
		}
		if prepare != nil {
			prepare(c)
		}
	})
}

// secrets are the settings of type PASSWORD.
func secrets(spec *abi.Component, props config.Props) map[string]string {
	out := map[string]string{}
	for _, s := range spec.Config {
		if v, ok := props.Get(s.Name); ok && s.Type == string(config.Password) {
			out[secretWord(s.Name)] = v
		}
	}
	return out
}
