package transforms

import (
	"errors"
	"math"
	"strings"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
	"github.com/wasmstream/wasmstream/connectors/jtext"
)

// TimestampConverter turns timestamps from one form into another: text, Unix time, Date, Time, Timestamp.
type TimestampConverter struct {
	closer
	side side
	conv stamper
	ed   *editor // nil for the whole value
}

const stampPurpose = "converting timestamp formats"

// ConfigDef defines field, target.type, format and unix.precision.
func (*TimestampConverter) ConfigDef() *config.Def {
	return config.NewDef(
		config.Key{Name: "field", Type: config.String, Default: "", Importance: config.High, Doc: "The field with the timestamp; nothing, if it is the whole key or value."},
		config.Key{Name: "target.type", Type: config.String, Validator: config.OneOf("string", "unix", "Date", "Time", "Timestamp"), Importance: config.High, Doc: "What it becomes: string, unix, Date, Time or Timestamp."},
		config.Key{Name: "format", Type: config.String, Default: "", Importance: config.Medium, Doc: "The form of timestamps that are strings, before or after, as java.text.SimpleDateFormat has it."},
		config.Key{Name: "unix.precision", Type: config.String, Default: "milliseconds", Validator: config.OneOf("nanoseconds", "microseconds", "milliseconds", "seconds"), Importance: config.Low, Doc: "What Unix time counts: seconds, milliseconds, microseconds or nanoseconds. What is finer than a millisecond is lost."},
		replaceNullKey(), pathsKey(),
	)
}

// Configure reads the settings.
func (t *TimestampConverter) Configure(props config.Props) error {
	v, err := t.ConfigDef().Parse(props)
	if err != nil {
		return err
	}
	t.conv = stamper{to: v.String("target.type"), precision: v.String("unix.precision")}
	pattern := v.String("format")
	if t.conv.to == "string" && strings.TrimSpace(pattern) == "" {
		return config.At("format", config.Exception("TimestampConverter requires format option to be specified when using string timestamps"))
	}
	if strings.TrimSpace(pattern) != "" {
		if t.conv.format, err = jtext.NewDateFormat(pattern); err != nil {
			return config.At("format",
				fault.Config.New("TimestampConverter requires a SimpleDateFormat-compatible pattern for string timestamps: "+pattern).Because(err))
		}
	}
	if v.String("field") == "" {
		return nil
	}
	p, err := pathAt("field", v.String("field"), v)
	if err != nil {
		return err
	}
	root := &edit{}
	node := root.at(p.Steps)
	node.mapper = &t.conv
	t.ed = &editor{edit: root, keep: keepOptional, defaults: v.Bool(replaceNull), purpose: stampPurpose}
	return nil
}

// Apply converts; null stays null, with the schema of the new form.
func (t *TimestampConverter) Apply(r *connectors.Record) (bool, error) {
	return t.ApplyDraft(r, &connectors.Draft{})
}

// ApplyDraft implements connectors.DraftTransformation.
func (t *TimestampConverter) ApplyDraft(r *connectors.Record, d *connectors.Draft) (bool, error) {
	sv := t.side.of(r)
	if t.ed != nil {
		if !sv.Value.IsNull() {
			return true, t.ed.change(sv, nil, t.side.draft(d))
		}
		if sv.Schema == nil {
			return true, nil
		}
		if sv.Schema.Type() != data.TypeStruct {
			return true, fault.Data.New("Cannot list fields on non-struct type")
		}
		p, err := t.ed.planFor(sv.Schema)
		if err == nil {
			sv.Schema = p.to
		}
		return true, err
	}
	from := sv.Schema
	if from != nil {
		if !isStamp(from) {
			return true, unknownStamp(from)
		}
		to, err := t.conv.mapSchema(from)
		if err != nil {
			return true, err
		}
		sv.Schema = to
	}
	v, err := t.conv.mapValue(from, sv.Value)
	sv.Value = v
	return true, err
}

// stamper converts one timestamp.
type stamper struct {
	to, precision string
	format        *jtext.DateFormat
}

func (c *stamper) mapSchema(s *data.Schema) (*data.Schema, error) {
	schemas := map[string][2]*data.Schema{
		"string": {data.StringSchema, data.OptionalStringSchema}, "unix": {data.Int64Schema, data.OptionalInt64Schema},
		"Date": {data.DateSchema, data.OptionalDateSchema}, "Time": {data.TimeSchema, data.OptionalTimeSchema},
		"Timestamp": {data.TimestampSchema, data.OptionalTimestampSchema},
	}[c.to]
	if s.Optional() {
		return schemas[1], nil
	}
	return schemas[0], nil
}

func (c *stamper) mapValue(s *data.Schema, v data.Value) (data.Value, error) {
	if s != nil && !isStamp(s) {
		return v, unknownStamp(s)
	}
	if v.IsNull() {
		return v, nil
	}
	ms, err := c.millis(s, v)
	if err != nil {
		return v, err
	}
	switch c.to {
	case "string":
		return data.StringValue(c.format.Format(ms)), nil
	case "unix":
		return data.Int64Value(c.unix(ms)), nil
	case "Date":
		return data.DateValue(floorDiv(ms, data.MillisPerDay) * data.MillisPerDay), nil
	case "Time":
		return data.DateValue(ms - floorDiv(ms, data.MillisPerDay)*data.MillisPerDay), nil
	}
	return data.DateValue(ms), nil
}

// millis reads a timestamp by its schema, or by what it is where there is none.
func (c *stamper) millis(s *data.Schema, v data.Value) (int64, error) {
	t := v.Type()
	switch {
	case s == nil:
		if t != data.TypeDate && t != data.TypeInt64 && t != data.TypeString {
			return 0, fault.Data.New("TimestampConverter does not support class " + t.JavaClass() + " objects as timestamps")
		}
	case s.IsLogical() && !s.IsDecimal():
		if t != data.TypeDate {
			return 0, fault.Data.New("Expected Timestamp to be a java.util.Date, but found class " + t.JavaClass())
		}
	case s.Type() == data.TypeString && t != data.TypeString:
		return 0, fault.Data.New("Expected string timestamp to be a String, but found class " + t.JavaClass())
	case s.Type() == data.TypeInt64 && t != data.TypeInt64:
		return 0, fault.Data.New("Expected Unix timestamp to be a Long, but found class " + t.JavaClass())
	}
	switch t {
	case data.TypeString:
		return c.parse(v.Str())
	case data.TypeInt64:
		return c.fromUnix(v.Int()), nil
	}
	return v.Millis(), nil
}

// isStamp tells whether values of a schema can be timestamps.
func isStamp(s *data.Schema) bool {
	return s.Type() == data.TypeString || s.Type() == data.TypeInt64 || s.IsLogical() && !s.IsDecimal()
}

func unknownStamp(s *data.Schema) error {
	return fault.Connect.New("Schema " + s.String() + " does not correspond to a known timestamp type format")
}

func (c *stamper) parse(text string) (int64, error) {
	if c.format == nil {
		return 0, fault.Data.New("Could not parse timestamp: value (" + text + ") is a string, but no format is configured")
	}
	ms, err := c.format.Parse(text)
	if err != nil {
		return 0, fault.Data.New("Could not parse timestamp: value (" + text + ") does not match pattern (" + c.format.Pattern() + ")").Because(err)
	}
	return ms, nil
}

// unix and fromUnix are java.util.concurrent.TimeUnit: they cut off towards zero and end at the largest numbers.

func (c *stamper) unix(ms int64) int64 {
	switch c.precision {
	case "seconds":
		return ms / 1000
	case "microseconds":
		return saturate(ms, 1000)
	case "nanoseconds":
		return saturate(ms, 1_000_000)
	}
	return ms
}

func (c *stamper) fromUnix(n int64) int64 {
	switch c.precision {
	case "seconds":
		return saturate(n, 1000)
	case "microseconds":
		return n / 1000
	case "nanoseconds":
		return n / 1_000_000
	}
	return n
}

func saturate(n, by int64) int64 {
	switch {
	case n > math.MaxInt64/by:
		return math.MaxInt64
	case n < math.MinInt64/by:
		return math.MinInt64
	}
	return n * by
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// TimestampRouter makes the topic of the topic and the timestamp.
type TimestampRouter struct {
	closer
	topic  string
	format *jtext.DateFormat
}

// ConfigDef defines topic.format and timestamp.format.
func (*TimestampRouter) ConfigDef() *config.Def {
	return config.NewDef(
		config.Key{Name: "topic.format", Type: config.String, Default: "${topic}-${timestamp}", Importance: config.High, Doc: "The new topic, with ${topic} and ${timestamp} for the old one and the time."},
		config.Key{Name: "timestamp.format", Type: config.String, Default: "yyyyMMdd", Importance: config.High, Doc: "The form of the time, as java.text.SimpleDateFormat has it."},
	)
}

// Configure reads the settings.
func (t *TimestampRouter) Configure(props config.Props) error {
	v, err := t.ConfigDef().Parse(props)
	if err != nil {
		return err
	}
	t.topic = v.String("topic.format")
	if t.format, err = jtext.NewDateFormat(v.String("timestamp.format")); err != nil {
		return config.Invalid("timestamp.format", v.String("timestamp.format"), err.Error())
	}
	return nil
}

// Apply sets the topic; a record without timestamp is a DataException.
func (t *TimestampRouter) Apply(r *connectors.Record) (bool, error) {
	if r.Timestamp == connectors.NoTimestamp {
		return true, fault.Data.New("Timestamp missing on record: topic '" + r.Topic + "'")
	}
	topic := strings.ReplaceAll(t.topic, "${topic}", r.Topic)
	r.Topic = strings.ReplaceAll(topic, "${timestamp}", t.format.Format(r.Timestamp))
	return true, nil
}

// RegexRouter changes topics that match a pattern as a whole.
type RegexRouter struct {
	closer
	regex       *jtext.Regex
	replacement string
	lastIn      string
	lastOut     string
}

// ConfigDef defines regex and replacement.
func (*RegexRouter) ConfigDef() *config.Def {
	return config.NewDef(
		config.Key{Name: "regex", Type: config.String, Validator: config.Check(checkRegex), Importance: config.High, Doc: "A Java regular expression for the whole topic."},
		config.Key{Name: "replacement", Type: config.String, Importance: config.High, Doc: "The new topic, with $1 for groups."},
	)
}

func checkRegex(name string, value any) error {
	s, _ := value.(string)
	if _, err := jtext.CompileRegex(s); err != nil {
		return config.Invalid(name, value, "Invalid regex: "+err.Error())
	}
	return nil
}

// Configure reads the settings.
func (x *RegexRouter) Configure(props config.Props) error {
	v, err := x.ConfigDef().Parse(props)
	if err != nil {
		return err
	}
	x.replacement = v.String("replacement")
	x.regex, err = jtext.CompileRegex(v.String("regex"))
	return err
}

// Apply sets the topic. A match that is given up is an error of the record.
func (x *RegexRouter) Apply(r *connectors.Record) (bool, error) {
	if r.Topic == x.lastIn && r.Topic != "" {
		r.Topic = x.lastOut
		return true, nil
	}
	matches, err := x.regex.Matches(r.Topic)
	if err != nil {
		return true, fault.Data.New(err.Error()).Because(err)
	}
	if !matches {
		x.lastIn, x.lastOut = r.Topic, r.Topic
		return true, nil
	}
	topic, err := x.regex.ReplaceFirst(r.Topic, x.replacement)
	switch {
	case errors.Is(err, jtext.ErrTooLong):
		return true, fault.Data.New(err.Error()).Because(err)
	case errors.Is(err, jtext.ErrNoGroup):
		return true, fault.IndexOutOfRange.New(err.Error())
	case err != nil:
		return true, fault.IllegalArgument.New(err.Error())
	}
	x.lastIn, x.lastOut = r.Topic, topic
	r.Topic = topic
	return true, nil
}
