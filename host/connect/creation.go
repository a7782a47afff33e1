package connect

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/connectorconfig"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

// CreateConnector is PutConnector for a new connector, which may begin at offsets that are given (KIP-995): they take the
// place of all that is left of a former connector of that name. offsetsStatus is the message about them, "" without any.
func (h *Herder) CreateConnector(ctx context.Context, name string, props config.Props, initial TargetState, offsets []PartitionOffset) (created bool, info ConnectorInfo, offsetsStatus string, err error) {
	if len(offsets) > 0 {
		if err := h.mustLead(ctx, "set connector configs"); err != nil {
			return false, info, "", err
		}
		if h.snapshot().Contains(name) {
			return false, info, "", fault.AlreadyExists.New("Connector " + name + " already exists")
		}
		if offsetsStatus, err = h.initialOffsets(ctx, name, props, offsets); err != nil {
			return false, info, "", err
		}
	}
	created, info, err = h.PutConnector(ctx, name, props, initial, false)
	return created, info, offsetsStatus, err
}

func (h *Herder) initialOffsets(ctx context.Context, name string, written config.Props, offsets []PartitionOffset) (string, error) {
	infos, err := h.validator.Validate(written)
	if err == nil {
		err = Refusal(infos)
	}
	if err != nil {
		return "", badRequest("%s", err.Error())
	}
	props, err := h.worker.resolve(written)
	if err != nil {
		return "", err
	}
	p, err := h.worker.Plugins.Connector(props.Or(classKey, ""))
	if err != nil {
		return "", err
	}
	var known bool
	if p.Kind == connectors.KindSink {
		known, err = h.alterSink(ctx, p.Sink(), name, props, offsets, false)
		return AlteredMessage(known, false), err
	}
	all, err := h.sourceOffsets(ctx, name, written)
	if err != nil {
		return "", err
	}
	given := map[string]bool{}
	for _, o := range offsets {
		given[mapText(o.Partition)] = true
	}
	for _, o := range all {
		if !given[mapText(o.Partition)] {
			offsets = append(offsets, PartitionOffset{Partition: o.Partition})
		}
	}
	known, err = h.alterSource(ctx, p.Source(), name, props, offsets, false)
	return AlteredMessage(known, false), err
}

// PluginConfig are the settings that a plugin defines; of a connector those of every connector of its kind too.
// version is a range of versions to take it from, or nothing.
func (h *Herder) PluginConfig(name, version string) ([]*config.KeyInfo, error) {
	p, err := h.pluginNamed(name)
	if err != nil {
		return nil, err
	}
	if version != "" {
		if connectorconfig.CheckVersionRange(version) != nil {
			return nil, badRequest("Invalid version specification: %s", version)
		}
		if err := connectorconfig.CheckVersion(p, version); err != nil {
			return nil, badRequest("%s", err.Error())
		}
	}
	defs := []*config.Def{p.ConfigDef()}
	if p.Kind == connectors.KindSource || p.Kind == connectors.KindSink {
		defs = append(defs, connectorconfig.New(h.worker.Plugins).OfPlugin(p))
	}
	out := []*config.KeyInfo{}
	seen := map[string]bool{}
	for _, def := range defs {
		for _, key := range def.Names() {
			if !seen[key] && !def.Key(key).Internal {
				seen[key] = true
				out = append(out, def.Key(key).Info())
			}
		}
	}
	return out, nil
}

// pluginNamed finds a plugin of any kind. A class may be a converter and a header converter: then it is the converter.
func (h *Herder) pluginNamed(name string) (connectors.Plugin, error) {
	unknown := fault.NotFound.New("Unknown plugin " + name + ".")
	for _, kind := range everyKind {
		p, err := h.worker.Plugins.Find(name, kind)
		if err == nil {
			return p, nil
		}
		if !errors.Is(err, connectors.ErrUnknownPlugin) { // a module that there is, without this component
			unknown = fault.NotFound.New(err.Error())
		}
	}
	return connectors.Plugin{}, unknown
}

// AcceptFence fences the producers of a connector's former tasks, for a worker that is about to start new ones (KIP-618).
func (h *Herder) AcceptFence(ctx context.Context, name string, body []byte, s RequestSignature) error {
	if err := h.checkSignature(body, s); err != nil {
		return err
	}
	if len(body) > 0 && !json.Valid(body) {
		return badRequest("the request is no JSON")
	}
	return h.Fence(ctx, name)
}
