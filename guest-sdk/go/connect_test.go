//go:build !wasm

package wasmstream

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// openConnect opens a component as Connect does and returns its handle.
func openConnect(t *testing.T, name, direction string, config map[string]string) int32 {
	t.Helper()
	schemas.host, schemas.guest = nil, nil
	frame := appendPair([]byte("WSO1\x00\x00\x00\x00"), []byte("component"), []byte(name))
	frame = appendPair(frame, []byte("direction"), []byte(direction))
	for k, v := range config {
		frame = appendPair(frame, []byte("config."+k), []byte(v))
	}
	h := openComponent(frame)
	if h < 0 {
		t.Fatalf("opening %s: %d %s", name, h, testHost.failure)
	}
	return h
}

func init() {
	Transform("mask-person", func(r *ConnectRecord) error {
		r.SetField("name").String("***")
		r.SetTopic("masked")
		return nil
	})
	Transform("describe", func(r *ConnectRecord) error {
		v := r.Value()
		balance := v.Field("balance")
		if balance.Schema() != nil || v.Schema().Fields[1].Schema.Name != DecimalName || v.Schema().Index("nothing") != -1 {
			return errors.New("not the schema of a person")
		}
		trace, _ := r.Header("trace")
		w := r.SetValue(Primitive(TypeString, false))
		w.String(fmt.Sprintf("%s %x/%d %d %s %s", v.Field("name").Str(), balance.Bytes(), balance.Scale(), v.Field("birthday").Int(), trace.Str(), r.Topic()))
		r.AddHeader("seen", nil, func(w *Writer) { w.Map(1); w.String("at"); w.Int64(7) })
		return nil
	})
	Transform("drop-or-fail", func(ctx *Context) (func(r *ConnectRecord) error, error) {
		how, _ := ctx.Config("how")
		if how == "" {
			return nil, errors.New("how is not set")
		}
		return func(r *ConnectRecord) error {
			if how == "drop" {
				r.Drop()
				return nil
			}
			return DeadLetter(errors.New("no " + how))
		}, nil
	}, Settings(Setting{Name: "how", Doc: "what to do"}))
	Predicate("is-kim", func(r *ConnectRecord) (bool, error) { return r.Value().Field("name").Str() == "kim", nil })
	Transform("pick", func(r *ConnectRecord) error {
		r.SetValue(nil).Copy(r.Value().Field(r.Key().Str()))
		return nil
	})
	Source("counter", func(*Context) (SourceTask, error) { return new(counter), nil })
}

type counter struct{ acked int64 }

func (c *counter) Poll(ctx *Context, batch *Records, _ int) error {
	place := func(w *Writer) { w.Map(1); w.String("file"); w.Int64(1) }
	last, err := ctx.Offset(place)
	if err != nil {
		return err
	}
	if last.Field("position").Int() == 5 {
		return Retry(errors.New("not yet"))
	}
	batch.Begin("lines")
	batch.Timestamp(1700000000000)
	batch.Value(nil).String("line")
	place(batch.Partition())
	w := batch.Offset()
	w.Map(1)
	w.String("position")
	w.Int64(5)
	batch.End()
	return nil
}

func (c *counter) Ack(_ *Context, _, offset Datum) { c.acked = offset.Field("position").Int() }

// TestConnectGoldens holds the views and the writer to the contract's frames.
func TestConnectGoldens(t *testing.T) {
	NewTestHost()
	h := openConnect(t, "mask-person", "", nil)
	got, code := processFrame(h, golden(t, "connect-input"))
	if want := golden(t, "connect-output"); code != 0 || !bytes.Equal(got, want) {
		t.Errorf("code %d, got\n%x, want\n%x", code, got, want)
	}
	h = openConnect(t, "counter", "", nil)
	got, code = poll(h, 10)
	if want := golden(t, "connect-poll"); code != 0 || !bytes.Equal(got, want) {
		t.Errorf("code %d, got\n%x, want\n%x", code, got, want)
	}
}

// datumIn is the value of the first record of an answer.
func datumIn(t *testing.T, frame []byte) (d Datum, rec Record) {
	t.Helper()
	var r frameReader
	if !r.open(frame) || !r.read(&rec) {
		t.Fatalf("no record in %x", frame)
	}
	return datumOf(rec.Value), rec
}

func TestTransformReadsAll(t *testing.T) {
	NewTestHost()
	h := openConnect(t, "describe", "", nil)
	got, code := processFrame(h, golden(t, "connect-input"))
	if code != 0 {
		t.Fatal(code)
	}
	d, rec := datumIn(t, got)
	if want := "kim 04d2/2 86400000 abc people"; d.Str() != want {
		t.Errorf("got %q, want %q", d.Str(), want)
	}
	seen, _ := rec.Headers.Last("seen")
	if rec.Headers.Len() != 2 || datumOf(seen).Field("at").Int() != 7 {
		t.Errorf("headers %d, seen %v", rec.Headers.Len(), seen)
	}
	if first, again := d.root(), func() uint32 {
		got, _ := processFrame(h, golden(t, "connect-input"))
		d, _ := datumIn(t, got)
		return d.root()
	}(); first != again || first&guestSchema == 0 || len(schemas.guest) != 1 {
		t.Errorf("a schema of the guest has the numbers %x and %x", first, again)
	}
}

func TestTransformDropsAndFails(t *testing.T) {
	NewTestHost()
	h := openConnect(t, "drop-or-fail", "", map[string]string{"how": "drop"})
	if got, code := processFrame(h, golden(t, "connect-input")); got != nil || code != 0 {
		t.Errorf("%x %d", got, code)
	}
	h = openConnect(t, "drop-or-fail", "", map[string]string{"how": "luck"})
	got, _ := processFrame(h, golden(t, "connect-input"))
	if !strings.Contains(string(got), "no luck") {
		t.Errorf("%x", got)
	}
	if code := openComponent(appendPair([]byte("WSO1\x01\x00\x00\x00"), []byte("component"), []byte("drop-or-fail"))); code != int32(ErrUnknown) || testHost.failure != "how is not set" {
		t.Errorf("%d %s", code, testHost.failure)
	}
	if m := testHost.Manifest(); !strings.Contains(m, `"config":[{"name":"how","doc":"what to do"}]`) {
		t.Error(m)
	}
}

func TestPredicate(t *testing.T) {
	NewTestHost()
	h := openConnect(t, "is-kim", "", nil)
	got, _ := processFrame(h, golden(t, "connect-input"))
	var r frameReader
	var rec Record
	if !r.open(got) || !r.read(&rec) || rec.Key != nil {
		t.Errorf("%x", got)
	}
}

func TestSourceGoesOnAndHearsAcks(t *testing.T) {
	host := NewTestHost()
	h := openConnect(t, "counter", "", nil)
	_, rec := datumIn(t, golden(t, "connect-poll"))
	host.Offsets = map[string][]byte{string(rec.second): rec.third}
	if _, code := poll(h, 10); code != int32(ErrRetry) || host.failure != "not yet" {
		t.Errorf("%d %s", code, host.failure)
	}
	if code := ack(h, golden(t, "connect-poll")); code != 0 {
		t.Error(code)
	}
	if code := ack(77, golden(t, "connect-poll")); code != int32(ErrInvalidArg) {
		t.Error(code)
	}
}

func TestHTTP(t *testing.T) {
	host := NewTestHost()
	if _, err := HTTP(&Request{Method: "GET", URL: "http://a"}); !errors.Is(err, ErrDenied) {
		t.Error(err)
	}
	host.Respond = func(r *Request) (*Response, error) {
		var h HeaderBuilder
		h.Add("etag", []byte(r.Headers[1]))
		return &Response{Status: 201, Headers: h.Headers(), Body: append(r.Body, '!')}, nil
	}
	got, err := HTTP(&Request{Method: "POST", URL: "http://a", Headers: []string{"X", "y"}, Body: []byte("hello")})
	if err != nil || got.Status != 201 || string(got.Body) != "hello!" {
		t.Fatalf("%+v %v", got, err)
	}
	if tag, _ := got.Headers.Last("etag"); string(tag) != "y" {
		t.Errorf("%s", tag)
	}
}

func TestConnectAllocatesNothing(t *testing.T) {
	NewTestHost()
	h := openConnect(t, "mask-person", "", nil)
	frame := golden(t, "connect-input")
	_, _ = processFrame(h, frame)
	// The frame carries the schemas again, as no host does: they are cut off.
	store32(ptr(frame), frameFlagsAt, 0)
	store32(ptr(frame), frameLenAt, load32(ptr(frame), frameAuxOffAt))
	frame = frame[:load32(ptr(frame), frameAuxOffAt)]
	if n := testing.AllocsPerRun(100, func() { _, _ = processFrame(h, frame) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestFieldsAreFoundByBorrowedNames: a name that was asked for lies in a frame, and the next frame has another one there.
func TestFieldsAreFoundByBorrowedNames(t *testing.T) {
	NewTestHost()
	h := openConnect(t, "pick", "", nil)
	text := Primitive(TypeString, false)
	schema := StructSchema("choice", Field{"a", text}, Field{"b", text})
	for _, which := range []string{"a", "b", "c", "a"} {
		var name, w Writer
		name.Reset(nil)
		name.String(which)
		w.Reset(schema)
		w.Struct(schema)
		w.String("the first")
		w.String("the second")
		in := connectFrame("t", &Record{Key: name.buf, Value: w.buf})
		got, code := processFrame(h, reserve(len(in))[:copy(reserve(len(in)), in)])
		if code != 0 {
			t.Fatal(code)
		}
		want := map[string]string{"a": "the first", "b": "the second"}[which]
		if d, _ := datumIn(t, got); d.Str() != want {
			t.Errorf("%s: got %q, want %q", which, d.Str(), want)
		}
	}
}
