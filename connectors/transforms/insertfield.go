package transforms

import (
	"strings"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

// InsertField puts a record's topic, partition, offset and timestamp, and a fixed text, into fields.
type InsertField struct {
	closer
	side   side
	values [5]*insertion // by source
	static data.Value
	ed     editor
}

// insertion is a field to be put.
type insertion struct {
	path     FieldPath
	optional bool
}

// Sources of the values.
const (
	fromTopic = iota
	fromPartition
	fromOffset
	fromTimestamp
	fromStatic
)

var insertionKeys = [...]string{"topic.field", "partition.field", "offset.field", "timestamp.field", "static.field"}

const fieldSuffix = " With ! behind the name it is required, with ? or nothing optional."

// ConfigDef defines a key for each source.
func (*InsertField) ConfigDef() *config.Def {
	docs := [...]string{
		"The field for the topic." + fieldSuffix, "The field for the partition." + fieldSuffix,
		"The field for the offset; in sinks only." + fieldSuffix,
		"The field for the timestamp." + fieldSuffix, "The field for static.value." + fieldSuffix,
	}
	def := config.NewDef()
	for i, name := range insertionKeys {
		def.Define(config.Key{Name: name, Type: config.String, Nullable: true, Importance: config.Medium, Doc: docs[i]})
	}
	def.Define(config.Key{Name: "static.value", Type: config.String, Nullable: true, Importance: config.Medium, Doc: "The text for static.field."})
	return def.Define(replaceNullKey()).Define(pathsKey())
}

// Configure reads the settings.
func (f *InsertField) Configure(props config.Props) error {
	v, err := f.ConfigDef().Parse(props)
	if err != nil {
		return err
	}
	root := &edit{}
	any := false
	for i, key := range insertionKeys {
		if v.Null(key) {
			continue
		}
		any = true
		if f.values[i], err = parseInsertion(v.String(key), v.String(fieldSyntaxVersion)); err != nil {
			return config.At(key, err)
		}
		f.values[i].addTo(root, i)
	}
	if !any {
		return config.Exception("No field insertion configured")
	}
	if f.values[fromStatic] != nil && v.Null("static.value") {
		return config.Invalid("static.value", nil, "No value specified for static field: "+f.values[fromStatic].path.Text)
	}
	f.static = data.StringValue(v.String("static.value"))
	f.ed = editor{edit: root, defaults: v.Bool(replaceNull), purpose: "field insertion"}
	return nil
}

func parseInsertion(spec, version string) (*insertion, error) {
	in := &insertion{optional: true}
	name := spec
	if rest, ok := strings.CutSuffix(spec, "!"); ok {
		name, in.optional = rest, false
	} else if rest, ok := strings.CutSuffix(spec, "?"); ok {
		name = rest
	}
	var err error
	in.path, err = parsePath(name, version)
	return in, err
}

func (in *insertion) addTo(root *edit, source int) {
	schema := [...]*data.Schema{data.StringSchema, data.Int32Schema, data.Int64Schema, data.TimestampSchema, data.StringSchema}[source]
	if in.optional {
		schema = [...]*data.Schema{
			data.OptionalStringSchema, data.OptionalInt32Schema, data.OptionalInt64Schema, data.OptionalTimestampSchema, data.OptionalStringSchema,
		}[source]
	}
	node := root.at(in.path.Steps[:len(in.path.Steps)-1])
	node.adds = append(node.adds, addition{name: in.path.Name(), schema: schema, index: source})
}

// Apply inserts; a null value is left alone.
func (f *InsertField) Apply(r *connectors.Record) (bool, error) {
	return f.ApplyDraft(r, &connectors.Draft{})
}

// ApplyDraft implements connectors.DraftTransformation.
func (f *InsertField) ApplyDraft(r *connectors.Record, d *connectors.Draft) (bool, error) {
	sv := f.side.of(r)
	if sv.Value.IsNull() {
		return true, nil
	}
	if f.values[fromOffset] != nil && !r.IsSink() {
		return true, fault.Data.New("Only SinkRecord supported for [field insertion], found: org.apache.kafka.connect.source.SourceRecord")
	}
	var added [5]data.Value
	if r.Topic != "" {
		added[fromTopic] = data.StringValue(r.Topic)
	}
	if r.Partition != connectors.NoPartition {
		added[fromPartition] = data.Int32Value(r.Partition)
	}
	added[fromOffset] = data.Int64Value(r.Offset)
	if r.Timestamp != connectors.NoTimestamp {
		added[fromTimestamp] = data.Int64Value(r.Timestamp)
		if sv.Schema != nil {
			added[fromTimestamp] = data.DateValue(r.Timestamp)
		}
	}
	added[fromStatic] = f.static
	if sv.Schema != nil {
		if err := f.checkRequired(added[:]); err != nil {
			return true, err
		}
	}
	return true, f.ed.change(sv, added[:], f.side.draft(d))
}

func (f *InsertField) checkRequired(added []data.Value) error {
	for i, in := range f.values {
		if in != nil && !in.optional && added[i].IsNull() && i == fromTopic {
			return fault.Data.New("Invalid value: null used for required field: \"" + in.path.Name() + "\", schema type: STRING")
		}
	}
	return nil
}
