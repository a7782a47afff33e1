// Command connect is a module of plugins of Connect in Go: since parses times, mask is the twin of Kafka's MaskField for
// the benchmark, csv is a converter, number one of headers, poll is a source, webhook is a sink.
package main

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	wasmstream "github.com/wasmstream/wasmstream/guest-sdk/go"
)

func init() {
	wasmstream.Module("connect-go", "1.0.0")
	wasmstream.Transform("timestamp", newTimestamp, wasmstream.Description("takes a record's timestamp from a text in its value"),
		wasmstream.Settings(wasmstream.Setting{Name: "field", Doc: "The field with the time, as 2026-11-23T10:15:00Z."}))
	wasmstream.Transform("mask", newMask, wasmstream.Wants(wasmstream.Value), wasmstream.Description("empties a text"),
		wasmstream.Settings(wasmstream.Setting{Name: "field", Doc: "The field whose text is emptied."}))
	wasmstream.Convert("csv", newCSV, wasmstream.Description("lines of comma-separated values as structs of strings"),
		wasmstream.Settings(wasmstream.Setting{Name: "columns", Type: "LIST", Doc: "The names of the columns."}))
	wasmstream.ConvertHeader("number", func(*wasmstream.Context) (wasmstream.Converter, error) { return number{}, nil },
		wasmstream.Description("headers of decimal numbers as INT64"))
	wasmstream.Source("poll", newPoll, wasmstream.Description("polls a URL for lines behind the last one seen"),
		wasmstream.Settings(
			wasmstream.Setting{Name: "url", Doc: "What is asked for; the number of lines seen is added as ?after=N. wasm.egress.allow of the worker must allow it."},
			wasmstream.Setting{Name: "topic", Doc: "The topic that the lines go to."},
			wasmstream.Setting{Name: "token", Type: "PASSWORD", Optional: true, Doc: "A bearer token."},
		))
	wasmstream.Sink("webhook", newWebhook, wasmstream.Description("posts records to a URL"),
		wasmstream.Settings(
			wasmstream.Setting{Name: "url", Doc: "Where records are posted to; wasm.egress.allow of the worker must allow it."},
			wasmstream.Setting{Name: "token", Type: "PASSWORD", Optional: true, Doc: "A bearer token."},
		))
}

func main() {}

func newTimestamp(ctx *wasmstream.Context) (func(r *wasmstream.ConnectRecord) error, error) {
	field, _ := ctx.Config("field")
	return func(r *wasmstream.ConnectRecord) error {
		at, err := time.Parse(time.RFC3339, r.Value().Field(field).Str())
		if err != nil {
			return wasmstream.DeadLetter(errors.New(field + " is no time"))
		}
		r.SetTimestamp(at.UnixMilli())
		return nil
	}, nil
}

func newMask(ctx *wasmstream.Context) (func(r *wasmstream.ConnectRecord) error, error) {
	field, _ := ctx.Config("field")
	return func(r *wasmstream.ConnectRecord) error {
		if w := r.SetField(field); w != nil {
			w.String("")
		}
		return nil
	}, nil
}

// csv converts lines without quotes: values must not have commas.
type csv struct {
	schema *wasmstream.Schema
	line   []byte
}

func newCSV(ctx *wasmstream.Context) (wasmstream.Converter, error) {
	columns, _ := ctx.Config("columns")
	var fields []wasmstream.Field
	for name := range strings.SplitSeq(columns, ",") {
		fields = append(fields, wasmstream.Field{Name: name, Schema: wasmstream.Primitive(wasmstream.TypeString, true)})
	}
	return &csv{schema: wasmstream.StructSchema("row", fields...)}, nil
}

// ToConnect reads a line; columns that it lacks are null.
func (c *csv) ToConnect(_ string, b []byte, w *wasmstream.Writer) error {
	if b == nil {
		return nil
	}
	if !utf8.Valid(b) {
		return errors.New("the line is not UTF-8")
	}
	w.Reset(c.schema)
	w.Struct(c.schema)
	for n := 0; len(b) > 0 || n == 0; n++ {
		if n == len(c.schema.Fields) {
			return errors.New("the line has more than " + strconv.Itoa(n) + " columns")
		}
		var value []byte
		value, b, _ = bytes.Cut(b, []byte{','})
		w.Text(value)
	}
	return nil
}

// FromConnect writes a line.
func (c *csv) FromConnect(_ string, d wasmstream.Datum) ([]byte, error) {
	if d.IsNull() {
		return nil, nil
	}
	c.line = c.line[:0]
	for i, f := range c.schema.Fields {
		if i > 0 {
			c.line = append(c.line, ',')
		}
		v := d.Field(f.Name)
		if strings.Contains(v.Str(), ",") {
			return nil, errors.New("column " + f.Name + " has a comma")
		}
		c.line = append(c.line, v.Bytes()...)
	}
	return c.line, nil
}

// number converts headers.
type number struct{}

// ToConnect reads a number; name is that of the header.
func (number) ToConnect(name string, b []byte, w *wasmstream.Writer) error {
	if b == nil {
		return nil
	}
	n, err := strconv.ParseInt(string(b), 10, 64)
	if err != nil {
		return errors.New("header " + name + " is no number")
	}
	w.Reset(wasmstream.Primitive(wasmstream.TypeInt64, false))
	w.Int64(n)
	return nil
}

// FromConnect writes a number.
func (number) FromConnect(name string, d wasmstream.Datum) ([]byte, error) {
	switch t := d.Type(); {
	case t == wasmstream.TypeNull:
		return nil, nil
	case t >= wasmstream.TypeInt8 && t <= wasmstream.TypeInt64:
		return strconv.AppendInt(nil, d.Int(), 10), nil
	}
	return nil, errors.New("header " + name + " is no number")
}

// poll asks a server for the lines that come after those that it has seen.
type poll struct {
	url, topic string
	headers    []string
	seen       int64
}

func newPoll(ctx *wasmstream.Context) (wasmstream.SourceTask, error) {
	p := new(poll)
	p.url, _ = ctx.Config("url")
	p.topic, _ = ctx.Config("topic")
	p.headers = bearer(ctx)
	last, err := ctx.Offset(p.partition)
	if err != nil && !errors.Is(err, wasmstream.ErrDenied) { // denied where only the settings are tried
		return nil, err
	}
	p.seen = last.Field("line").Int()
	return p, nil
}

func (p *poll) partition(w *wasmstream.Writer) {
	w.Map(1)
	w.String("url")
	w.String(p.url)
}

// Poll implements wasmstream.SourceTask.
func (p *poll) Poll(_ *wasmstream.Context, batch *wasmstream.Records, budget int) error {
	resp, err := ask(&wasmstream.Request{Method: "GET", URL: p.url + "?after=" + strconv.FormatInt(p.seen, 10), Headers: p.headers}, errors.New)
	if err != nil {
		return err
	}
	for n := 0; n < budget && len(resp.Body) > 0; n++ {
		line, rest, whole := bytes.Cut(resp.Body, []byte{'\n'})
		if !whole {
			break // the rest of it comes with the next poll
		}
		resp.Body = rest
		p.seen++
		batch.Begin(p.topic)
		batch.Value(wasmstream.Primitive(wasmstream.TypeString, false)).Text(line)
		p.partition(batch.Partition())
		offset := batch.Offset()
		offset.Map(1)
		offset.String("line")
		offset.Int64(p.seen)
		batch.End()
	}
	return nil
}

// webhook posts each record, text, to a URL. What the server refuses goes to the dead letters; what it cannot take now comes
// again.
type webhook struct {
	url     string
	headers []string
}

func newWebhook(ctx *wasmstream.Context) (wasmstream.SinkTask, error) {
	h := &webhook{headers: append(bearer(ctx), "Content-Type", "application/json")}
	h.url, _ = ctx.Config("url")
	return h, nil
}

// Put implements wasmstream.SinkTask.
func (h *webhook) Put(_ *wasmstream.Context, r *wasmstream.ConnectRecord) error {
	refused := func(text string) error { return wasmstream.DeadLetter(errors.New(text)) }
	if r.Value().Type() != wasmstream.TypeString {
		return refused("the value is no text")
	}
	_, err := ask(&wasmstream.Request{Method: "POST", URL: h.url, Headers: h.headers, Body: r.Value().Bytes()}, refused)
	return err
}

// bearer is the header that carries the token, if there is one.
func bearer(ctx *wasmstream.Context) []string {
	if token, ok := ctx.Config("token"); ok {
		return []string{"Authorization", "Bearer " + token}
	}
	return nil
}

// ask sends a request. What may pass by is to be tried again; refused makes an error of an answer that will not.
func ask(q *wasmstream.Request, refused func(text string) error) (*wasmstream.Response, error) {
	resp, err := wasmstream.HTTP(q)
	switch {
	case errors.Is(err, wasmstream.ErrRetry):
		return nil, wasmstream.Retry(errors.New(q.URL + " does not answer"))
	case err != nil:
		return nil, errors.New(q.URL + ": " + err.Error())
	case resp.Status == 429 || resp.Status >= 500:
		return nil, wasmstream.Retry(errors.New(q.URL + " answers " + strconv.Itoa(resp.Status)))
	case resp.Status/100 != 2:
		return nil, refused(q.URL + " answers " + strconv.Itoa(resp.Status))
	}
	return resp, nil
}
