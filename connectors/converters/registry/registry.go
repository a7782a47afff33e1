// Package registry holds converters whose schemas lie in a schema registry of Confluent's kind: Avro, JSON Schema and Protobuf.
//
// A message is a zero byte, the schema's id in four bytes, in Protobuf which message of the schema it is, and the data.
package registry

import (
	"context"
	"encoding/binary"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

// requestTimeout bounds a request to the registry.
const requestTimeout = 30 * time.Second

// client registers and finds schemas, each once. It belongs to one goroutine.
type client struct {
	sr       *sr.Client
	kind     sr.SchemaType
	strategy string
	suffix   string
	auto     bool
	latest   bool
	ids      map[subjectSchema]registered
	known    map[int]registered
}

type subjectSchema struct {
	subject string
	schema  *data.Schema
}

// registered is a schema that the registry knows: its id, its text and those that it refers to, each behind those that it refers
// to itself.
type registered struct {
	id         int
	text       string
	references []reference
}

// reference is a schema by the name under which another refers to it: a full name in Avro, a path in Protobuf, a URI in JSON
// Schema.
type reference struct{ name, text string }

func clientKeys() []config.Key {
	const strategies = "TopicNameStrategy, RecordNameStrategy or TopicRecordNameStrategy, with or without a package."
	return []config.Key{
		{Name: "schema.registry.url", Type: config.List, Validator: config.FilledList, Importance: config.High, Doc: "The addresses of the schema registry."},
		{Name: "auto.register.schemas", Type: config.Boolean, Default: true, Importance: config.Medium, Doc: "Whether schemas that the registry does not know are registered."},
		{Name: "use.latest.version", Type: config.Boolean, Default: false, Importance: config.Low, Doc: "Whether data is written with the newest schema of its subject. Only without auto.register.schemas."},
		{Name: "normalize.schemas", Type: config.Boolean, Default: false, Importance: config.Medium, Doc: "Whether the registry normalises schemas."},
		{Name: "key.subject.name.strategy", Type: config.String, Default: "TopicNameStrategy", Validator: config.Check(checkStrategy), Importance: config.Medium, Doc: "The subject of keys: " + strategies},
		{Name: "value.subject.name.strategy", Type: config.String, Default: "TopicNameStrategy", Validator: config.Check(checkStrategy), Importance: config.Medium, Doc: "The subject of values: " + strategies},
		{Name: "basic.auth.credentials.source", Type: config.String, Default: "URL", Validator: config.OneOf("URL", "USER_INFO"), Importance: config.Medium, Doc: "Where name and password stand: in the address, or in basic.auth.user.info."},
		{Name: "basic.auth.user.info", Type: config.Password, Nullable: true, Importance: config.Medium, Doc: "Name and password, with a colon between."},
	}
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
	c := &client{
		kind: kind, suffix: "-value", strategy: strategyName(v.String("value.subject.name.strategy")),
		auto: v.Bool("auto.register.schemas"), latest: v.Bool("use.latest.version"), ids: map[subjectSchema]registered{}, known: map[int]registered{},
	}
	if isKey {
		c.suffix, c.strategy = "-key", strategyName(v.String("key.subject.name.strategy"))
	}
	opts := []sr.ClientOpt{sr.URLs(v.List("schema.registry.url")...), sr.HTTPClient(&http.Client{Timeout: requestTimeout})}
	if v.Bool("normalize.schemas") {
		opts = append(opts, sr.DefaultParams(sr.Normalize))
	}
	if user, password, ok := strings.Cut(v.Secret("basic.auth.user.info"), ":"); ok && v.String("basic.auth.credentials.source") == "USER_INFO" {
		opts = append(opts, sr.BasicAuth(user, password))
	}
	var err error
	c.sr, err = sr.NewClient(opts...)
	if err != nil {
		return nil, config.Exception("The schema registry's settings do not fit: " + config.HidePasswords(err.Error()))
	}
	return c, nil
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
	ctx, cancel := context.WithTimeout(context.Background(), requestTimeout)
	defer cancel()
	r, err := c.ask(ctx, subject, write)
	if err != nil {
		return registered{}, err
	}
	if len(c.ids) >= maxSchemas {
		clear(c.ids)
	}
	c.ids[at] = r
	return r, nil
}

// ask finds or registers a schema: the newest of the subject, or the one that write makes.
func (c *client) ask(ctx context.Context, subject string, write func() (string, error)) (registered, error) {
	if c.latest && !c.auto {
		found, err := c.sr.SchemaByVersion(ctx, subject, -1)
		if err != nil {
			return registered{}, c.failed("finding the newest schema of "+subject, err)
		}
		references, err := c.resolve(ctx, found.References)
		return registered{found.ID, found.Schema.Schema, references}, err
	}
	text, err := write()
	if err != nil {
		return registered{}, err
	}
	ask, doing := c.sr.LookupSchema, "finding the schema of "
	if c.auto {
		ask, doing = c.sr.CreateSchema, "registering the schema of "
	}
	found, err := ask(ctx, subject, sr.Schema{Schema: text, Type: c.kind})
	if err != nil {
		return registered{}, c.failed(doing+subject, err)
	}
	return registered{id: found.ID, text: text}, nil
}

// maxSchemas bounds what is remembered.
const maxSchemas = 1000

// schema is the schema of an id.
func (c *client) schema(id int) (registered, error) {
	if r, ok := c.known[id]; ok {
		return r, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), requestTimeout)
	defer cancel()
	s, err := c.sr.SchemaByID(ctx, id)
	if err != nil {
		return registered{}, c.failed("finding a schema", err)
	}
	if s.Type != c.kind {
		return registered{}, fault.Data.Errorf("The schema with id %d is %s, not %s", id, s.Type, c.kind)
	}
	references, err := c.resolve(ctx, s.References)
	if err != nil {
		return registered{}, err
	}
	if len(c.known) >= maxSchemas {
		clear(c.known)
	}
	c.known[id] = registered{id, s.Schema, references}
	return c.known[id], nil
}

// maxReferences bounds the schemas that one refers to.
const maxReferences = 100

// resolve finds the schemas that a schema refers to, and those that they refer to.
func (c *client) resolve(ctx context.Context, references []sr.SchemaReference) ([]reference, error) {
	r := resolver{client: c, seen: map[string]bool{}}
	err := r.add(ctx, references)
	return r.found, err
}

// resolver gathers the schemas that one refers to.
type resolver struct {
	client *client
	seen   map[string]bool
	found  []reference
}

func (r *resolver) add(ctx context.Context, references []sr.SchemaReference) error {
	for _, to := range references {
		if r.seen[to.Name] {
			continue
		}
		if len(r.seen) >= maxReferences {
			return fault.Data.Errorf("A schema refers to more than %d others", maxReferences)
		}
		r.seen[to.Name] = true
		s, err := r.client.sr.SchemaByVersion(ctx, to.Subject, to.Version)
		if err != nil {
			return r.client.failed("finding the schema "+to.Name, err)
		}
		if err := r.add(ctx, s.References); err != nil {
			return err
		}
		r.found = append(r.found, reference{to.Name, s.Schema.Schema})
	}
	return nil
}

// failed sorts errors: what the registry says about the request is a DataException, all else is worth another try.
func (c *client) failed(doing string, err error) error {
	var answer *sr.ResponseError
	said := errors.New(config.HidePasswords(err.Error())) // sr quotes the address, and that may have the password in it
	if errors.As(err, &answer) && answer.StatusCode < 500 {
		return fault.Data.Errorf("%s: %w", doing, said)
	}
	return fault.Retriable.Errorf("%s: %w", doing, said)
}

// appendHeader begins a message.
func appendHeader(dst []byte, id int) []byte {
	return binary.BigEndian.AppendUint32(append(dst, 0), uint32(id))
}

// cutHeader takes a message apart.
func cutHeader(b []byte) (id int, rest []byte, err error) {
	if len(b) < 5 || b[0] != 0 {
		return 0, nil, fault.Data.New("Unknown magic byte: the message was not written with a schema registry").
			Because(fault.Serialization.New("Unknown magic byte!"))
	}
	return int(binary.BigEndian.Uint32(b[1:])), b[5:], nil
}
