package spec

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/wasmstream/wasmstream/internal/errs"
)

// ModuleDocument is the topology that a module hands over in its manifest: the JSON form of a document, which calls the
// module's own components by their names alone.
type ModuleDocument struct {
	// Path is the module's file; it stands in messages.
	Path string
	// Name is the module's name in its manifest. It names the module in the topology, and the application if the
	// document names none.
	Name string
	// Text is the document.
	Text []byte
}

// ParseModule reads the topology of a module as Parse reads a document, with the same operators and the same results.
// A module is not trusted: there are no references to the environment and to files, no other modules, and no settings
// but those of how an application works. Faults are placed by the name of the node, since nobody has seen the text.
func ParseModule(m ModuleDocument, o Options) (*Application, error) {
	d := newDocument(m.Path, o)
	d.own = m.Name
	d.unnumbered = true
	d.app.Modules[m.Name] = Module{Path: m.Path, Where: d.where(1, 1)}
	if root := d.parseJSON(m.Text); root != nil {
		d.application(root)
		if d.app.Name == "" && d.app.Config["application.id"] == "" {
			d.app.Name, d.app.Config["application.id"] = m.Name, m.Name
			d.app.ConfigWhere["application.id"] = m.Path
		}
	}
	faults := d.sorted()
	for i := range faults {
		faults[i] = d.placed(faults[i])
	}
	d.placeAll()
	return d.app, errors.Join(faults...)
}

// moduleSettings are what a module may say of how it is run; whoever runs it may say all of them otherwise. What
// reaches the machine, the cluster's access or the sandbox is not among them.
var moduleSettings = []string{
	"application.id", "commit.interval.ms", "default.deserialization.exception.handler",
	"default.key.serde", "default.production.exception.handler", "default.timestamp.extractor", "default.value.serde",
	"deserialization.exception.handler", "dsl.store.format", "dsl.store.suppliers.class",
	"ensure.explicit.internal.resource.naming", "errors.dead.letter.queue.topic.name", "max.task.idle.ms", "processing.exception.handler", "processing.guarantee",
	"production.exception.handler", "task.timeout.ms",
	"topology.optimization", "wasm.error.policy", "wasm.error.retries", "windowstore.changelog.additional.retention.ms",
}

// maySet reports a setting that a module cannot bring along.
func (d *document) maySet(e entry) bool {
	if d.own == "" || slices.Contains(moduleSettings, e.key) {
		return true
	}
	d.fault(errs.ModuleTopology, e.line, e.col, fmt.Sprintf("a module cannot set %q", e.key), "give it where the module is run: --set "+e.key+"=...")
	return false
}

// ownGuest is the module and the component that a module's own topology means.
func (d *document) ownGuest(guest *value, text string) (module, component string, ok bool) {
	module, component, full := strings.Cut(text, "/")
	if !full {
		return d.own, text, true
	}
	if module != d.own {
		d.faultAt(errs.ModuleTopology, guest, fmt.Sprintf("a module calls its own components only (got %q)", text), "write the name of a component")
		return "", "", false
	}
	return module, component, component != ""
}

// label says where a line of the document is: in which node, or below which key.
func (d *document) label(line int) string {
	for i := len(d.ops) - 1; i >= 0; i-- {
		if op := d.ops[i]; op.at.line <= line && line <= op.end {
			return d.source.name + ": " + op.label(i)
		}
	}
	for i, c := range d.nodes {
		if c.at.line <= line && line <= c.end {
			return d.source.name + ": " + c.label(i)
		}
	}
	path := d.source.name
	if d.root == nil {
		return path + ": topology"
	}
	for _, e := range d.root.entries {
		if e.line > line || e.value.line > line && e.line != line {
			break
		}
		path = d.source.name + ": " + e.key
		for _, below := range e.value.entries {
			if below.line <= line {
				path = d.source.name + ": " + e.key + "." + below.key
			}
		}
	}
	return path
}

// label is the name of the operator's first node, or its number where the name is not certain.
func (op *operation) label(i int) string {
	switch {
	case op.name != "":
		return "node " + op.name
	case op.node != "":
		return "node " + op.node
	case op.op != nil && op.op.node != nil:
		return fmt.Sprintf("topology entry %d, %s", i+1, op.op.name)
	case op.op != nil:
		return fmt.Sprintf("operator %d, %s", i+1, op.op.name)
	}
	return fmt.Sprintf("operator %d", i+1)
}

// placed is a fault with the name of its node in place of a line.
func (d *document) placed(err error) error {
	var coded *errs.Error
	if !errors.As(err, &coded) {
		return err
	}
	located := *coded
	located.Where = d.relabel(coded.Where)
	return &located
}

func (d *document) relabel(where string) string {
	if line, _ := d.place(where); line > 0 {
		return d.label(line)
	}
	return where
}

// placeAll does the same for the places that the application remembers.
func (d *document) placeAll() {
	for _, places := range []map[string]string{d.app.NodeWhere, d.app.ConfigWhere} {
		for key, where := range places {
			places[key] = d.relabel(where)
		}
	}
	for name, m := range d.app.Modules {
		m.Where = d.source.name
		relabelAll(d, m.Limits)
		for i := range m.Components {
			c := &m.Components[i]
			c.Where = d.relabel(c.Where)
			relabelAll(d, c.Limits)
			relabelAll(d, c.OnError)
		}
		d.app.Modules[name] = m
	}
}

func relabelAll(d *document, settings []Setting) {
	for i := range settings {
		settings[i].Where = d.relabel(settings[i].Where)
	}
}
