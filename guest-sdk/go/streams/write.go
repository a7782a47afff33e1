package streams

import (
	"strconv"
	"time"

	wasmstream "github.com/wasmstream/wasmstream/guest-sdk/go"
)

// object is a JSON object on its way: its fields, separated by commas. What is not given is not written.
type object []byte

// field begins a field.
func (o *object) field(key string) {
	if len(*o) > 0 {
		*o = append(*o, ',')
	}
	*o = append(wasmstream.AppendJSONString(*o, key), ':')
}

func (o *object) raw(key string, value []byte) {
	o.field(key)
	*o = append(*o, value...)
}

func (o *object) text(key, value string) {
	o.field(key)
	*o = wasmstream.AppendJSONString(*o, value)
}

func (o *object) number(key string, n int64) { o.raw(key, strconv.AppendInt(nil, n, 10)) }

// positive is a number that may be left out, which 0 and less say.
func (o *object) positive(key string, n int64) {
	if n > 0 {
		o.number(key, n)
	}
}

func (o *object) duration(key string, d time.Duration) { o.number(key, d.Milliseconds()) }

// given is text that may be left out.
func (o *object) given(key, value string) {
	if value != "" {
		o.text(key, value)
	}
}

func (o *object) texts(key string, values []string) {
	items := make([][]byte, len(values))
	for i, v := range values {
		items[i] = wasmstream.AppendJSONString(nil, v)
	}
	o.raw(key, list(items))
}

func (o *object) serde(key string, s Serde) { o.given(key, string(s)) }

// serdes are those of keys and values.
func (o *object) serdes(key, value Serde) {
	o.serde("key", key)
	o.serde("value", value)
}

// logged says whether the changes of a store are logged, and how.
func (o *object) logged(disabled bool, changelog []Setting) {
	o.unless("logging", disabled)
	o.settings("changelog", changelog)
}

// topicSerde is how keys or values are written in a topic.
func (o *object) topicSerde(key string, s Serde, form Function) {
	if !isSet(form) {
		o.serde(key, s)
		return
	}
	var fields object
	fields.call(form)
	fields.serde("as", s)
	o.raw(key, fields.bytes())
}

func (o *object) flag(key string, on bool) {
	if on {
		o.raw(key, []byte("true"))
	}
}

// unless is a field that is true if it is not given.
func (o *object) unless(key string, off bool) {
	if off {
		o.raw(key, []byte("false"))
	}
}

func (o *object) settings(key string, settings []Setting) {
	if len(settings) == 0 {
		return
	}
	var all object
	for _, s := range settings {
		all.text(s.Key, s.Value)
	}
	o.raw(key, all.bytes())
}

// function is one that an operator has as a field of its own.
func (o *object) function(key string, f Function) {
	if !isSet(f) {
		return
	}
	var fields object
	fields.call(f)
	o.raw(key, fields.bytes())
}

// call adds the fields of the operator's function.
func (o *object) call(f Function) {
	if len(*o) > 0 {
		*o = append(*o, ',')
	}
	*o = f.AppendJSON(*o)
}

// outs adds the serdes of what the function makes.
func (o *object) outs(f Function) {
	o.serdes(f.OutKey(), f.OutValue())
}

func (o object) bytes() []byte { return append(append([]byte{'{'}, o...), '}') }

func list(items [][]byte) []byte {
	b := []byte{'['}
	for i, item := range items {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, item...)
	}
	return append(b, ']')
}

// isSet tells whether a function was given at all.
func isSet(f Function) bool { return string(f.AppendJSON(nil)) != `"expr":""` }
