package connect

import (
	"slices"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/jtext"
)

// Names of settings that every connector has, and of some that sources or sinks have.
const (
	nameKey            = "name"
	classKey           = "connector.class"
	taskClassKey       = "task.class"
	tasksMaxKey        = "tasks.max"
	tasksMaxEnforceKey = "tasks.max.enforce"
	keyConverterKey    = "key.converter"
	valueConverterKey  = "value.converter"
	headerConverterKey = "header.converter"
	transformsKey      = "transforms"
	predicatesKey      = "predicates"
	reloadActionKey    = "config.action.reload"
	retryTimeoutKey    = "errors.retry.timeout"
	retryMaxDelayKey   = "errors.retry.delay.max.ms"
	toleranceKey       = "errors.tolerance"
	errorLogKey        = "errors.log.enable"
	errorLogRecordsKey = "errors.log.include.messages"
	topicsKey          = "topics"
	topicsRegexKey     = "topics.regex"
	dlqTopicKey        = "errors.deadletterqueue.topic.name"
	dlqReplicationKey  = "errors.deadletterqueue.topic.replication.factor"
	dlqHeadersKey      = "errors.deadletterqueue.context.headers.enable"
	exactlyOnceKey     = "exactly.once.support"
	boundaryKey        = "transaction.boundary"
	boundaryMillisKey  = "transaction.boundary.interval.ms"
	offsetsTopicKey    = "offsets.storage.topic"
	restartPolicyKey   = "restart.policy"
)

// Groups of settings, in Kafka's names.
const (
	groupCommon     = "Common"
	groupTransforms = "Transforms"
	groupPredicates = "Predicates"
	groupErrors     = "Error Handling"
	groupTopics     = "Topic Creation"
	groupExactly    = "Exactly Once Support"
	groupOffsets    = "offsets.topic"
)

// connectorDef defines what every connector has (Kafka's ConnectorConfig).
func connectorDef(plugins *connectors.Plugins) *config.Def {
	common := func(order int, k config.Key) config.Key {
		k.Group, k.Order = groupCommon, order
		return k
	}
	errors := func(order int, k config.Key) config.Key {
		k.Group, k.Order, k.Importance = groupErrors, order, config.Medium
		return k
	}
	converter := func(order int, name, display, doc string, kinds ...connectors.Kind) config.Key {
		return common(order, config.Key{
			Name: name, Type: config.Class, Nullable: true, Importance: config.Low, Width: config.WidthShort, Display: display, Doc: doc,
			Validator: pluginCheck(plugins, "Converter", kinds...), Recommender: classes{plugins, kinds},
		})
	}
	return config.NewDef(
		common(1, config.Key{Name: nameKey, Type: config.String, Validator: config.NoControlCharacters, Importance: config.High, Width: config.WidthMedium, Display: "Connector name", Doc: "The name of the connector, which no other one of the cluster has."}),
		common(2, config.Key{Name: classKey, Type: config.String, Importance: config.High, Width: config.WidthLong, Display: "Connector class", Doc: "The connector to run: its class, the class without its package, or that without the suffix Connector."}),
		common(3, config.Key{Name: tasksMaxKey, Type: config.Int, Default: 1, Validator: config.AtLeast(1), Importance: config.High, Width: config.WidthShort, Display: "Tasks max", Doc: "The most tasks that the connector may have."}),
		common(4, config.Key{Name: tasksMaxEnforceKey, Type: config.Boolean, Default: true, Importance: config.Low, Width: config.WidthShort, Display: "Enforce tasks max", Doc: "Whether a connector fails that makes more tasks than tasks.max."}),
		converter(5, keyConverterKey, "Key converter class", "How keys are written to and read from Kafka; the worker's converter where it is not set.", connectors.KindConverter),
		converter(6, valueConverterKey, "Value converter class", "How values are written to and read from Kafka; the worker's converter where it is not set.", connectors.KindConverter),
		converter(7, headerConverterKey, "Header converter class", "How headers are written to and read from Kafka; the worker's converter where it is not set.", connectors.KindHeaderConverter),
		config.Key{Name: transformsKey, Type: config.List, Default: []string{}, Validator: uniqueAliases("Duplicate alias provided."), Importance: config.Low, Group: groupTransforms, Order: 8, Width: config.WidthLong, Display: "Transforms", Doc: "Aliases of the transformations, in the order in which they are applied."},
		config.Key{Name: predicatesKey, Type: config.List, Default: []string{}, Validator: uniqueAliases("Duplicate alias provided."), Importance: config.Low, Group: groupPredicates, Order: 9, Width: config.WidthLong, Display: "Predicates", Doc: "Aliases of the predicates that transformations refer to."},
		common(10, config.Key{Name: reloadActionKey, Type: config.String, Default: "restart", Validator: config.OneOf("none", "restart"), Importance: config.Low, Width: config.WidthMedium, Display: "Reload Action", Doc: "What happens when a value from a config provider expires: restart or none."}),
		errors(1, config.Key{Name: retryTimeoutKey, Type: config.Long, Default: 0, Width: config.WidthMedium, Display: "Retry Timeout for Errors", Doc: "How many ms an operation is tried again; -1 is for ever, 0 is never."}),
		errors(2, config.Key{Name: retryMaxDelayKey, Type: config.Long, Default: 60000, Width: config.WidthMedium, Display: "Maximum Delay Between Retries for Errors", Doc: "The longest wait between two tries, in ms."}),
		errors(3, config.Key{Name: toleranceKey, Type: config.String, Default: "none", Validator: config.OneOf("none", "all"), Width: config.WidthShort, Display: "Error Tolerance", Doc: "none fails the task at the first error, all skips records that fail."}),
		errors(4, config.Key{Name: errorLogKey, Type: config.Boolean, Default: false, Width: config.WidthShort, Display: "Log Errors", Doc: "Whether each error and the place of its record are logged."}),
		errors(5, config.Key{Name: errorLogRecordsKey, Type: config.Boolean, Default: false, Width: config.WidthShort, Display: "Log Error Details", Doc: "Whether the log tells which record failed."}),
	)
}

// sinkDef is connectorDef with what sinks have (SinkConnectorConfig).
func sinkDef(plugins *connectors.Plugins) *config.Def {
	d := connectorDef(plugins)
	d.Define(config.Key{Name: topicsKey, Type: config.List, Default: []string{}, Importance: config.High, Group: groupCommon, Order: 4, Width: config.WidthLong, Display: "Topics", Doc: "The topics to read."})
	d.Define(config.Key{Name: topicsRegexKey, Type: config.String, Default: "", Validator: validRegex, Importance: config.High, Group: groupCommon, Order: 4, Width: config.WidthLong, Display: "Topics regex", Doc: "A regular expression of the topics to read."})
	d.Define(config.Key{Name: dlqTopicKey, Type: config.String, Default: "", Importance: config.Medium, Group: groupErrors, Order: 6, Width: config.WidthMedium, Display: "Dead Letter Queue Topic Name", Doc: "The topic for records that failed; none by default."})
	d.Define(config.Key{Name: dlqReplicationKey, Type: config.Short, Default: 3, Importance: config.Medium, Group: groupErrors, Order: 7, Width: config.WidthMedium, Display: "Dead Letter Queue Topic Replication Factor", Doc: "The replication factor with which the dead letter queue is created."})
	d.Define(config.Key{Name: dlqHeadersKey, Type: config.Boolean, Default: false, Importance: config.Medium, Group: groupErrors, Order: 8, Width: config.WidthMedium, Display: "Enable Error Context Headers", Doc: "Whether dead letters have headers that tell what failed."})
	return d
}

// sourceDef is connectorDef with what sources have (SourceConnectorConfig).
func sourceDef(plugins *connectors.Plugins) *config.Def {
	d := connectorDef(plugins)
	d.Define(config.Key{Name: topicCreationGroups, Type: config.List, Default: []string{}, Validator: uniqueAliases("Duplicate topic creation groups: "), Importance: config.Low, Group: groupTopics, Order: 1, Width: config.WidthLong, Display: "Topic Creation Groups", Doc: "Groups of settings for topics that are created."})
	d.Define(config.Key{Name: exactlyOnceKey, Type: config.String, Default: "requested", Validator: config.OneOfFold("REQUESTED", "REQUIRED"), Importance: config.Medium, Group: groupExactly, Order: 2, Width: config.WidthShort, Display: "Exactly once support", Doc: "required refuses settings with which the connector cannot deliver exactly once."})
	d.Define(config.Key{Name: boundaryKey, Type: config.String, Default: "poll", Validator: config.OneOfFold("POLL", "INTERVAL", "CONNECTOR"), Importance: config.Medium, Group: groupExactly, Order: 3, Width: config.WidthMedium, Display: "Transaction Boundary", Doc: "What ends a transaction: each poll, a time, or the connector."})
	d.Define(config.Key{Name: boundaryMillisKey, Type: config.Long, Nullable: true, Validator: positiveOrNull, Importance: config.Low, Group: groupExactly, Order: 4, Width: config.WidthShort, Display: "Transaction boundary interval", Doc: "The time after which a transaction ends, in ms, with transaction.boundary=interval."})
	d.Define(config.Key{Name: offsetsTopicKey, Type: config.String, Nullable: true, Validator: config.NonEmpty, Importance: config.Low, Group: groupOffsets, Order: 1, Width: config.WidthLong, Display: "Offsets topic", Doc: "A topic of its own for the connector's offsets."})
	return d
}

var positiveOrNull config.Check = func(name string, value any) error {
	if n, ok := value.(int64); ok && n < 0 {
		return config.Invalid(name, value, "Value must be at least 0")
	}
	return nil
}

var validRegex config.Check = func(name string, value any) error {
	s, _ := value.(string)
	if _, err := jtext.CompileRegex(s); err != nil {
		return config.Invalid(name, value, "Invalid regular expression "+s)
	}
	return nil
}

func uniqueAliases(what string) config.Check {
	return func(name string, value any) error {
		list, _ := value.([]string)
		for i, s := range list {
			if slices.Contains(list[:i], s) {
				return config.Invalid(name, value, what)
			}
		}
		return nil
	}
}

// pluginCheck refuses classes that there are not or that are something else. Null passes.
func pluginCheck(plugins *connectors.Plugins, base string, kinds ...connectors.Kind) config.Check {
	return func(name string, value any) error {
		s, ok := value.(string)
		if !ok {
			return nil
		}
		if _, err := plugins.Find(s, kinds...); err == nil {
			return nil
		}
		return unfitClass(plugins, name, s, base)
	}
}

// unfitClass says why a class cannot be used: there is none of that name, or it is of another kind.
func unfitClass(plugins *connectors.Plugins, name, class, base string) error {
	if p, err := plugins.Find(class, everyKind...); err == nil {
		return config.Invalid(name, "class "+p.Class, "Not a "+base)
	}
	if side := abstractHint(plugins, class); side != "" {
		return config.Invalid(name, "class "+class, "This class is abstract and cannot be created. Did you mean "+side+"?")
	}
	return config.Invalid(name, class, "Class "+class+" could not be found.")
}

// abstractHint names the two sides of a transformation that was named without one.
func abstractHint(plugins *connectors.Plugins, class string) string {
	var sides []string
	for _, p := range plugins.List(connectors.KindTransformation) {
		if p.Class == class+"$Key" || p.Class == class+"$Value" || p.SimpleName() == class+"$Key" || p.SimpleName() == class+"$Value" {
			sides = append(sides, p.Class)
		}
	}
	slices.Sort(sides)
	out := ""
	for i, s := range sides {
		if i > 0 {
			out += ", "
		}
		out += s
	}
	return out
}

var everyKind = []connectors.Kind{
	connectors.KindSource, connectors.KindSink, connectors.KindConverter, connectors.KindHeaderConverter,
	connectors.KindTransformation, connectors.KindPredicate,
}

// classes recommends the plugins of some kinds.
type classes struct {
	plugins *connectors.Plugins
	kinds   []connectors.Kind
}

// ValidValues are the classes.
func (c classes) ValidValues(string, config.Values) (names []string) {
	for _, p := range c.plugins.List(c.kinds...) {
		names = append(names, p.Class)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Visible is always true.
func (classes) Visible(string, config.Values) bool { return true }
