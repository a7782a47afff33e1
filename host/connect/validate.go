package connect

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/fault"
	"github.com/wasmstream/wasmstream/connectors/jtext"
	"github.com/wasmstream/wasmstream/internal/kafka"
)

// Validator checks settings of connectors as a whole (Kafka's AbstractHerder.validateConnectorConfig).
type Validator struct {
	Plugins *connectors.Plugins
	// WorkerGroup is group.id of a distributed worker, "" of a standalone one.
	WorkerGroup string
	// OverridePolicy is connector.client.config.override.policy: All, None or Principal.
	OverridePolicy string
	// Transform resolves variables; nil leaves settings as they are.
	Transform func(config.Props) (config.Props, error)
	// ExactlyOnce says whether the worker has exactly.once.source.support=enabled.
	ExactlyOnce bool
}

// Validate checks settings and reports every fault at once. The error is about settings that cannot be checked at all: no
// class (a *StatusError of 400), or one that nobody knows.
func (v *Validator) Validate(raw config.Props) (config.Infos, error) {
	props := raw
	if v.Transform != nil {
		resolved, err := v.Transform(raw)
		if err != nil {
			return config.Infos{}, err
		}
		props = resolved
	}
	class, ok := props.Get(classKey)
	if !ok {
		return config.Infos{}, badRequest("Connector config {%s} contains no connector type", strings.Join(raw.Names(), ", "))
	}
	p, err := v.Plugins.Connector(class)
	if err != nil {
		return config.Infos{}, err
	}
	def, values, err := v.base(&p, props)
	if err != nil {
		return config.Infos{}, err
	}
	own := p.NewConnector()
	ownDef := own.ConfigDef()
	keys, order := keysOf(def, ownDef)
	groups := slices.Clone(def.Groups())
	for _, g := range ownDef.Groups() {
		if !slices.Contains(groups, g) {
			groups = append(groups, g)
		}
	}
	all := append(values, ownValues(own, ownDef, props)...)
	infos := generateInfos(class, keys, order, all, groups)
	v.addConverters(&infos, props)
	v.addOverrides(&infos, &p, props)
	restoreVariables(&infos, raw)
	return infos, nil
}

// base validates what the framework defines.
func (v *Validator) base(p *connectors.Plugin, props config.Props) (*config.Def, []*config.Value, error) {
	def := sourceDef(v.Plugins)
	if p.Kind == connectors.KindSink {
		def = sinkDef(v.Plugins)
	}
	if err := enrich(def, v.Plugins, props, false); err != nil {
		return nil, nil, err
	}
	byName := def.ValidateAll(props)
	at := func(name string) *config.Value {
		if byName[name] == nil {
			byName[name] = &config.Value{Name: name, Visible: true}
		}
		return byName[name]
	}
	if p.Kind == connectors.KindSink {
		v.validateSink(props, at)
	} else {
		v.validateSource(p, props, at)
	}
	for _, name := range props.Names() {
		if props[name] == nil {
			at(name).AddError("Null value can not be supplied as the configuration value.")
		}
	}
	var values []*config.Value
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		values = append(values, byName[name])
	}
	return def, values, nil
}

func (v *Validator) validateSink(props config.Props, at func(string) *config.Value) {
	topics, regex := strings.TrimSpace(props.Or(topicsKey, "")), strings.TrimSpace(props.Or(topicsRegexKey, ""))
	dlq := strings.TrimSpace(props.Or(dlqTopicKey, ""))
	switch {
	case topics != "" && regex != "":
		for _, k := range []string{topicsKey, topicsRegexKey} {
			at(k).AddError("topics and topics.regex are mutually exclusive options, but both are set.")
		}
	case topics == "" && regex == "":
		for _, k := range []string{topicsKey, topicsRegexKey} {
			at(k).AddError("Must configure one of topics or topics.regex")
		}
	}
	if list, _ := config.ParseType(topicsKey, topics, config.List); dlq != "" && slices.Contains(list.([]string), dlq) {
		at(topicsKey).AddError(fmt.Sprintf("The DLQ topic '%s' may not be included in the list of topics ('topics=[%s]') consumed by the connector", dlq, strings.Join(list.([]string), ", ")))
	}
	if dlq != "" && regex != "" {
		if r, err := jtext.CompileRegex(regex); err == nil && r.Matches(dlq) {
			at(topicsRegexKey).AddError(fmt.Sprintf("The DLQ topic '%s' may not be included in the regex matching the topics ('topics.regex=%s') consumed by the connector", dlq, regex))
		}
	}
	group := props.Or("consumer.override.group.id", "connect-"+props.Or(nameKey, ""))
	if v.WorkerGroup != "" && group == v.WorkerGroup {
		key := nameKey
		if _, ok := props.Get("consumer.override.group.id"); ok {
			key = "consumer.override.group.id"
		}
		at(key).AddError(fmt.Sprintf("Consumer group for sink connector named %s conflicts with Connect worker group %s", props.Or(nameKey, ""), v.WorkerGroup))
	}
}

func (v *Validator) validateSource(p *connectors.Plugin, props config.Props, at func(string) *config.Value) {
	c := p.Source()
	if strings.EqualFold(props.Or(exactlyOnceKey, ""), "required") {
		switch asker, ok := c.(connectors.ExactlyOnceSupporter); {
		case !v.ExactlyOnce:
			at(exactlyOnceKey).AddError("This worker does not have exactly-once source support enabled.")
		case !ok:
			at(exactlyOnceKey).AddError("The connector does not implement the API required for preflight validation of exactly-once source support. Please consult the documentation for the connector to determine whether it supports exactly-once semantics, and then consider reconfiguring the connector to use the value \"requested\" for this property (which will disable this preflight check and allow the connector to be created).")
		case asker.ExactlyOnceSupport(props) != connectors.Supported:
			at(exactlyOnceKey).AddError("The connector does not support exactly-once semantics with the provided configuration.")
		}
	}
	if strings.EqualFold(props.Or(boundaryKey, ""), "connector") {
		if asker, ok := c.(connectors.BoundaryDefiner); !ok || asker.CanDefineTransactionBoundaries(props) != connectors.Supported {
			at(boundaryKey).AddError("The connector does not support connector-defined transaction boundaries with the given configuration. Please reconfigure it to use a different transaction boundary definition.")
		}
	}
}

func ownValues(c connectors.Connector, def *config.Def, props config.Props) []*config.Value {
	if checker, ok := c.(connectors.Validator); ok {
		return checker.Validate(props)
	}
	return def.Validate(props)
}

// keysOf joins two definitions; the second wins, in the place of the first.
func keysOf(defs ...*config.Def) (keys map[string]*config.Key, order []string) {
	keys = map[string]*config.Key{}
	for _, d := range defs {
		for _, name := range d.Names() {
			if d.Key(name).Internal {
				continue
			}
			if keys[name] == nil {
				order = append(order, name)
			}
			keys[name] = d.Key(name)
		}
	}
	return keys, order
}

// generateInfos joins keys and values: values without a definition come first (AbstractHerder.generateResult).
func generateInfos(name string, keys map[string]*config.Key, order []string, values []*config.Value, groups []string) config.Infos {
	infos := config.Infos{Name: name, Groups: append([]string{}, groups...), Configs: []config.Info{}}
	last := map[string]*config.Value{}
	for _, value := range values {
		last[value.Name] = value
		if keys[value.Name] == nil {
			infos.Configs = append(infos.Configs, config.Info{Value: value.Info(config.String)})
			infos.ErrorCount += len(value.Errors)
		}
	}
	for _, name := range order {
		info := config.Info{Key: keys[name].Info(), Value: config.ValueInfo{Name: name, RecommendedValues: []string{}, Errors: []string{}, Visible: true}}
		if value := last[name]; value != nil {
			info.Value = value.Info(keys[name].Type)
			infos.ErrorCount += len(value.Errors)
		}
		infos.Configs = append(infos.Configs, info)
	}
	return infos
}

// addConverters validates settings of converters that the connector names itself.
func (v *Validator) addConverters(infos *config.Infos, props config.Props) {
	for _, c := range []struct {
		key   string
		kinds connectors.Kind
	}{
		{headerConverterKey, connectors.KindHeaderConverter},
		{keyConverterKey, connectors.KindConverter},
		{valueConverterKey, connectors.KindConverter},
	} {
		class, ok := props.Get(c.key)
		if !ok {
			continue
		}
		p, err := v.Plugins.Find(class, c.kinds)
		if err != nil {
			continue // told by the check of the class
		}
		def, prefix := p.ConfigDef(), c.key+"."
		for _, value := range def.Validate(props.WithPrefix(prefix)) {
			k := *def.Key(value.Name)
			k.Name, k.Display = prefix+k.Name, prefix+k.Display
			value.Name = k.Name
			infos.Configs = append(infos.Configs, config.Info{Key: k.Info(), Value: value.Info(k.Type)})
			infos.ErrorCount += len(value.Errors)
		}
	}
}

// principalKeys may be overridden under the policy Principal.
var principalKeys = []string{"sasl.jaas.config", "sasl.mechanism", "security.protocol"}

// addOverrides lists client properties that the connector overrides.
func (v *Validator) addOverrides(infos *config.Infos, p *connectors.Plugin, props config.Props) {
	clients := []struct {
		prefix string
		kind   kafka.Kind
	}{{"producer.override.", kafka.Producer}, {"admin.override.", kafka.Admin}}
	if p.Kind == connectors.KindSink {
		clients = append(clients, struct {
			prefix string
			kind   kafka.Kind
		}{"consumer.override.", kafka.Consumer})
	}
	for _, c := range clients {
		overrides := props.WithPrefix(c.prefix)
		known := map[string]kafka.Key{}
		for _, k := range kafka.ClientKeys(c.kind) {
			known[k.Name] = k
		}
		for _, name := range overrides.Names() {
			infos.Configs = append(infos.Configs, overrideInfo(c.prefix, name, overrides.Or(name, ""), known))
			info := &infos.Configs[len(infos.Configs)-1]
			if !v.allowed(name) {
				info.Value.Errors = append(info.Value.Errors, fmt.Sprintf("The '%s' policy does not allow '%s' to be overridden in the connector configuration.", v.OverridePolicy, name))
			}
			infos.ErrorCount += len(info.Value.Errors)
		}
		if len(overrides) > 0 {
			infos.Groups = append(infos.Groups, strings.TrimSuffix(c.prefix, ".override."))
		}
	}
}

func (v *Validator) allowed(name string) bool {
	switch v.OverridePolicy {
	case "None":
		return false
	case "Principal":
		return slices.Contains(principalKeys, name)
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
	if k.Secret() {
		shown = config.Secret(value).String()
	}
	key := config.Key{Name: prefix + name, Type: config.Type(strings.ToUpper(string(k.Type))), Nullable: true, Importance: config.Medium, Doc: k.Note, Order: -1, Width: config.WidthNone, Display: prefix + name}
	info.Key = key.Info()
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

// ParseConnector parses the settings of a connector that is about to run; the first fault is the error.
func ParseConnector(plugins *connectors.Plugins, kind connectors.Kind, props config.Props) (config.Values, error) {
	def := sourceDef(plugins)
	if kind == connectors.KindSink {
		def = sinkDef(plugins)
	}
	for _, k := range stageKinds {
		list, _ := config.ParseType(k.key, props.Or(k.key, ""), config.List)
		for _, alias := range list.([]string) {
			if err := negationError(props, k.key+"."+alias+"."); err != nil {
				return nil, err
			}
		}
	}
	if err := enrich(def, plugins, props, true); err != nil {
		return nil, err
	}
	return def.Parse(props)
}

// CheckTasksMax refuses more tasks than a connector may have (KIP-1004).
func CheckTasksMax(connector string, generated, most int, enforce bool) error {
	if generated <= most || !enforce {
		return nil
	}
	return fault.Connect.New(fmt.Sprintf("The connector %s has generated %d tasks, which is greater than %d, the maximum number of tasks it is configured to create. This behaviour should be considered a bug and is disallowed. If necessary, it can be permitted by reconfiguring the connector with '%s' set to false; however, this option will be removed in a future release of Kafka Connect.", connector, generated, most, tasksMaxEnforceKey))
}
