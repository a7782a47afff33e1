// Package oracle_test compares what this module makes of values, JSON, dates, patterns and transformations with what Kafka 4.3.1
// made of the same inputs. Its answers lie in testdata, each beside its question; Oracle.java, which gave them, lies there too:
//
//	zcat testdata/answers.jsonl.gz | java -Duser.timezone=UTC -Duser.language=en -cp 'LIBS/*' testdata/Oracle.java
package oracle_test

import (
	"bufio"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/builtin"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
	"github.com/wasmstream/wasmstream/connectors/jtext"
)

// question is one line of the answers.
type question struct {
	Op          string
	In          string
	To          string
	Raw         bool
	Schemas     string
	Decimal     string
	Replace     string
	Format      string
	Ms          *int64
	Pattern     string
	Replacement string
	Class       string
	Config      map[string]*string
	Key, Value  *string
	Headers     [][2]string
	Ts          *int64
	Topic       *string
	Answer      map[string]any
}

func TestAnswers(t *testing.T) {
	file, err := os.Open("testdata/answers.jsonl.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	zipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(zipped)
	lines.Buffer(nil, 1<<20)
	asked, different := 0, 0
	for lines.Scan() {
		var q question
		if err := json.Unmarshal(lines.Bytes(), &q); err != nil {
			t.Fatal(err)
		}
		asked++
		for _, part := range []string{"out", "key", "value"} {
			if out, ok := q.Answer[part].(map[string]any); ok && out["class"] == "java.util.LinkedHashMap" {
				out["class"] = "java.util.HashMap"
			}
		}
		got, err := answer(&q)
		if err != nil {
			got = map[string]any{"error": fault.ClassOf(err).SimpleName(), "message": err.Error()}
		}
		if why := differs(&q, got); why != "" && !deliberate(&q, got) {
			if different++; different <= 40 {
				t.Errorf("%s\n%s", lines.Text(), why)
			}
		}
	}
	if asked < 11000 || different > 0 {
		t.Errorf("%d questions, %d answers differ", asked, different)
	}
}

// differs compares answers. Of errors only the class is compared, and of those that Java throws by accident not even that.
func differs(q *question, got map[string]any) string {
	want := q.Answer
	if want["error"] != nil && got["error"] != nil {
		if library[q.Op] || accidents[want["error"].(string)] || want["error"] == got["error"] {
			return ""
		}
		return fmt.Sprintf("a %s (%s), not a %s", got["error"], got["message"], want["error"])
	}
	if want["error"] != nil || got["error"] != nil {
		return fmt.Sprintf("got %v", got)
	}
	if reflect.DeepEqual(want, got) {
		return ""
	}
	return cmp.Diff(want, got)
}

// accidents are classes of errors that nobody throws on purpose.
var accidents = map[string]bool{"NullPointerException": true, "ClassCastException": true, "ArithmeticException": true, "StackOverflowError": true}

// library are operations without a plugin around them: their errors have no class of Kafka's.
var library = map[string]bool{"date": true, "regex": true}

var plugins = sync.OnceValue(builtin.Plugins)

// envelopes reads keys and values of questions.
var envelopes = sync.OnceValue(func() connectors.Converter {
	return newConverter("JsonConverter", map[string]string{"replace.null.with.default": "false"})
})

func answer(q *question) (map[string]any, error) {
	switch q.Op {
	case "parse":
		return map[string]any{"out": show(data.ParseString(q.In))}, nil
	case "convert":
		return convert(q)
	case "json":
		return throughJSON(q)
	case "date":
		return date(q)
	case "regex":
		return regex(q)
	case "smt":
		return smt(q)
	case "strconv":
		sv, err := side(q.Value)
		if err != nil {
			return nil, err
		}
		return written(newConverter("StringConverter", nil).FromConnectData(nil, "t", nil, sv))
	case "shc":
		sv, err := side(q.Value)
		if err != nil {
			return nil, err
		}
		p, err := plugins().Find("SimpleHeaderConverter", connectors.KindHeaderConverter)
		if err != nil {
			return nil, err
		}
		return written(p.HeaderConverter().FromConnectHeader(nil, "t", "h", sv))
	}
	return nil, fmt.Errorf("an operation %q that is not known", q.Op)
}

func written(b []byte, null bool, err error) (map[string]any, error) {
	if null {
		return map[string]any{"out": nil}, err
	}
	return map[string]any{"out": string(b)}, err
}

func newConverter(name string, props map[string]string) connectors.Converter {
	p, err := plugins().Find(name, connectors.KindConverter)
	if err != nil {
		panic(err)
	}
	c := p.Converter()
	if err := c.Configure(config.PropsOf(props), false); err != nil {
		panic(err)
	}
	return c
}

func side(envelope *string) (data.SchemaAndValue, error) {
	if envelope == nil {
		return data.SchemaAndValue{}, nil
	}
	return envelopes().ToConnectData("t", nil, []byte(*envelope))
}

func convert(q *question) (map[string]any, error) {
	sv := data.ParseString(q.In)
	if q.Raw {
		sv = data.SchemaAndValue{Schema: data.StringSchema, Value: data.StringValue(q.In)}
	}
	calls := map[string]func(*data.Schema, data.Value) (data.Value, error){
		"Boolean": data.ConvertToBoolean, "Byte": data.ConvertToByte, "Short": data.ConvertToShort, "Integer": data.ConvertToInteger,
		"Long": data.ConvertToLong, "Float": data.ConvertToFloat, "Double": data.ConvertToDouble, "String": data.ConvertToString,
		"List": data.ConvertToList, "Map": data.ConvertToMap, "Date": data.ConvertToDate, "Time": data.ConvertToTime,
		"Timestamp": data.ConvertToTimestamp,
		"Decimal":   func(s *data.Schema, v data.Value) (data.Value, error) { return data.ConvertToDecimal(s, v, 1) },
	}
	v, err := calls[q.To](sv.Schema, sv.Value)
	return map[string]any{"out": show(data.SchemaAndValue{Value: v})}, err
}

func throughJSON(q *question) (map[string]any, error) {
	props := map[string]string{}
	for name, v := range map[string]string{"schemas.enable": q.Schemas, "decimal.format": q.Decimal, "replace.null.with.default": q.Replace} {
		if v != "" {
			props[name] = v
		}
	}
	c := newConverter("JsonConverter", props)
	sv, err := c.ToConnectData("t", nil, []byte(q.In))
	if err != nil {
		return nil, err
	}
	back, null, err := c.FromConnectData(nil, "t", nil, sv)
	out := map[string]any{"out": show(sv), "back": string(back)}
	if null {
		out["back"] = nil
	}
	return out, err
}

func date(q *question) (map[string]any, error) {
	f, err := jtext.NewDateFormat(q.Format)
	if err != nil {
		return nil, err
	}
	if q.Ms != nil {
		return map[string]any{"out": f.Format(*q.Ms)}, nil
	}
	ms, err := f.Parse(q.In)
	return map[string]any{"out": strconv.FormatInt(ms, 10)}, err
}

func regex(q *question) (map[string]any, error) {
	r, err := jtext.CompileRegex(q.Pattern)
	if err != nil {
		return nil, err
	}
	matches, err := r.Matches(q.In)
	if err != nil || !matches {
		return map[string]any{"matches": false}, err
	}
	out, err := r.ReplaceFirst(q.In, q.Replacement)
	return map[string]any{"matches": true, "out": out}, err
}

func smt(q *question) (map[string]any, error) {
	p, err := plugins().Find(q.Class, connectors.KindTransformation)
	if err != nil {
		return nil, err
	}
	t := p.Transformation()
	if err := t.Configure(config.Props(q.Config)); err != nil {
		return nil, err
	}
	r := connectors.Record{Topic: "t", Partition: 3, Offset: 42, Timestamp: connectors.NoTimestamp}
	if q.Topic != nil {
		r.Topic = *q.Topic
	}
	if q.Ts != nil {
		r.Timestamp = *q.Ts
	}
	for _, h := range q.Headers {
		r.Headers = r.Headers.Add(h[0], data.SchemaAndValue{Schema: data.StringSchema, Value: data.StringValue(h[1])})
	}
	if r.Key, err = side(q.Key); err != nil {
		return nil, err
	}
	if r.Value, err = side(q.Value); err != nil {
		return nil, err
	}
	keep, err := t.Apply(&r)
	if err != nil || !keep {
		return map[string]any{"dropped": true}, err
	}
	headers := []any{}
	for _, h := range r.Headers {
		headers = append(headers, []any{h.Key, show(h.Value)})
	}
	return map[string]any{"key": show(r.Key), "value": show(r.Value), "topic": r.Topic, "headers": headers}, nil
}

// show is a value as Oracle.java shows it.
func show(sv data.SchemaAndValue) map[string]any {
	class := sv.Value.Type().JavaClass()
	return map[string]any{"schema": showSchema(sv.Schema), "text": plain(sv.Value), "class": class}
}

func showSchema(s *data.Schema) any {
	if s == nil {
		return nil
	}
	out := map[string]any{"t": s.Type().String(), "o": s.Optional()}
	if s.Name() != "" {
		out["n"] = s.Name()
	}
	if v, ok := s.Version(); ok {
		out["v"] = float64(v)
	}
	if s.Doc() != "" {
		out["doc"] = s.Doc()
	}
	if len(s.Parameters()) > 0 {
		params := map[string]any{}
		for _, p := range s.Parameters() {
			params[p.Name] = p.Value
		}
		out["p"] = params
	}
	if !s.Default().IsNull() {
		out["d"] = plain(s.Default())
	}
	switch s.Type() {
	case data.TypeStruct:
		fields := []any{}
		for _, f := range s.Fields() {
			fields = append(fields, []any{f.Name, showSchema(f.Schema)})
		}
		out["f"] = fields
	case data.TypeArray:
		out["e"] = showSchema(s.Elem())
	case data.TypeMap:
		out["k"], out["e"] = showSchema(s.Key()), showSchema(s.Elem())
	}
	return out
}

// plain is a value as text with the first letter of its class, maps sorted.
func plain(v data.Value) string {
	switch v.Type() {
	case data.TypeNull:
		return "null"
	case data.TypeBytes:
		return "b64:" + base64.StdEncoding.EncodeToString(v.Bytes())
	case data.TypeDate:
		return "date:" + strconv.FormatInt(v.Millis(), 10)
	case data.TypeArray:
		var parts []string
		for _, e := range v.Array() {
			parts = append(parts, plain(e))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case data.TypeMap:
		var parts []string
		for _, e := range v.Map().Entries() {
			parts = append(parts, plain(e.Key)+"="+plain(e.Value))
		}
		slices.SortFunc(parts, func(a, b string) int {
			x, _, _ := strings.Cut(a, "=")
			y, _, _ := strings.Cut(b, "=")
			return strings.Compare(x, y)
		})
		return "{" + strings.Join(parts, ", ") + "}"
	case data.TypeStruct:
		var b strings.Builder
		b.WriteByte('<')
		for i, f := range v.Struct().Schema().Fields() {
			b.WriteString(f.Name + "=" + plain(v.Struct().RawAt(i)) + ";")
		}
		return b.String() + ">"
	}
	class := v.Type().JavaClass()
	return class[strings.LastIndexByte(class, '.')+1:][:1] + ":" + v.String()
}

// floats are numbers with a fraction, which Java 17 writes with more digits than are needed.
var floats = regexp.MustCompile(`-?\d+\.\d+(E-?\d+)?`)

// sameFloats tells whether texts differ in the digits of floats only.
func sameFloats(a, b any) bool {
	short := func(v any) string {
		return floats.ReplaceAllStringFunc(fmt.Sprint(v), func(s string) string {
			f, _ := strconv.ParseFloat(s, 32)
			return data.FormatFloat(f, 32)
		})
	}
	return short(a) == short(b)
}

// julian is when the Gregorian calendar began.
const julian = -12219292800000

// castOfLogical are values that are of a logical type as a whole.
var castOfLogical = regexp.MustCompile(`"schema": ?\{"type": ?"int(32|64)", [^{}]*"name": ?"org\.apache\.kafka\.connect\.data\.`)

// deliberate are the differences that RATIONALE.md defends.
func deliberate(q *question, got map[string]any) bool {
	message, _ := got["message"].(string)
	out, _ := q.Answer["out"].(map[string]any)
	switch {
	case sameFloats(q.Answer, got):
		return true
	case q.Op == "json" && q.Answer["error"] == nil:
		// Kafka reads a number, boolean, text, bytes or array of what is none as 0, false, null or empty.
		return strings.Contains(message, "Invalid type for ") || strings.Contains(message, "does not fit 64 bits")
	case q.Op == "strconv":
		return strings.Contains(fmt.Sprint(q.Answer["out"]), "[B@") // an address in Java's heap
	case q.Op == "date":
		// Java reckons dates before 1582 in the Julian calendar.
		ms, _ := strconv.ParseInt(fmt.Sprint(q.Answer["out"]), 10, 64)
		return ms < julian || q.Ms != nil && *q.Ms < julian
	case q.Op == "regex":
		return strings.Contains(q.Pattern, "&&") || strings.Contains(q.Pattern, "++")
	case strings.HasPrefix(q.Class, "SetSchemaMetadata") && q.Config["schema.name"] != nil && *q.Config["schema.name"] == "":
		return true // an empty name is none here
	case strings.HasPrefix(q.Class, "SetSchemaMetadata") && q.Answer["message"] == "Cannot list fields on non-struct type":
		return true
	case strings.HasPrefix(q.Class, "Cast") && castOfLogical.MatchString(*q.Value):
		// Kafka keeps the name of the logical type on what is none any more, and its converters fail on that.
		return true
	case strings.HasPrefix(q.Class, "ReplaceField") && strings.HasSuffix(fmt.Sprint(q.Answer["message"]), " is not a valid field name"):
		// Kafka looks for a field under the name that it would have before renaming, though nothing was renamed to it.
		return true
	case q.Op == "parse" && out != nil:
		// Kafka keeps of such a text the blanks that it begins with, and reads digits of every script.
		return strings.TrimSpace(fmt.Sprint(out["text"])[2:]) == "" || q.In == "\u0663"
	}
	return false
}
