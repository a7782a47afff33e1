// Package connectorconfig knows the settings that every connector has: name, tasks, converters, transformations and
// predicates, error handling, topic creation. It checks them all at once as PUT /connector-plugins/{p}/config/validate does, or
// reads them for a start.
//
// It knows plugins and settings, and no worker: what depends on the worker comes in by Options.
package connectorconfig

import (
	"errors"
	"slices"
	"strings"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/jtext"
)

// Groups of the settings.
const (
	commonGroup        = "Common"
	transformsGroup    = "Transforms"
	predicatesGroup    = "Predicates"
	errorGroup         = "Error Handling"
	topicCreationGroup = "Topic Creation"
	exactlyOnceGroup   = "Exactly Once Support"
	offsetsGroup       = "offsets.topic"
)

// Defs defines the settings of connectors whose plugins are found in a table.
type Defs struct{ plugins *connectors.Plugins }

// New makes definitions for the plugins of a table.
func New(plugins *connectors.Plugins) *Defs { return &Defs{plugins: plugins} }

// grouped sets group and order of keys in turn, beginning behind order.
func grouped(group string, order int, keys ...config.Key) []config.Key {
	for i := range keys {
		keys[i].Group = group
		keys[i].Order = order + i + 1
	}
	return keys
}

// Base defines what every connector of a kind has.
func (d *Defs) Base(kind connectors.Kind) *config.Def {
	def := config.NewDef()
	add := func(keys []config.Key) {
		for _, k := range keys {
			def.Define(k)
		}
	}
	add(grouped(commonGroup, 0, d.common()...))
	add(grouped(transformsGroup, 11, aliasKey("transforms", "Transforms", "Aliases of the transformations that are applied to each record, in this order.")))
	add(grouped(predicatesGroup, 12, aliasKey("predicates", "Predicates", "Aliases of the predicates that transformations use.")))
	add(grouped(commonGroup, 13, config.Key{
		Name: "config.action.reload", Type: config.String, Default: "restart", Validator: config.OneOf("none", "restart"), Importance: config.Low,
		Width: config.WidthMedium, Display: "Reload Action", Doc: "What happens when an external value that settings refer to expires: none, or restart of the connector.",
	}))
	add(grouped(errorGroup, 0, errorKeys()...))
	if kind == connectors.KindSink {
		add(sinkKeys())
	} else {
		add(sourceKeys())
	}
	return def
}

func (d *Defs) common() []config.Key {
	keys := []config.Key{
		{Name: "name", Type: config.String, Validator: config.NoControlCharacters, Importance: config.High, Width: config.WidthMedium, Display: "Connector name", Doc: "The name of the connector, unique in the cluster."},
		{Name: "connector.class", Type: config.String, Importance: config.High, Width: config.WidthLong, Display: "Connector class", Doc: "The connector: its full class name, its simple name, or its simple name without \"Connector\"."},
		versionKey("connector", "Connector", config.Medium, config.WidthMedium),
		{Name: "tasks.max", Type: config.Int, Default: 1, Validator: config.AtLeast(1), Importance: config.High, Width: config.WidthShort, Display: "Tasks max", Doc: "The largest number of tasks that the connector may have."},
		{Name: "tasks.max.enforce", Type: config.Boolean, Default: true, Importance: config.Low, Width: config.WidthShort, Display: "Enforce tasks max", Doc: "Whether a connector that makes more tasks than tasks.max fails."},
	}
	for _, c := range []struct {
		name, display string
		kind          connectors.Kind
	}{
		{"key", "Key converter", connectors.KindConverter},
		{"value", "Value converter", connectors.KindConverter},
		{"header", "Header converter", connectors.KindHeaderConverter},
	} {
		keys = append(
			keys,
			config.Key{
				Name: c.name + ".converter", Type: config.Class, Nullable: true, Validator: d.class(c.kind), Recommender: d.recommend(c.kind), Importance: config.Low,
				Width: config.WidthShort, Display: c.display + " class", Doc: "The converter between " + c.name + "s as bytes in Kafka and as data here. The worker's, if it is not set.",
			},
			versionKey(c.name+".converter", c.display, config.Low, config.WidthShort),
		)
	}
	return keys
}

func versionKey(prefix, display string, importance config.Importance, width config.Width) config.Key {
	return config.Key{
		Name: prefix + ".plugin.version", Type: config.String, Nullable: true, Importance: importance, Width: width, Display: display + " version",
		Doc: "Which versions of the plugin will do: '1.2' is that version, '[1.0,2.0)' a range, 'latest' any.",
	}
}

func aliasKey(name, display, doc string) config.Key {
	return config.Key{
		Name: name, Type: config.List, Default: []string{}, Validator: config.All(config.NotNull, uniqueAliases), Importance: config.Low, Width: config.WidthLong,
		Display: display, Doc: doc,
	}
}

var uniqueAliases config.Check = func(name string, value any) error {
	list, _ := value.([]string)
	seen := map[string]bool{}
	for _, alias := range list {
		if seen[alias] {
			return config.Invalid(name, value, "Duplicate alias provided.")
		}
		seen[alias] = true
	}
	return nil
}

func errorKeys() []config.Key {
	return []config.Key{
		{Name: "errors.retry.timeout", Type: config.Long, Default: int64(0), Importance: config.Medium, Width: config.WidthMedium, Display: "Retry Timeout for Errors", Doc: "For how many milliseconds a failed operation is tried again; 0 is not at all, -1 without end."},
		{Name: "errors.retry.delay.max.ms", Type: config.Long, Default: int64(60000), Importance: config.Medium, Width: config.WidthMedium, Display: "Maximum Delay Between Retries for Errors", Doc: "The longest wait in milliseconds between two tries. Some chance is added beyond it."},
		{Name: "errors.tolerance", Type: config.String, Default: "none", Validator: config.OneOf("none", "all"), Importance: config.Medium, Width: config.WidthShort, Display: "Error Tolerance", Doc: "none: an error fails the task. all: the record is passed over."},
		{Name: "errors.log.enable", Type: config.Boolean, Default: false, Importance: config.Medium, Width: config.WidthShort, Display: "Log Errors", Doc: "Whether each error is logged, tolerated or not."},
		{Name: "errors.log.include.messages", Type: config.Boolean, Default: false, Importance: config.Medium, Width: config.WidthShort, Display: "Log Error Details", Doc: "Whether the log of an error tells the place of the record. What it holds is never logged."},
	}
}

func deadLetterKeys() []config.Key {
	return grouped(
		errorGroup, 5,
		config.Key{Name: "errors.deadletterqueue.topic.name", Type: config.String, Default: "", Importance: config.Medium, Width: config.WidthMedium, Display: "Dead Letter Queue Topic Name", Doc: "The topic for records that failed; none if it is empty."},
		config.Key{Name: "errors.deadletterqueue.topic.replication.factor", Type: config.Short, Default: 3, Importance: config.Medium, Width: config.WidthMedium, Display: "Dead Letter Queue Topic Replication Factor", Doc: "The replication factor with which that topic is made if it does not exist."},
		config.Key{Name: "errors.deadletterqueue.context.headers.enable", Type: config.Boolean, Default: false, Importance: config.Medium, Width: config.WidthMedium, Display: "Enable Error Context Headers", Doc: "Whether records in that topic have headers that tell what happened."},
	)
}

func sinkKeys() []config.Key {
	topics := grouped(commonGroup, 3,
		config.Key{Name: "topics", Type: config.List, Default: []string{}, Validator: config.FilledElements, Importance: config.High, Width: config.WidthLong, Display: "Topics", Doc: "The topics to read. Either these or topics.regex."})
	regex := grouped(commonGroup, 3,
		config.Key{Name: "topics.regex", Type: config.String, Default: "", Validator: config.Check(checkTopicsRegex), Importance: config.High, Width: config.WidthLong, Display: "Topics regex", Doc: "A Java regular expression for the topics to read. Either this or topics."})
	return append(append(topics, regex...), deadLetterKeys()...)
}

func checkTopicsRegex(name string, value any) error {
	s, ok := value.(string)
	if !ok {
		return config.Invalid(name, value, "Invalid regex: it is null")
	}
	_, err := TopicsRegex(s)
	return err
}

// TopicsRegex is topics.regex for package regexp, which the consumer finds topics by.
func TopicsRegex(java string) (string, error) {
	r, err := jtext.CompileRegex(java)
	if err != nil {
		return "", config.Invalid("topics.regex", java, "Invalid regex: "+err.Error())
	}
	pattern, ok := r.Linear()
	if !ok {
		return "", config.Invalid("topics.regex", java,
			"Invalid regex: lookahead, lookbehind, backreferences and possessive quantifiers are not supported for topics; name the topics in 'topics'")
	}
	return pattern, nil
}

func sourceKeys() []config.Key {
	keys := grouped(topicCreationGroup, 0, aliasKey("topic.creation.groups", "Topic Creation Groups", "Names of groups of settings by which topics are made."))
	keys = append(keys, grouped(
		exactlyOnceGroup, 1,
		config.Key{Name: "exactly.once.support", Type: config.String, Default: "requested", Validator: config.OneOfFold("REQUIRED", "REQUESTED"), Importance: config.Medium, Width: config.WidthShort, Display: "Exactly once support", Doc: "required: the connector is refused unless it can deliver exactly once. requested: it does if it can."},
		config.Key{Name: "transaction.boundary", Type: config.String, Default: "poll", Validator: config.OneOfFold("INTERVAL", "POLL", "CONNECTOR"), Importance: config.Medium, Width: config.WidthShort, Display: "Transaction Boundary", Doc: "When transactions are committed: poll, after each batch; interval, by time; connector, as the connector says."},
		config.Key{Name: "transaction.boundary.interval.ms", Type: config.Long, Nullable: true, Validator: config.Check(notNegative), Importance: config.Low, Width: config.WidthShort, Display: "Transaction boundary interval", Doc: "The time between two commits if transaction.boundary is interval; the worker's offset.flush.interval.ms if it is not set."},
	)...)
	return append(keys, grouped(
		offsetsGroup, 0,
		config.Key{Name: "offsets.storage.topic", Type: config.String, Nullable: true, Validator: config.NonEmpty, Importance: config.Low, Width: config.WidthLong, Display: "Offsets topic", Doc: "A topic of its own for the connector's offsets; the worker's if it is not set."},
	)...)
}

func notNegative(name string, value any) error {
	if value == nil {
		return nil
	}
	return config.AtLeast(0)(name, value)
}

// everyKind is for a class that may be anything.
var everyKind = []connectors.Kind{
	connectors.KindSource, connectors.KindSink, connectors.KindConverter, connectors.KindHeaderConverter, connectors.KindTransformation,
	connectors.KindPredicate,
}

// find finds a plugin of a kind, with the complaint that Kafka has about the class of a setting.
func (d *Defs) find(key, class string, kind connectors.Kind) (connectors.Plugin, error) {
	p, err := d.plugins.Find(class, kind)
	if err == nil || !errors.Is(err, connectors.ErrUnknownPlugin) {
		return p, err
	}
	if other, err := d.plugins.Find(class, everyKind...); err == nil {
		return p, config.Exception("Class class " + other.Class + " does not implement the " + interfaceOf(kind) + " interface")
	}
	var sides []string
	for _, q := range d.plugins.List(kind) {
		if strings.HasPrefix(q.Class, class+"$") || strings.HasPrefix(q.SimpleName(), class+"$") {
			sides = append(sides, q.Class)
		}
	}
	if len(sides) > 0 {
		return p, config.Exception("This class is abstract and cannot be created. Did you mean " + strings.Join(sides, ", ") + "?")
	}
	return p, config.Invalid(key, class, "Class "+class+" could not be found.")
}

func interfaceOf(kind connectors.Kind) string {
	switch kind {
	case connectors.KindConverter:
		return "Converter"
	case connectors.KindHeaderConverter:
		return "HeaderConverter"
	case connectors.KindTransformation:
		return "Transformation"
	}
	return "Predicate"
}

// class refuses what is no plugin of the kind.
func (d *Defs) class(kind connectors.Kind) config.Check {
	return func(name string, value any) error {
		s, ok := value.(string)
		if !ok {
			return nil
		}
		_, err := d.find(name, s, kind)
		return err
	}
}

// recommended are the plugins of a kind.
type recommended struct {
	plugins *connectors.Plugins
	kind    connectors.Kind
}

func (d *Defs) recommend(kind connectors.Kind) config.Recommender {
	return recommended{d.plugins, kind}
}

// ValidValues are the classes.
func (r recommended) ValidValues(string, config.Values) []string {
	var out []string
	for _, p := range r.plugins.List(r.kind) {
		out = append(out, p.Class)
	}
	slices.Sort(out)
	return out
}

// Visible is always true.
func (recommended) Visible(string, config.Values) bool { return true }
