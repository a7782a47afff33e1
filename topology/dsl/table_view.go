package dsl

import (
	"fmt"
	"slices"

	"github.com/wasmstream/wasmstream/state"
	"github.com/wasmstream/wasmstream/topology"
)

// View says how the row of a table is found by its key: in a store, or, for a table that has none, in those of the
// tables that it is made of, by doing again what makes it. It is plain data.
type View struct {
	// Store holds the rows.
	Store string `json:"store,omitempty"`
	// Operator makes the rows of those of Of: filter, filterNot, mapValues, transformValues, join, leftJoin, outerJoin.
	Operator string `json:"operator,omitempty"`
	Call     *Call  `json:"call,omitempty"`
	Of       []View `json:"of,omitempty"`
	// Buffer holds changes of Of back: rows in it are seen as they were before (suppress).
	Buffer string `json:"buffer,omitempty"`
}

// The operators of views that are no names of joins.
const (
	viewFilter          = "filter"
	viewFilterNot       = "filterNot"
	viewMapValues       = "mapValues"
	viewTransformValues = "transformValues"
	viewSuppress        = "suppress"
)

// stores are those that the view reads, each once, in order.
func (v View) stores() []string {
	if v.Store != "" {
		return []string{v.Store}
	}
	var names []string
	if v.Buffer != "" {
		names = append(names, v.Buffer)
	}
	for _, of := range v.Of {
		names = append(names, of.stores()...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// GuestUses are those of the functions that make the rows.
func (v View) GuestUses() []topology.GuestUse {
	var uses []topology.GuestUse
	if v.Call != nil {
		uses = v.Call.GuestUses()
	}
	for _, of := range v.Of {
		uses = append(uses, of.GuestUses()...)
	}
	return uses
}

// open connects the stores and opens the functions.
func (v View) open(ctx topology.Context) (rowReader, error) {
	if v.Store != "" {
		return openRows(ctx, v.Store)
	}
	var parents []rowReader
	for _, of := range v.Of {
		p, err := of.open(ctx)
		if err != nil {
			return nil, err
		}
		parents = append(parents, p)
	}
	if v.Operator == viewSuppress {
		return openSuppressed(ctx, v.Buffer, parents[0])
	}
	fn, err := openAsker(ctx, *v.Call)
	if err != nil {
		return nil, err
	}
	switch v.Operator {
	case viewFilter, viewFilterNot:
		return &filteredRows{of: parents[0], fn: fn, not: v.Operator == viewFilterNot}, nil
	case viewMapValues:
		return &mappedRows{of: parents[0], fn: fn}, nil
	case viewTransformValues:
		return &mappedRows{of: parents[0], fn: fn, nulls: true}, nil
	case innerJoin, leftJoin, outerJoin:
		return &joinedRows{left: parents[0], right: parents[1], fn: fn, join: v.Operator}, nil
	}
	return nil, fmt.Errorf("opening a view of node %s: there is no operator %q", ctx.NodeName(), v.Operator)
}

// openRows connects a store of a table of any kind.
func openRows(ctx topology.Context, name string) (rowReader, error) {
	s, err := ctx.Store(name)
	if err != nil {
		return nil, err
	}
	switch s := s.(type) {
	case state.WindowStore:
		return &windowRows{name: name, store: s, arena: ctx.Arena()}, nil
	case state.SessionStore:
		return &sessionRows{name: name, store: s, arena: ctx.Arena()}, nil
	}
	return openTableStore(ctx, name)
}

// mappedRows are the rows of another table with values that a function makes.
type mappedRows struct {
	of    rowReader
	fn    *asker
	nulls bool // the function is asked about missing rows too
}

func (m *mappedRows) row(key []byte) ([]byte, int64, error) {
	value, timestamp, err := m.of.row(key)
	return m.mapped(key, value, timestamp, err)
}

func (m *mappedRows) rowAsOf(key []byte, asOf int64) ([]byte, int64, error) {
	value, timestamp, err := m.of.rowAsOf(key, asOf)
	return m.mapped(key, value, timestamp, err)
}

func (m *mappedRows) versioned() bool { return m.of.versioned() }

func (m *mappedRows) mapped(key, value []byte, timestamp int64, err error) ([]byte, int64, error) {
	if err != nil || value == nil && !m.nulls {
		return nil, timestamp, err
	}
	value, err = askSkipping(m.fn, &topology.Record{Key: key, Timestamp: timestamp, Offset: -1}, value, nil)
	return value, timestamp, err
}

// askSkipping asks one question; one that was skipped has no value.
func askSkipping(fn *asker, r *topology.Record, value, second []byte) ([]byte, error) {
	value, err := fn.value(r, value, second)
	if err == errSkipped {
		return nil, nil
	}
	return value, err
}

// filteredRows are the rows of another table for which a condition holds.
type filteredRows struct {
	of  rowReader
	fn  *asker
	not bool
}

func (f *filteredRows) row(key []byte) ([]byte, int64, error) {
	value, timestamp, err := f.of.row(key)
	return f.filtered(key, value, timestamp, err)
}

func (f *filteredRows) rowAsOf(key []byte, asOf int64) ([]byte, int64, error) {
	value, timestamp, err := f.of.rowAsOf(key, asOf)
	return f.filtered(key, value, timestamp, err)
}

func (f *filteredRows) versioned() bool { return f.of.versioned() }

func (f *filteredRows) filtered(key, value []byte, timestamp int64, err error) ([]byte, int64, error) {
	if err != nil || value == nil {
		return nil, timestamp, err
	}
	in := &f.fn.in[0]
	*in = topology.Record{Key: key, Value: value, Timestamp: timestamp, Offset: -1}
	said, err := f.fn.ask(f.fn.in[:])
	if err != nil {
		return nil, timestamp, err
	}
	if answers, skip := said.to(0); skip || (answers > 0) == f.not {
		return nil, state.TimestampUnknown, nil
	}
	return value, timestamp, nil
}

// joinedRows are the rows of a join of two tables, made when they are asked for.
type joinedRows struct {
	left, right rowReader
	fn          *asker
	join        string
}

func (j *joinedRows) row(key []byte) ([]byte, int64, error) {
	left, leftTime, err := j.left.row(key)
	if err != nil || left == nil && j.join != outerJoin {
		return nil, state.TimestampUnknown, err
	}
	right, rightTime, err := j.right.row(key)
	if err != nil || right == nil && (j.join == innerJoin || left == nil) {
		return nil, state.TimestampUnknown, err
	}
	timestamp := max(leftTime, rightTime)
	value, err := askSkipping(j.fn, &topology.Record{Key: key, Timestamp: timestamp, Offset: -1}, left, right)
	return value, timestamp, err
}

// rowAsOf is that of now: a join is not versioned, even one of versioned tables (KIP-914).
func (j *joinedRows) rowAsOf(key []byte, _ int64) ([]byte, int64, error) { return j.row(key) }

func (j *joinedRows) versioned() bool { return false }

// suppressedRows are the rows of another table as they were before the changes that are held back.
type suppressedRows struct {
	of     rowReader
	buffer *state.TimeOrderedBuffer
	arena  *topology.Arena
}

func openSuppressed(ctx topology.Context, buffer string, of rowReader) (rowReader, error) {
	s, err := ctx.Store(buffer)
	if err != nil {
		return nil, err
	}
	b, ok := s.(*state.TimeOrderedBuffer)
	if !ok {
		return nil, fmt.Errorf("opening a view of node %s: store %q is no buffer", ctx.NodeName(), buffer)
	}
	return &suppressedRows{of: of, buffer: b, arena: ctx.Arena()}, nil
}

func (s *suppressedRows) row(key []byte) ([]byte, int64, error) {
	prior, buffered, err := s.buffer.Prior(key)
	if err != nil || buffered {
		return copyOf(s.arena, prior), state.TimestampUnknown, err
	}
	return s.of.row(key)
}

// rowAsOf is that of now: suppress works on tables without versions only.
func (s *suppressedRows) rowAsOf(key []byte, _ int64) ([]byte, int64, error) { return s.row(key) }

func (s *suppressedRows) versioned() bool { return false }
