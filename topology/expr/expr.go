// Package expr turns CEL expressions (cel.dev) over records into user functions, for what is too small for a guest: a
// condition, a field, a key.
//
// An expression sees four variables: key and value, typed by the serdes of the records that come in and possibly null;
// timestamp, an int of milliseconds; headers, a map of names to bytes (the last of each name). Functions of several
// arguments see others beside key: a joiner left and right (and mappedKey), an aggregator value and aggregate, a
// reducer aggregate and value, a merger left and right; an initializer sees nothing of use. long, int and short are
// int, float and double are double, uuid is a string, json is dynamic: numbers without fraction and exponent are int,
// all others double. Beside CEL's own functions there are those of its extensions strings, math and encoders.
//
// The result is written by a serde, the given one or the one that the type suggests. Expressions cost: one evaluation
// that goes over CostLimit fails. `value`, `key` and constants are recognised and never reach CEL.
package expr

import (
	"cmp"
	"fmt"
	"strings"
	"sync"
	"unicode"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/ext"

	"github.com/wasmstream/wasmstream/topology"
)

// CostLimit bounds one evaluation of an expression with loops, in CEL's units (about one for each step and for every ten bytes of a string): far
// above what a record needs, and well under a second.
const CostLimit = 4 << 20

// Kind is the kind of operator that calls a function, spelled as in guests' manifests.
type Kind string

// The kinds of functions.
const (
	Filter        Kind = "filter"
	Map           Kind = "map"
	MapValues     Kind = "mapValues"
	FlatMap       Kind = "flatMap"
	FlatMapValues Kind = "flatMapValues"
	SelectKey     Kind = "selectKey"
	Foreach       Kind = "foreach"
	Process       Kind = "process"
	ProcessValues Kind = "processValues"
	Initializer   Kind = "initializer"
	Aggregator    Kind = "aggregator"
	Reducer       Kind = "reducer"
	Merger        Kind = "merger"
	Joiner        Kind = "joiner"
	// TopicNameExtractor answers the name of a topic; Partitioner a partition.
	TopicNameExtractor Kind = "topicNameExtractor"
	Partitioner        Kind = "partitioner"
	// TimestampExtractor answers a time in milliseconds; Serializer and Deserializer another form of a key or a value,
	// which expressions cannot.
	TimestampExtractor Kind = "timestampExtractor"
	Serializer         Kind = "serializer"
	Deserializer       Kind = "deserializer"
)

// Types are the serdes of keys and values, and of the further arguments that some kinds have (topology.Extra). nil is
// unknown.
type Types struct {
	Key, Value, Second, MappedKey topology.Serde
}

// Spec is what to compile. Value is the expression: the condition of a filter, the key of a selectKey, the value of a
// mapValues, the list of values of a flatMapValues, the list of {"key": ..., "value": ...} of a flatMap. A map has Key
// too.
type Spec struct {
	Kind       Kind
	Key, Value string
	In         Types // nil reads as bytes
	Out        Types // nil takes what the expression's type suggests
}

// Error is an expression that does not compile.
type Error struct {
	// Source is the expression; Line and Column (from 1, in characters) are the place in it, 0 for the whole.
	Source       string
	Line, Column int
	Message, Fix string
}

// Error is the message with its place.
func (e *Error) Error() string {
	if e.Line == 0 {
		return e.Message
	}
	return fmt.Sprintf("%s (column %d of the expression)", e.Message, e.Column)
}

// Excerpt is the line of the expression with a caret below the place. What cannot be printed is replaced: it could be a
// command to the terminal.
func (e *Error) Excerpt() string {
	lines := strings.Split(e.Source, "\n")
	if e.Line < 1 || e.Line > len(lines) {
		return printable(lines[0])
	}
	return printable(lines[e.Line-1]) + "\n" + strings.Repeat(" ", max(0, e.Column-1)) + "^"
}

func printable(line string) string {
	return strings.Map(func(r rune) rune {
		if r != '\t' && !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, line)
}

// Program is a compiled Spec. It is immutable; Function makes what runs.
type Program struct {
	kind       Kind
	in, out    Types
	key, value *part
}

// part is one expression of a program, with the serde of its results.
type part struct {
	source  string
	program cel.Program
	// direct is how to do without CEL: the variable itself or a constant.
	direct   direct
	constant []byte
	out      topology.Serde
}

type direct int

const (
	viaCEL direct = iota
	isKey
	isValue
	isSecond
	isConstant
)

// Compile checks the expressions and their types. The errors are of type *Error.
func Compile(s Spec) (*Program, error) {
	if s.Kind == Foreach || s.Kind == Process || s.Kind == ProcessValues {
		return nil, &Error{Source: s.Value, Message: "an expression has no effect in " + string(s.Kind), Fix: "use a guest component"}
	}
	in := Types{
		Key: cmp.Or(s.In.Key, topology.Bytes), Value: cmp.Or(s.In.Value, topology.Bytes),
		Second: cmp.Or(s.In.Second, topology.Bytes), MappedKey: cmp.Or(s.In.MappedKey, topology.Bytes),
	}
	env, err := newEnv(s.Kind, in)
	if err != nil {
		return nil, fmt.Errorf("preparing expressions: %w", err)
	}
	p := &Program{kind: s.Kind, in: in, out: s.Out}
	if err := p.compile(env, s); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *Program) compile(env *cel.Env, s Spec) (err error) {
	switch s.Kind {
	case Map:
		if s.Key == "" || s.Value == "" {
			return &Error{Source: s.Key + s.Value, Message: "map needs an expression for the key and one for the value", Fix: "give both; `key` or `value` alone keeps that part"}
		}
		if p.key, err = p.part(env, s.Key, s.Out.Key); err != nil {
			return err
		}
		p.value, err = p.part(env, s.Value, s.Out.Value)
		p.out = Types{Key: p.key.out, Value: p.value.outOrNil()}
	case SelectKey:
		if p.key, err = p.part(env, s.Value, s.Out.Key); err == nil {
			p.out.Key = p.key.out
		}
	case MapValues, Initializer, Aggregator, Reducer, Merger, Joiner:
		if p.value, err = p.part(env, s.Value, s.Out.Value); err == nil {
			p.out.Value = p.value.out
		}
	case TopicNameExtractor:
		p.value, err = p.part(env, s.Value, topology.String)
	case TimestampExtractor:
		p.value, err = p.part(env, s.Value, topology.Long)
	case Partitioner:
		p.value, err = p.part(env, s.Value, topology.Integer)
	case Filter:
		p.value, err = p.typed(env, s.Value, cel.BoolType, nil)
	case FlatMapValues:
		p.value, err = p.typed(env, s.Value, cel.ListType(cel.DynType), s.Out.Value)
		p.out.Value = p.value.outOrNil()
	case FlatMap:
		p.value, err = p.typed(env, s.Value, cel.ListType(cel.DynType), nil)
		p.out = Types{Key: cmp.Or(s.Out.Key, topology.JSON), Value: cmp.Or(s.Out.Value, topology.JSON)}
	default:
		err = &Error{Source: s.Value, Message: fmt.Sprintf("no expressions for operators of kind %q", s.Kind)}
	}
	return err
}

func (p *part) outOrNil() topology.Serde {
	if p == nil {
		return nil
	}
	return p.out
}

// Out are the serdes of the results, as far as the kind makes any.
func (p *Program) Out() Types { return p.out }

// baseEnv is shared: making the standard library's declarations takes longer than anything else here.
var baseEnv = sync.OnceValues(func() (*cel.Env, error) {
	return cel.NewEnv(ext.Strings(), ext.Math(), ext.Encoders(),
		cel.Variable("timestamp", cel.IntType),
		cel.Variable("headers", cel.MapType(cel.StringType, cel.BytesType)))
})

func newEnv(kind Kind, in Types) (*cel.Env, error) {
	base, err := baseEnv()
	if err != nil {
		return nil, err
	}
	value, second := kind.variables()
	options := []cel.EnvOption{cel.Variable("key", celType(in.Key)), cel.Variable(value, celType(in.Value))}
	if second != "" {
		options = append(options, cel.Variable(second, celType(in.Second)))
	}
	if kind == Joiner {
		options = append(options, cel.Variable("mappedKey", celType(in.MappedKey)))
	}
	return base.Extend(options...)
}

// variables are the names of a record's Value and of its second argument, "" if the kind has none.
func (k Kind) variables() (value, second string) {
	switch k {
	case Aggregator:
		return "value", "aggregate"
	case Reducer:
		return "aggregate", "value"
	case Merger, Joiner:
		return "left", "right"
	}
	return "value", ""
}

func celType(s topology.Serde) *cel.Type {
	switch s.Name() {
	case "string", "uuid":
		return cel.NullableType(cel.StringType)
	case "long", "int", "short":
		return cel.NullableType(cel.IntType)
	case "float", "double":
		return cel.NullableType(cel.DoubleType)
	case "boolean":
		return cel.NullableType(cel.BoolType)
	case "json":
		return cel.DynType
	}
	return cel.NullableType(cel.BytesType)
}

// part compiles an expression whose result is written by out, or by what its type suggests.
func (p *Program) part(env *cel.Env, source string, out topology.Serde) (*part, error) {
	checked, err := check(env, source)
	if err != nil {
		return nil, err
	}
	part := &part{source: source, out: out}
	if out == nil {
		part.out = p.suggested(checked)
	} else if !fits(checked.OutputType(), out) {
		return nil, &Error{
			Source: source, Message: fmt.Sprintf("the expression gives %s but %s is written here", checked.OutputType(), out.Name()),
			Fix: conversion(out),
		}
	}
	if part.setDirect(checked, p.kind, p.in); part.direct != viaCEL {
		return part, nil
	}
	part.program, err = program(env, checked)
	return part, err
}

// typed compiles an expression that must have the type want. elements are written by out.
func (p *Program) typed(env *cel.Env, source string, want *cel.Type, out topology.Serde) (*part, error) {
	checked, err := check(env, source)
	if err != nil {
		return nil, err
	}
	got := checked.OutputType()
	if got.Kind() != want.Kind() && got.Kind() != types.DynKind {
		return nil, &Error{
			Source: source, Message: fmt.Sprintf("%s needs an expression of type %s (got %s)", p.kind, want, got),
			Fix: map[bool]string{true: "compare with something", false: "wrap the result in [ ]"}[want.Kind() == types.BoolKind],
		}
	}
	part := &part{source: source, out: out}
	if want.Kind() == types.ListKind && out == nil {
		part.out = topology.JSON
		if got.Kind() == types.ListKind {
			part.out = suggest(got.Parameters()[0])
		}
	}
	part.program, err = program(env, checked)
	return part, err
}

// program limits the cost of expressions with loops (map, filter, all, exists ...). Counting it takes ten times as long
// as evaluating, and without a loop the cost is at most the length of the expression times that of the record.
func program(env *cel.Env, checked *cel.Ast) (cel.Program, error) {
	options := []cel.ProgramOption{cel.EvalOptions(cel.OptOptimize)}
	root := ast.NavigateAST(checked.NativeRep())
	if len(ast.MatchDescendants(root, ast.KindMatcher(ast.ComprehensionKind))) > 0 {
		options = append(options, cel.CostLimit(CostLimit))
	}
	return env.Program(checked, options...)
}

func check(env *cel.Env, source string) (*cel.Ast, error) {
	checked, issues := env.Compile(source)
	if issues == nil || issues.Err() == nil {
		return checked, nil
	}
	return nil, located(source, issues.Errors())
}

func located(source string, faults []*common.Error) error {
	if len(faults) == 0 {
		return &Error{Source: source, Message: "the expression does not compile"}
	}
	f := faults[0]
	e := &Error{Source: source}
	e.Message, e.Fix = explain(f.Message)
	if l := f.Location; l != nil && l.Line() > 0 {
		e.Line, e.Column = l.Line(), max(l.Column()+1, 1)
	}
	return e
}

// setDirect recognises what needs no evaluation.
func (p *part) setDirect(checked *cel.Ast, kind Kind, in Types) {
	value, second := kind.variables()
	switch e := checked.NativeRep().Expr(); e.Kind() {
	case ast.IdentKind:
		switch {
		case e.AsIdent() == value && in.Value == p.out:
			p.direct = isValue
		case e.AsIdent() == second && in.Second == p.out:
			p.direct = isSecond
		case e.AsIdent() == "key" && in.Key == p.out:
			p.direct = isKey
		}
	case ast.LiteralKind:
		if b, err := encode(nil, p.out, e.AsLiteral()); err == nil {
			p.direct, p.constant = isConstant, b
		}
	}
}

// suggested is the serde for results of the expression: that of the variable that it is, or one for its type.
func (p *Program) suggested(checked *cel.Ast) topology.Serde {
	if e := checked.NativeRep().Expr(); e.Kind() == ast.IdentKind {
		value, second := p.kind.variables()
		switch e.AsIdent() {
		case value:
			return p.in.Value
		case second:
			return p.in.Second
		case "key":
			return p.in.Key
		}
	}
	return suggest(checked.OutputType())
}

func suggest(t *cel.Type) topology.Serde {
	switch t.Kind() {
	case types.BoolKind:
		return topology.Boolean
	case types.IntKind, types.UintKind:
		return topology.Long
	case types.DoubleKind:
		return topology.Double
	case types.StringKind:
		return topology.String
	case types.BytesKind, types.NullTypeKind:
		return topology.Bytes
	}
	return topology.JSON
}

// fits tells whether a result of type t can be written by s. What is only known at run time is let through.
func fits(t *cel.Type, s topology.Serde) bool {
	k := t.Kind()
	if k == types.DynKind || k == types.AnyKind || k == types.NullTypeKind {
		return true
	}
	switch s.Name() {
	case "string", "uuid":
		return k == types.StringKind
	case "long", "int", "short":
		return k == types.IntKind || k == types.UintKind
	case "float", "double":
		return k == types.DoubleKind || k == types.IntKind || k == types.UintKind
	case "boolean":
		return k == types.BoolKind
	case "bytes":
		return k == types.BytesKind || k == types.StringKind
	}
	return true
}

func conversion(out topology.Serde) string {
	switch out.Name() {
	case "string", "uuid":
		return "convert it by string(...)"
	case "long", "int", "short":
		return "convert it by int(...)"
	case "float", "double":
		return "convert it by double(...)"
	case "boolean":
		return "compare it with something"
	}
	return "convert it by bytes(...)"
}
