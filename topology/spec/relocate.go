package spec

import (
	"errors"
	"strings"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/topology/expr"
)

// relocate gives a fault of the builder the place of the operator, or in the expression behind it.
func (d *document) relocate(err error, at, expression *value) error {
	var coded *errs.Error
	if !errors.As(err, &coded) {
		return err
	}
	located := *coded
	line, col := at.line, at.col
	if field := at.get(coded.Subject); field != nil {
		line, col = field.line, field.col
	}
	var fault *expr.Error
	if errors.As(err, &fault) {
		located.Cause = nil
		if v := findScalar(at, fault.Source, expression); v != nil {
			line, col = d.inside(v, fault)
		}
	}
	located.Where, located.Detail = d.where(line, col), d.excerpt(line, col)
	return &located
}

// findScalar is the scalar below v that holds the expression.
func findScalar(v *value, text string, hint *value) *value {
	if hint != nil && hint.kind == scalar && hint.text == text {
		return hint
	}
	if v == nil || v.kind == scalar && v.text == text {
		return v
	}
	for _, e := range v.entries {
		if found := findScalar(e.value, text, nil); found != nil {
			return found
		}
	}
	for _, item := range v.items {
		if found := findScalar(item, text, nil); found != nil {
			return found
		}
	}
	return nil
}

// inside is the place in the file of a place in an expression.
func (d *document) inside(v *value, fault *expr.Error) (line, col int) {
	if fault.Line == 0 {
		return v.line, v.col
	}
	lines := strings.Split(fault.Source, "\n")
	if !v.block {
		return v.line, v.col + v.quote + fault.Column - 1
	}
	line = v.line + fault.Line
	if line <= len(d.lines) && fault.Line <= len(lines) {
		if at := strings.Index(d.lines[line-1], strings.TrimSpace(lines[fault.Line-1])); at >= 0 {
			indent := len(lines[fault.Line-1]) - len(strings.TrimLeft(lines[fault.Line-1], " "))
			return line, at - indent + fault.Column
		}
	}
	return v.line, v.col
}

// storeWhere is the place of the last operator that names a store so.
func (d *document) storeWhere(name string) (where string, ok bool) {
	for _, op := range d.ops {
		if op.op == nil || op.body.kind != mapping {
			continue
		}
		m := op.body.get("materialized")
		for _, v := range []*value{m, m.get("name"), op.body.get("storeName"), op.body.get("store").get("name")} {
			if v != nil && v.kind == scalar && v.text == name {
				where, ok = d.where(v.line, v.col), true
			}
		}
	}
	return where, ok
}

// relocateNode gives a fault that names a node the place of its operator.
func (d *document) relocateNode(err error) error {
	var coded *errs.Error
	if !errors.As(err, &coded) {
		return err
	}
	where, ok := d.app.NodeWhere[coded.Where]
	if !ok {
		where, ok = d.app.ConfigWhere[coded.Where]
	}
	if !ok {
		where, ok = d.storeWhere(coded.Where)
	}
	if !ok {
		where = d.source.name
	}
	located := *coded
	located.What = coded.Where + ": " + coded.What
	located.Where, located.Detail = where, d.excerptAt(where)
	return &located
}

// relocateWhole gives a fault of the whole topology its place: that of a node, or where nodes would stand.
func (d *document) relocateWhole(err error) error {
	if !errs.TopologyNoSource.Is(err) {
		return d.relocateNode(err)
	}
	for _, key := range []string{"operators", "topology"} {
		if v := d.root.get(key); v != nil {
			return d.relocate(err, v, nil)
		}
	}
	return d.relocateNode(err)
}
