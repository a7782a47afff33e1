package connect

import (
	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/internal/kafka"
)

// Mask stands for a secret in answers. Settings that hold it keep the secret that is stored.
const Mask = "[hidden]"

// secretKeys are the settings of type PASSWORD among props: the connector's, its transformations', its converters', and
// client properties that it overrides.
func secretKeys(plugins *connectors.Plugins, props config.Props) map[string]bool {
	out := map[string]bool{}
	add := func(prefix string, def *config.Def) {
		for _, name := range def.Names() {
			if def.Key(name).Type == config.Password {
				out[prefix+name] = true
			}
		}
	}
	if p, err := plugins.Find(props.Or(classKey, ""), connectors.KindSource, connectors.KindSink); err == nil {
		add("", p.ConfigDef())
	}
	for prefix, kind := range map[string]connectors.Kind{"transforms": connectors.KindTransformation, "predicates": connectors.KindPredicate} {
		list, _ := config.ParseType(prefix, props.Or(prefix, ""), config.List)
		for _, alias := range list.([]string) {
			own := prefix + "." + alias + "."
			if p, err := plugins.Find(props.Or(own+"type", ""), kind); err == nil {
				add(own, p.ConfigDef())
			}
		}
	}
	for key, kind := range map[string]connectors.Kind{keyConverterKey: connectors.KindConverter, valueConverterKey: connectors.KindConverter, headerConverterKey: connectors.KindHeaderConverter} {
		if class, ok := props.Get(key); ok {
			if p, err := plugins.Find(class, kind); err == nil {
				add(key+".", p.ConfigDef())
			}
		}
	}
	for _, k := range kafka.AllClientKeys() {
		if k.Secret() {
			for _, prefix := range []string{"producer.override.", "consumer.override.", "admin.override."} {
				out[prefix+k.Name] = true
			}
		}
	}
	return out
}

// masked are settings as they are shown: secrets that are written out are hidden, variables are not.
func (h *Herder) masked(props, connector map[string]string) map[string]string {
	if h.cfg.Compat {
		return props
	}
	secret := secretKeys(h.worker.Plugins, propsOf(connector))
	out := make(map[string]string, len(props))
	for k, v := range props {
		switch {
		case v == "" || hasVariable(v):
		case secret[k]:
			v = Mask
		default:
			v = config.HidePasswords(v)
		}
		out[k] = v
	}
	return out
}

// hidePasswords hides the passwords of addresses, and in errors what config providers have answered, in what validation answers.
func hidePasswords(infos *config.Infos, hide config.Hider) {
	for i := range infos.Configs {
		value := &infos.Configs[i].Value
		if value.Value != nil {
			shown := config.HidePasswords(*value.Value)
			value.Value = &shown
		}
		for j, text := range value.Errors {
			value.Errors[j] = config.HidePasswords(hide.Text(text))
		}
	}
}

// unmasked puts stored secrets where settings that came back hold the mask.
func (h *Herder) unmasked(props config.Props, stored map[string]string) config.Props {
	if h.cfg.Compat {
		return props
	}
	out := props.Clone()
	for k, v := range props {
		if kept, ok := stored[k]; ok && v != nil && (*v == Mask || *v == config.HidePasswords(kept)) {
			out.Set(k, kept)
		}
	}
	return out
}
