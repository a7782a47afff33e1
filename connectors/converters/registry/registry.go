// Package registry holds converters whose schemas lie in a schema registry of Confluent's kind: Avro, JSON Schema and Protobuf.
//
// A message is a zero byte, the schema's id in four bytes, in Protobuf which message of the schema it is, and the data. With a one
// in front the id is a GUID of 16 bytes; that, and which message it is, may stand in a header instead.
package registry

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

// client registers and finds schemas, each once. It belongs to one goroutine.
type client struct {
	servers  []*sr.Client // one registry, by each of its addresses
	at       int          // the one that answered last
	kind     sr.SchemaType
	strategy string
	suffix   string
	header   string // of records, for ids
	inHeader bool   // ids are written there, not in front of the data
	auto     bool
	latest   bool
	strict   bool
	most     int // schemas that are remembered
	ids      map[subjectSchema]registered
	texts    map[subjectText]registered
	known    map[identity]registered
}

type subjectSchema struct {
	subject string
	schema  *data.Schema
}

type subjectText struct{ subject, text string }

// registered is a schema that the registry knows: what it is known by, its text and those that it refers to, each behind those that it refers
// to itself.
type registered struct {
	identity
	text       string
	references []reference
}

// reference is a schema by the name under which another refers to it: a full name in Avro, a path in Protobuf, a URI in JSON
// Schema.
type reference struct{ name, text string }

func clientKeys() []config.Key {
	const strategies = "TopicNameStrategy, RecordNameStrategy or TopicRecordNameStrategy, with or without a package."
	return append(reachKeys(), []config.Key{
		{Name: "schema.registry.url", Type: config.List, Validator: config.FilledList, Importance: config.High, Doc: "The addresses of the schema registry."},
		{Name: "auto.register.schemas", Type: config.Boolean, Default: true, Importance: config.Medium, Doc: "Whether schemas that the registry does not know are registered."},
		{Name: "use.latest.version", Type: config.Boolean, Default: false, Importance: config.Low, Doc: "Whether data is written with the newest schema of its subject. Only without auto.register.schemas."},
		{Name: "normalize.schemas", Type: config.Boolean, Default: false, Importance: config.Medium, Doc: "Whether the registry normalises schemas."},
		{Name: "key.subject.name.strategy", Type: config.String, Default: "TopicNameStrategy", Validator: config.Check(checkStrategy), Importance: config.Medium, Doc: "The subject of keys: " + strategies},
		{Name: "value.subject.name.strategy", Type: config.String, Default: "TopicNameStrategy", Validator: config.Check(checkStrategy), Importance: config.Medium, Doc: "The subject of values: " + strategies},
		{Name: "latest.compatibility.strict", Type: config.Boolean, Default: true, Importance: config.Low, Doc: "Whether data whose schema the newest one cannot read is refused, with use.latest.version. Avro only."},
		{Name: "key.schema.id.serializer", Type: config.Class, Default: prefixSerializer, Validator: config.Check(checkSerializer), Importance: config.Low, Doc: "Where the ids of keys are written: PrefixSchemaIdSerializer, in front of the data, or HeaderSchemaIdSerializer, in a header."},
		{Name: "value.schema.id.serializer", Type: config.Class, Default: prefixSerializer, Validator: config.Check(checkSerializer), Importance: config.Low, Doc: "The same for values."},
		{Name: "schemas.cache.config", Type: config.Int, Default: 1000, Validator: config.AtLeast(1), Importance: config.Low, Doc: "How many schemas are remembered."},
	}...)
}

func flag(name string, def bool, doc string) config.Key {
	return config.Key{Name: name, Type: config.Boolean, Default: def, Importance: config.Low, Doc: doc}
}

// refused is a setting of Confluent's that changes what is written or read, of which only the default is done here: taking the other
// value without doing it would change data without telling.
func refused(name string, def bool) config.Key {
	k := flag(name, def, "Only "+strconv.FormatBool(def)+" is done here.")
	k.Validator = config.Check(func(name string, value any) error {
		if value == def || value == nil {
			return nil
		}
		return config.Invalid(name, value, "only "+strconv.FormatBool(def)+" is done here")
	})
	return k
}

func strategyName(s string) string { return s[strings.LastIndexByte(s, '.')+1:] }

func checkStrategy(name string, value any) error {
	s, _ := value.(string)
	switch strategyName(s) {
	case "TopicNameStrategy", "RecordNameStrategy", "TopicRecordNameStrategy":
		return nil
	}
	return config.Invalid(name, value, "a strategy is TopicNameStrategy, RecordNameStrategy or TopicRecordNameStrategy")
}

func newClient(v config.Values, kind sr.SchemaType, isKey bool) (*client, error) {
	side, suffix := "value.", "-value"
	if isKey {
		side, suffix = "key.", "-key"
	}
	c := &client{
		kind: kind, suffix: suffix, strategy: strategyName(v.String(side + "subject.name.strategy")),
		inHeader: strategyName(v.String(side+"schema.id.serializer")) == headerSerializer, header: connectors.SchemaIDHeader(isKey),
		auto: v.Bool("auto.register.schemas"), latest: v.Bool("use.latest.version"), strict: v.Bool("latest.compatibility.strict"),
		most: v.Int("schemas.cache.config"), ids: map[subjectSchema]registered{}, texts: map[subjectText]registered{}, known: map[identity]registered{},
	}
	var err error
	c.servers, err = reach(v)
	return c, err
}

func (c *client) subject(topic, record string) (string, error) {
	switch {
	case c.strategy == "TopicNameStrategy":
		return topic + c.suffix, nil
	case record == "":
		return "", fault.Data.New("The subject name strategy " + c.strategy + " needs a schema with a name")
	case c.strategy == "RecordNameStrategy":
		return record, nil
	}
	return topic + "-" + record, nil
}

// find is the schema in the registry for data of a schema whose text write makes.
func (c *client) find(topic string, schema *data.Schema, write func() (string, error)) (registered, error) {
	subject, err := c.subject(topic, schema.Name())
	if err != nil {
		return registered{}, err
	}
	at := subjectSchema{subject, schema}
	if r, ok := c.ids[at]; ok {
		return r, nil
	}
	r, err := c.ask(subject, write)
	if err != nil {
		return registered{}, err
	}
	remember(c.ids, at, r, c.most)
	return r, nil
}

// remember puts an entry into a map of so many entries at most. A full one is emptied: it fills again with what is needed now.
func remember[K comparable, V any](m map[K]V, key K, value V, most int) {
	if len(m) >= most {
		clear(m)
	}
	m[key] = value
}

// ask finds or registers a schema: the newest of the subject, or the one that write makes.
func (c *client) ask(subject string, write func() (string, error)) (registered, error) {
	if c.latest && !c.auto {
		return c.newest(subject, write)
	}
	text, err := write()
	if err != nil {
		return registered{}, err
	}
	at := subjectText{subject, text}
	if r, ok := c.texts[at]; ok { // the schema is another object of the same content
		return r, nil
	}
	found, err := c.registerOrFind(subject, sr.Schema{Schema: text, Type: c.kind})
	if err != nil {
		return registered{}, err
	}
	r := registered{identity: identity{id: found.ID}, text: text}
	if c.inHeader {
		if r.guid, err = parseGUID(found.GUID); err != nil {
			return registered{}, err
		}
	}
	remember(c.texts, at, r, c.most)
	return r, nil
}

// registerOrFind gives the registry a schema, or asks for it. A registry that does not tell the GUID of what it was given is asked for it.
func (c *client) registerOrFind(subject string, s sr.Schema) (found sr.SubjectSchema, err error) {
	if c.auto {
		err = c.try("registering the schema of "+subject, func(ctx context.Context, server *sr.Client) error {
			return server.Do(ctx, http.MethodPost, "/subjects/"+url.PathEscape(subject)+"/versions", s, &found)
		})
		if err != nil || !c.inHeader || found.GUID != "" {
			return found, err
		}
	}
	err = c.try("finding the schema of "+subject, func(ctx context.Context, server *sr.Client) (err error) {
		found, err = server.LookupSchema(ctx, subject, s)
		return err
	})
	return found, err
}

// newest is the newest schema of a subject, which has to be able to read the data if that is asked for.
func (c *client) newest(subject string, write func() (string, error)) (registered, error) {
	found, err := c.version(subject, -1, "finding the newest schema of "+subject)
	if err != nil {
		return registered{}, err
	}
	r := registered{identity: identity{id: found.ID}, text: found.Schema.Schema}
	if c.inHeader {
		if r.guid, err = parseGUID(found.GUID); err != nil {
			return registered{}, err
		}
	}
	if r.references, err = c.resolve(found.References); err != nil || !c.strict || c.kind != sr.TypeAvro {
		return r, err
	}
	text, err := write()
	if err != nil {
		return registered{}, err
	}
	return r, checkReadable(subject, text, r)
}

func (c *client) version(subject string, version int, doing string) (found sr.SubjectSchema, err error) {
	err = c.try(doing, func(ctx context.Context, server *sr.Client) (err error) {
		found, err = server.SchemaByVersion(ctx, subject, version)
		return err
	})
	return found, err
}

// schema is the schema of an id.
func (c *client) schema(id identity) (registered, error) {
	if r, ok := c.known[id]; ok {
		return r, nil
	}
	var s sr.Schema
	err := c.try("finding a schema", func(ctx context.Context, server *sr.Client) (err error) {
		if id.guid == (guid{}) {
			s, err = server.SchemaByID(ctx, id.id)
			return err
		}
		found, err := server.SchemaByGUID(ctx, id.guid.String())
		s = found.Schema
		return err
	})
	if err != nil {
		return registered{}, err
	}
	if s.Type != c.kind {
		return registered{}, fault.Data.Errorf("The schema with id %s is %s, not %s", id, s.Type, c.kind)
	}
	references, err := c.resolve(s.References)
	if err != nil {
		return registered{}, err
	}
	remember(c.known, id, registered{id, s.Schema, references}, c.most)
	return c.known[id], nil
}

// maxReferences bounds the schemas that one refers to.
const maxReferences = 100

// resolve finds the schemas that a schema refers to, and those that they refer to.
func (c *client) resolve(references []sr.SchemaReference) ([]reference, error) {
	r := resolver{client: c, seen: map[string]bool{}}
	err := r.add(references)
	return r.found, err
}

// resolver gathers the schemas that one refers to.
type resolver struct {
	client *client
	seen   map[string]bool
	found  []reference
}

func (r *resolver) add(references []sr.SchemaReference) error {
	for _, to := range references {
		if r.seen[to.Name] {
			continue
		}
		if len(r.seen) >= maxReferences {
			return fault.Data.Errorf("A schema refers to more than %d others", maxReferences)
		}
		r.seen[to.Name] = true
		s, err := r.client.version(to.Subject, to.Version, "finding the schema "+to.Name)
		if err != nil {
			return err
		}
		if err := r.add(s.References); err != nil {
			return err
		}
		r.found = append(r.found, reference{to.Name, s.Schema.Schema})
	}
	return nil
}
