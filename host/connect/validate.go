package connect

import (
	"fmt"
	"slices"
	"strings"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/connectorconfig"
	"github.com/wasmstream/wasmstream/connectors/fault"
	"github.com/wasmstream/wasmstream/internal/kafka"
)

// Validator checks settings of connectors as a whole (Kafka's AbstractHerder.validateConnectorConfig).
type Validator struct {
	Plugins *connectors.Plugins
	// WorkerGroup is group.id of a distributed worker, "" of a standalone one.
	WorkerGroup string
	// Converters are the worker's converters by setting.
	Converters map[string]string
	// OverridePolicy is connector.client.config.override.policy: All, None, Principal, or Allowlist, whose names Overridable has.
	OverridePolicy string
	Overridable    []string
	// Transform resolves variables; nil leaves settings as they are.
	Transform func(config.Props) (config.Props, error)
	// ExactlyOnce says whether the worker has exactly.once.source.support=enabled, Compat whether it is to be like Kafka's.
	ExactlyOnce, Compat bool
}

// Validate checks settings and reports every fault at once. The error is about settings that cannot be checked at all: no
// class, or one that nobody knows.
func (v *Validator) Validate(raw config.Props) (config.Infos, error) {
	props, hide := raw, config.Hider{}
	if v.Transform != nil {
		resolved, err := v.Transform(raw)
		if err != nil {
			return config.Infos{}, err
		}
		props = resolved
		if !v.Compat {
			hide = config.NewHider(raw, resolved)
		}
	}
	infos, err := connectorconfig.New(v.Plugins).Validate(props, connectorconfig.Options{
		WorkerGroup: v.WorkerGroup, Converters: v.Converters, ExactlyOnce: v.ExactlyOnce, KafkaCompat: v.Compat, Overrides: v.overrides,
	})
	if err != nil {
		return infos, hide.Error(err)
	}
	restoreVariables(&infos, raw)
	if !v.Compat {
		hidePasswords(&infos, hide)
	}
	return infos, nil
}

// principalKeys may be overridden under the policy Principal.
var principalKeys = []string{"sasl.jaas.config", "sasl.mechanism", "security.protocol"}

// overrides lists client properties that the connector overrides.
func (v *Validator) overrides(kind connectors.Kind, props config.Props) (out []config.Infos) {
	for _, prefix := range v.overridable(kind, props) {
		given := props.WithPrefix(prefix)
		if len(given) == 0 {
			continue
		}
		known := map[string]kafka.Key{}
		for _, k := range kafka.ClientKeys(clientOf(prefix)) {
			known[k.Name] = k
		}
		infos := config.Infos{}
		for _, name := range given.Names() {
			info := overrideInfo(prefix, name, given.Or(name, ""), known)
			if k, ok := known[name]; ok && !v.Compat && len(info.Value.Errors) == 0 && !slices.Contains(runtimeOwned, name) {
				if _, err := k.Parse(given.Or(name, "")); err != nil { // Kafka's client says it when the task starts
					info.Value.Errors = append(info.Value.Errors, config.Invalid(prefix+name, *info.Value.Value, err.Error()).Error())
				}
			}
			if !v.allowed(name) {
				info.Value.Errors = append(info.Value.Errors, fmt.Sprintf("The '%s' policy does not allow '%s' to be overridden in the connector configuration.", v.OverridePolicy, name))
			}
			infos.ErrorCount += len(info.Value.Errors)
			infos.Configs = append(infos.Configs, info)
		}
		out = append(out, infos)
	}
	return out
}

// overridable are the prefixes of clients that a connector of this kind has. Kafka's sources have no dead letters, and both kinds use
// an admin client where topics are made by settings only.
func (v *Validator) overridable(kind connectors.Kind, props config.Props) []string {
	deadLetters := props.Or(dlqTopicKey, "") != ""
	out := []string{"producer.override.", "admin.override."}
	switch {
	case !v.Compat:
	case kind == connectors.KindSink && !deadLetters:
		out = nil
	case kind == connectors.KindSource && props.Or("topic.creation.default.replication.factor", "") == "":
		out = out[:1]
	}
	if kind == connectors.KindSink {
		out = append(out, "consumer.override.")
	}
	return out
}

// clientOf is the kind of client that a prefix of settings is for.
func clientOf(prefix string) kafka.Kind {
	switch {
	case strings.HasPrefix(prefix, "producer."):
		return kafka.Producer
	case strings.HasPrefix(prefix, "consumer."):
		return kafka.Consumer
	}
	return kafka.Admin
}

func (v *Validator) allowed(name string) bool {
	switch v.OverridePolicy {
	case "None":
		return false
	case "Principal":
		return slices.Contains(principalKeys, name)
	case "Allowlist": // KIP-1188
		return slices.Contains(v.Overridable, name)
	}
	return true
}

func overrideInfo(prefix, name, value string, known map[string]kafka.Key) config.Info {
	shown := value
	info := config.Info{Value: config.ValueInfo{Name: prefix + name, Value: &shown, RecommendedValues: []string{}, Errors: []string{}, Visible: true}}
	k, ok := known[name]
	if !ok {
		return info
	}
	key := config.Key{Name: prefix + name, Type: config.Type(strings.ToUpper(string(k.Type))), Nullable: true, Importance: config.Medium, Doc: k.Note, Order: -1, Width: config.WidthNone, Display: name}
	if k.Secret() {
		shown = config.Secret(value).String()
	} else if _, err := config.ParseType(name, value, key.Type); err != nil {
		info.Value.Errors = append(info.Value.Errors, err.Error())
	}
	info.Key = key.Info()
	if k.HasDefault() {
		info.Key.DefaultValue = &k.Default
	}
	return info
}

// restoreVariables shows settings as they were written where they hold variables: what they stand for may be secret.
func restoreVariables(infos *config.Infos, raw config.Props) {
	for i := range infos.Configs {
		name := infos.Configs[i].Value.Name
		if written, ok := raw.Get(name); ok && hasVariable(written) && infos.Configs[i].Value.Value != nil {
			infos.Configs[i].Value.Value = &written
		}
	}
}

// hasVariable tells whether a setting refers to a config provider.
func hasVariable(s string) bool {
	at := strings.Index(s, "${")
	return at >= 0 && strings.Contains(s[at:], "}") && strings.Contains(s[at:], ":")
}

// Refusal is the error of settings that did not pass, nil if they did: Kafka's text of status 400.
func Refusal(infos config.Infos) error {
	if infos.ErrorCount == 0 {
		return nil
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Connector configuration is invalid and contains the following %d error(s):", infos.ErrorCount)
	for _, c := range infos.Configs {
		for _, e := range c.Value.Errors {
			b.WriteString("\n" + e)
		}
	}
	b.WriteString("\nYou can also find the above list of errors at the endpoint `/connector-plugins/{connectorType}/config/validate`")
	return &StatusError{400, b.String()}
}

// CheckTasksMax refuses more tasks than a connector may have (KIP-1004).
func CheckTasksMax(connector string, generated, most int, enforce bool) error {
	if generated <= most || !enforce {
		return nil
	}
	return fault.Connect.New(fmt.Sprintf("The connector %s has generated %d tasks, which is greater than %d, the maximum number of tasks it is configured to create. This behaviour should be considered a bug and is disallowed. If necessary, it can be permitted by reconfiguring the connector with '%s' set to false; however, this option will be removed in a future release of Kafka Connect.", connector, generated, most, tasksMaxEnforceKey))
}

// unfitClass says why a class of the worker's or of a task's cannot be used.
func unfitClass(name, class string, kind connectors.Kind) error {
	return config.Invalid(name, class, "Class "+class+" could not be found, or is no "+string(kind)+".")
}

var everyKind = []connectors.Kind{
	connectors.KindSource, connectors.KindSink, connectors.KindConverter, connectors.KindHeaderConverter,
	connectors.KindTransformation, connectors.KindPredicate,
}
