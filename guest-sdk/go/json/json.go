// Package json reads and changes fields of JSON documents where they lie, without allocating: one pass over the bytes
// checks the whole document (RFC 8259, UTF-8) and notes where the wanted fields are, and a second writes it out with
// them changed. In a guest it is more than ten times as fast as encoding/json with a map or a struct.
//
//	var (
//		order  json.Doc
//		amount = order.Field("amount")
//		city   = order.Field("customer.address.city")
//		total  = order.Field("total")
//	)
//
//	func enrich(value []byte) ([]byte, error) {
//		if err := order.Parse(value); err != nil {
//			return nil, err
//		}
//		x, _ := order.Float(amount)
//		order.SetFloat(total, x*1.19)
//		order.Remove(city)
//		return order.Bytes()
//	}
//
// Whitespace, order and the text of everything that is not changed stay as they are. Of a key that occurs twice in one
// object the first counts. A Doc is used by one goroutine at a time.
package json

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"unsafe"
)

// Limits of a Doc and of the documents it parses.
const (
	MaxFields  = 64   // fields of one Doc
	MaxNesting = 1000 // objects and arrays inside of each other
)

// Kind is the type of a value.
type Kind uint8

// The kinds of values. Missing is the kind of a field that is not in the document.
const (
	Missing Kind = iota
	Null
	Bool
	Number
	String
	Object
	Array
)

// Field is a field that a Doc looks for.
type Field int

// SyntaxError says that a document is not JSON; it is the offset at which that shows.
type SyntaxError int

// Error names the offset.
func (e SyntaxError) Error() string { return "not JSON from byte " + strconv.Itoa(int(e)) }

// ErrNoParent is the error of Bytes when a field was set whose object is not in the document.
var ErrNoParent = errors.New("json: the object to add a field to is not there")

// none is the offset of what is not there.
const none = -1

// span is where a field is, in offsets into the document.
type span struct {
	kind              Kind
	start, value, end int // of the key (in arrays of the value), of the value, behind the value
	comma             int // of the comma before the member, or none
	parent            int // of the bracket that the object or array around it begins with

	// Of the object or array in which a missing field would be, if there is one: what it is, where it ends, and how
	// many members it has.
	parentKind          Kind
	parentEnd, siblings int
}

// edit is what is to become of a field.
type edit struct {
	op       op
	from, to int // of the new value in Doc.texts
}

type op uint8

const (
	leave op = iota
	set
	remove
)

// level is what the pass knows of an open container that paths lead into.
type level struct {
	mask    uint64 // fields whose paths lead here
	matched uint64 // of them those that have found their next key
	leaves  uint64 // fields that are the current member
	comma   int
	members int
	start   int // of the container
	kind    Kind
}

// want is one key of a path in the form that it is compared in.
type want struct {
	head uint64 // the first 8 bytes of key, zeros behind its end
	key  string
}

// Doc is a set of fields and the document in which they were found last. The zero value has no fields.
type Doc struct {
	paths  [][]string
	names  [][]byte // of the last key of each path, with quotes and colon
	spans  []span
	edits  []edit
	texts  []byte  // new values
	out    []byte  // what Bytes returned
	order  []Field // of edits
	places []int   // of edits, in order
	text   []byte  // what Text returned

	data   []byte
	levels []level  // by depth, from 1, as deep as paths go
	wants  [][]want // by depth and field: the key of the field's path at that depth
	sieve  []uint64 // by depth: a set of the wanted keys, as sieveBit
	depth  int
	mask   uint64 // fields whose paths lead to the value that comes next
	object [MaxNesting/64 + 1]uint64
	edited bool
}

// Field adds a field by its path: keys with dots between them, and numbers from 0 for the elements of arrays. It
// panics when the Doc has MaxFields; fields are added once, before the first document.
func (d *Doc) Field(path string) Field { return d.FieldAt(strings.Split(path, ".")...) }

// FieldAt is Field for keys that hold dots themselves.
func (d *Doc) FieldAt(keys ...string) Field {
	for f, path := range d.paths {
		if slices.Equal(path, keys) {
			return Field(f)
		}
	}
	if len(d.paths) == MaxFields {
		panic("json: more fields than a Doc has room for")
	}
	d.paths = append(d.paths, keys)
	d.names = append(d.names, append(appendQuoted(nil, keys[len(keys)-1]), ':'))
	d.spans = append(d.spans, span{})
	d.edits = append(d.edits, edit{})
	d.order, d.places = append(d.order, 0), append(d.places, 0)
	for len(d.levels) <= len(keys) {
		d.levels = append(d.levels, level{})
		d.wants = append(d.wants, nil)
		d.sieve = append(d.sieve, 0)
	}
	for depth := range d.wants {
		w := want{}
		if depth > 0 && depth <= len(keys) {
			w.key = keys[depth-1]
			w.head = headOf(unsafe.Slice(unsafe.StringData(w.key), len(w.key)), 0, len(w.key))
			d.sieve[depth] |= sieveBit(w.head)
		}
		d.wants[depth] = append(grow(d.wants[depth], len(d.paths)-1), w)
	}
	return Field(len(d.paths) - 1)
}

// grow makes a list of wants n long.
func grow(list []want, n int) []want {
	for len(list) < n {
		list = append(list, want{})
	}
	return list
}

// Kind is the kind of the field's value in the document as it was parsed.
func (d *Doc) Kind(f Field) Kind { return d.spans[f].kind }

// IsObject tells whether the document as a whole is an object.
func (d *Doc) IsObject() bool {
	i := skipSpace(d.data, 0)
	return i < len(d.data) && d.data[i] == '{'
}

// Raw is the field's value as it stands in the document, nil if it is missing.
func (d *Doc) Raw(f Field) []byte {
	s := &d.spans[f]
	if s.kind == Missing {
		return nil
	}
	return d.data[s.value:s.end:s.end]
}

// Text is the text of a string with its escapes resolved; ok is false for other kinds. It is a part of the document or
// valid until the next call of Text.
func (d *Doc) Text(f Field) (text []byte, ok bool) {
	s := &d.spans[f]
	if s.kind != String {
		return nil, false
	}
	raw := d.data[s.value+1 : s.end-1]
	if !hasEscape(raw) {
		return raw, true
	}
	d.text = unescape(d.text[:0], raw)
	return d.text, true
}

// Is tells whether the field is a string with this text.
func (d *Doc) Is(f Field, text string) bool {
	s := &d.spans[f]
	return s.kind == String && sameText(d.data[s.value+1:s.end-1], text)
}

// Int is the value of a number without fraction and exponent that fits; ok is false for all else.
func (d *Doc) Int(f Field) (n int64, ok bool) {
	if d.spans[f].kind != Number {
		return 0, false
	}
	return parseInt(d.Raw(f))
}

// Float is the double nearest to a number, infinite if it is too large; ok is false for other kinds.
func (d *Doc) Float(f Field) (x float64, ok bool) {
	if d.spans[f].kind != Number {
		return 0, false
	}
	return parseFloat(d.Raw(f)), true
}

// Bool is the value of true or false; ok is false for other kinds.
func (d *Doc) Bool(f Field) (value, ok bool) {
	s := &d.spans[f]
	return s.kind == Bool && d.data[s.value] == 't', s.kind == Bool
}

// SetRaw sets a field to a value given as JSON, which is taken as it is and copied. A field that is missing is added
// at the end of its object. The getters go on to show the document as it was parsed.
func (d *Doc) SetRaw(f Field, value []byte) {
	from := d.begin()
	d.texts = append(d.texts, value...)
	d.end(f, from)
}

// SetText sets a field to a string.
func (d *Doc) SetText(f Field, text []byte) {
	from := d.begin()
	d.texts = appendQuoted(d.texts, text)
	d.end(f, from)
}

// SetString sets a field to a string.
func (d *Doc) SetString(f Field, text string) {
	d.SetText(f, unsafe.Slice(unsafe.StringData(text), len(text)))
}

// SetInt sets a field to a whole number.
func (d *Doc) SetInt(f Field, n int64) {
	from := d.begin()
	d.texts = strconv.AppendInt(d.texts, n, 10)
	d.end(f, from)
}

// SetFloat sets a field to a number, written as AppendFloat does.
func (d *Doc) SetFloat(f Field, x float64) {
	from := d.begin()
	d.texts = AppendFloat(d.texts, x)
	d.end(f, from)
}

// SetBool sets a field to true or false.
func (d *Doc) SetBool(f Field, value bool) {
	from := d.begin()
	d.texts = strconv.AppendBool(d.texts, value)
	d.end(f, from)
}

// SetNull sets a field to null.
func (d *Doc) SetNull(f Field) {
	from := d.begin()
	d.texts = append(d.texts, "null"...)
	d.end(f, from)
}

// Remove takes a field out. A field that is missing stays so.
func (d *Doc) Remove(f Field) {
	d.begin()
	d.edits[f] = edit{op: remove}
}

// begin makes sure that there are no edits of an earlier document and returns where the next text begins.
func (d *Doc) begin() int {
	if !d.edited {
		clear(d.edits)
		d.texts = d.texts[:0]
		d.edited = true
	}
	return len(d.texts)
}

func (d *Doc) end(f Field, from int) { d.edits[f] = edit{set, from, len(d.texts)} }
