package connectorconfig

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/fault"
	"github.com/wasmstream/wasmstream/connectors/jtext"
)

// Options are what validation has to know of the worker.
type Options struct {
	// WorkerGroup is the group.id of a distributed worker, "" for none.
	WorkerGroup string
	// Converters are the worker's converters by setting: key.converter, value.converter, header.converter.
	Converters map[string]string
	// ExactlyOnce says that the worker has exactly.once.source.support=enabled.
	ExactlyOnce bool
	// KafkaCompat leaves out what Kafka does not check: predicates that are missing, settings that it has not.
	KafkaCompat bool
	// Overrides checks producer.override.* and its kin, and returns infos of them to be merged. It may be nil.
	Overrides func(kind connectors.Kind, props config.Props) []config.Infos
}

// Validate checks all settings of a connector at once. The error says why they cannot be checked: no class, a class that nothing
// has.
func (d *Defs) Validate(props config.Props, opts Options) (config.Infos, error) {
	class, ok := props.Get("connector.class")
	if !ok {
		return config.Infos{}, noConnectorType(props, opts.KafkaCompat)
	}
	p, err := d.plugins.Connector(strings.TrimSpace(class))
	if err != nil {
		return config.Infos{}, err
	}
	conn := p.NewConnector()
	def := d.OfPlugin(p)
	d.defaults(def, props, opts.Converters)
	relevant := props
	if opts.KafkaCompat {
		relevant = withoutTopicCreation(props)
	}
	if err := d.enrich(def, relevant, false); err != nil {
		return config.Infos{}, err
	}
	values := def.ValidateAll(props)
	d.fullNames(def, values)
	if p.Kind == connectors.KindSink {
		checkSink(props, values, opts)
	} else if !opts.KafkaCompat || opts.WorkerGroup != "" { // Kafka's standalone worker does not ask
		checkSource(conn, props, values, opts)
	}
	if !opts.KafkaCompat {
		checkPredicates(props, values)
		d.checkStages(props, values)
		checkOwn(p.Kind, props, values)
	}
	refuseNulls(props, values)
	if err := d.checkVersions(p, props, values); err != nil {
		return config.Infos{}, err
	}
	var own []config.Infos
	for _, side := range []string{"key", "value", "header"} {
		if c, ok := d.converterInfos(side, props, values, opts); ok {
			own = append(own, c)
		}
	}
	infos := d.join(class, def, values, conn, props)
	for _, c := range own {
		infos.Merge(c)
	}
	if opts.Overrides != nil {
		for _, o := range opts.Overrides(p.Kind, props) {
			infos.Merge(o)
		}
	}
	return infos, nil
}

// fullNames has settings that are classes show the class that an alias stands for, as Kafka does. A class that there is not is no
// value.
func (d *Defs) fullNames(def *config.Def, values map[string]*config.Value) {
	for _, name := range def.Names() {
		if def.Key(name).Type != config.Class {
			continue
		}
		v := values[name]
		class, _ := v.Value.(string)
		if full, ok := d.fullName(strings.TrimSpace(class)); ok {
			v.Value = full
		} else if len(v.Errors) > 0 {
			v.Value = nil
		}
	}
}

func (d *Defs) fullName(class string) (full string, ok bool) {
	for _, kind := range everyKind {
		if p, err := d.plugins.Find(class, kind); err == nil {
			return p.Class, true
		}
	}
	return "", false
}

// withoutTopicCreation are settings as Kafka looks at them: it reads those of topic creation when tasks start.
func withoutTopicCreation(props config.Props) config.Props {
	out := config.Props{}
	for name, v := range props {
		if !strings.HasPrefix(name, topicCreation) {
			out[name] = v
		}
	}
	return out
}

// noConnectorType is the error about settings without connector.class. Nobody can tell which of them are secret, so that none is told
// but the name; Kafka tells all.
func noConnectorType(props config.Props, all bool) error {
	var pairs []string
	for _, name := range props.Names() {
		value := config.Secret("").String()
		if all || name == "name" {
			value = props.Or(name, "null")
		}
		pairs = append(pairs, name+"="+value)
	}
	return fault.Connect.New("Connector config {" + strings.Join(pairs, ", ") + "} contains no connector type")
}

// join puts what the connector defines and says beside the base; the connector's own definitions win.
func (d *Defs) join(class string, def *config.Def, byName map[string]*config.Value, conn connectors.Connector, props config.Props) config.Infos {
	own := conn.ConfigDef()
	var ownValues []*config.Value
	if v, ok := conn.(connectors.Validator); ok {
		ownValues = v.Validate(props)
	} else {
		ownValues = own.Validate(props)
	}
	var keys []*config.Key
	for _, name := range def.Names() {
		if k := own.Key(name); k != nil {
			keys = append(keys, k)
		} else {
			keys = append(keys, def.Key(name))
		}
	}
	for _, name := range own.Names() {
		if def.Key(name) == nil {
			keys = append(keys, own.Key(name))
		}
	}
	groups := slices.Clone(def.Groups())
	for _, g := range own.Groups() {
		if !slices.Contains(groups, g) {
			groups = append(groups, g)
		}
	}
	var values []*config.Value
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		values = append(values, byName[name])
	}
	return config.NewInfos(class, keys, append(values, ownValues...), groups)
}

// add adds a message to a value.
func add(values map[string]*config.Value, name, message string) {
	v := values[name]
	if v == nil {
		v = &config.Value{Name: name, Visible: true}
		values[name] = v
	}
	v.AddError(message)
}

func refuseNulls(props config.Props, values map[string]*config.Value) {
	for _, name := range props.Names() {
		if props[name] == nil {
			if values[name] == nil {
				values[name] = &config.Value{Name: name, Visible: true}
			}
			add(values, name, "Null value can not be supplied as the configuration value.")
		}
	}
}

// checkSink is Kafka's SinkConnectorConfig.validate, and the check of the consumer group.
func checkSink(props config.Props, values map[string]*config.Value, opts Options) {
	topics, regex := strings.TrimSpace(props.Or("topics", "")), strings.TrimSpace(props.Or("topics.regex", ""))
	dlq := strings.TrimSpace(props.Or("errors.deadletterqueue.topic.name", ""))
	both := func(message string) {
		add(values, "topics", message)
		add(values, "topics.regex", message)
	}
	switch {
	case topics != "" && regex != "":
		both("topics and topics.regex are mutually exclusive options, but both are set.")
	case topics == "" && regex == "":
		both("Must configure one of topics or topics.regex")
	case dlq == "":
	case topics != "":
		list, _ := config.ParseType("topics", topics, config.List)
		if names, _ := list.([]string); slices.Contains(names, dlq) {
			add(values, "topics", "The DLQ topic '"+dlq+"' may not be included in the list of topics ('topics=["+strings.Join(names, ", ")+"]') consumed by the connector")
		}
	default:
		r, err := jtext.CompileRegex(regex)
		if err != nil {
			break // the check of the setting says it
		}
		switch matches, err := r.Matches(dlq); {
		case err != nil:
			add(values, "topics.regex", err.Error())
		case matches:
			add(values, "topics.regex", "The DLQ topic '"+dlq+"' may not be matched by the regex for the topics ('topics.regex="+regex+"') consumed by the connector")
		}
	}
	group := props.Or("consumer.override.group.id", "connect-"+props.Or("name", ""))
	if opts.WorkerGroup != "" && group == opts.WorkerGroup {
		name := "name"
		if _, ok := props.Get("consumer.override.group.id"); ok {
			name = "consumer.override.group.id"
		}
		add(values, name, "Consumer group for sink connector named "+props.Or("name", "")+" conflicts with Connect worker group "+group)
	}
}

// checkSource checks what is asked of exactly-once delivery (KIP-618).
func checkSource(conn connectors.Connector, props config.Props, values map[string]*config.Value, opts Options) {
	if v := values["exactly.once.support"]; v != nil && len(v.Errors) == 0 && strings.EqualFold(props.Or("exactly.once.support", ""), "required") {
		if !opts.ExactlyOnce {
			v.AddError("This worker does not have exactly-once source support enabled.")
		} else {
			requireSupport(v, conn, props)
		}
	}
	v := values["transaction.boundary"]
	if v == nil || len(v.Errors) > 0 || !strings.EqualFold(props.Or("transaction.boundary", ""), "connector") {
		return
	}
	definer, ok := conn.(connectors.BoundaryDefiner)
	if !ok || definer.CanDefineTransactionBoundaries(props) != connectors.Supported {
		v.AddError("The connector does not support connector-defined transaction boundaries with the given configuration. Please reconfigure it to use a different transaction boundary definition.")
	}
}

func requireSupport(v *config.Value, conn connectors.Connector, props config.Props) {
	s, ok := conn.(connectors.ExactlyOnceSupporter)
	answer := connectors.Unknown
	if ok {
		answer = s.ExactlyOnceSupport(props)
	}
	switch answer {
	case connectors.Supported:
	case connectors.Unsupported:
		v.AddError("The connector does not support exactly-once semantics with the provided configuration.")
	default:
		v.AddError("The connector does not implement the API required for preflight validation of exactly-once source support. Please consult the documentation for the connector to determine whether it supports exactly-once semantics, and then consider reconfiguring the connector to use the value \"requested\" for this property (which will disable this preflight check and allow the connector to be created).")
	}
}

// checkPredicates refuses transformations whose predicate is not there.
func checkPredicates(props config.Props, values map[string]*config.Value) {
	known := aliases(props, "predicates")
	for _, alias := range aliases(props, "transforms") {
		key := "transforms." + alias + ".predicate"
		if name, ok := props.Get(key); ok && name != "" && values[key] != nil && !slices.Contains(known, name) {
			add(values, key, missingPredicate(alias, name).Error())
		}
	}
}

// checkStages configures the transformations and predicates, each for itself, since some faults show in no setting alone: a path that cannot
// be read, two lists that differ in length. What the settings' own checks have found already is not told again.
func (d *Defs) checkStages(props config.Props, values map[string]*config.Value) {
	for _, a := range aliasedKinds {
		for _, alias := range aliases(props, a.list) {
			prefix := a.list + "." + alias + "."
			if faulty(values, prefix) {
				continue
			}
			if err := d.tryStage(a.kind, prefix, props); err != nil {
				add(values, prefix+cmp.Or(config.SettingOf(err), "type"), err.Error())
			}
		}
	}
}

func faulty(values map[string]*config.Value, prefix string) bool {
	for name, v := range values {
		if strings.HasPrefix(name, prefix) && len(v.Errors) > 0 {
			return true
		}
	}
	return false
}

// tryStage configures a plugin that does nothing then.
func (d *Defs) tryStage(kind connectors.Kind, prefix string, props config.Props) error {
	p, err := d.find(prefix+"type", strings.TrimSpace(props.Or(prefix+"type", "")), kind)
	if err != nil {
		return config.At("type", err)
	}
	own := ownOf(props, prefix)
	if kind == connectors.KindPredicate {
		predicate := p.Predicate()
		return errors.Join(predicate.Configure(own), predicate.Close())
	}
	transformation := p.Transformation()
	return errors.Join(transformation.Configure(own), transformation.Close())
}

// converterInfos checks the settings of a converter that the connector names itself.
func (d *Defs) converterInfos(side string, props config.Props, values map[string]*config.Value, opts Options) (config.Infos, bool) {
	name := side + ".converter"
	class, ok := props.Get(name)
	if !ok || values[name] == nil || len(values[name].Errors) > 0 {
		return config.Infos{}, false
	}
	kind := connectors.KindConverter
	if side == "header" {
		kind = connectors.KindHeaderConverter
	}
	p, err := d.find(name, strings.TrimSpace(class), kind)
	if err != nil {
		return config.Infos{}, false
	}
	own := props.WithPrefix(name + ".")
	delete(own, "plugin.version")
	if _, ok := own["converter.type"]; !ok {
		own.Set("converter.type", side)
	}
	def := p.ConfigDef()
	prefixed := config.NewDef()
	for _, n := range def.Names() {
		k := *def.Key(n)
		k.Name = name + "." + k.Name
		prefixed.Define(k)
	}
	var keys []*config.Key
	for _, n := range prefixed.Names() {
		keys = append(keys, prefixed.Key(n))
	}
	checked := def.Validate(own)
	if !opts.KafkaCompat && !slices.ContainsFunc(checked, func(v *config.Value) bool { return len(v.Errors) > 0 }) {
		if err := tryConverter(p, own, side == "key"); err != nil {
			at := values[name]
			if i := slices.IndexFunc(checked, func(v *config.Value) bool { return v.Name == config.SettingOf(err) }); i >= 0 {
				at = checked[i]
			}
			at.AddError(err.Error())
		}
	}
	for _, v := range checked {
		v.Name = name + "." + v.Name
	}
	return config.NewInfos(p.Class, keys, checked, def.Groups()), true
}

// tryConverter configures a converter that converts nothing then.
func tryConverter(p connectors.Plugin, own config.Props, isKey bool) error {
	if p.Kind == connectors.KindHeaderConverter {
		c := p.HeaderConverter()
		return errors.Join(c.Configure(own), c.Close())
	}
	c := p.Converter()
	return errors.Join(c.Configure(own, isKey), c.Close())
}
