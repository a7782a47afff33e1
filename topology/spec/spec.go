// Package spec is an application as a document, in YAML or JSON: its settings, its modules, and its operators by
// Kafka's names, turned into a topology by the calls that a Go program would make on topology/dsl.
//
// It finds as many faults as it can at once, each with code, file:line:col and a caret. It knows the form of a document
// and nothing of what settings mean: `config` is handed on as strings with their places.
package spec

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// The head of a document.
const (
	APIVersion = "wasmstream/v1"
	Kind       = "Application"
)

// Application is a document that was read.
type Application struct {
	// Path is the file, as given.
	Path string
	// Name is metadata.name, or application.id without it.
	Name string
	// Config are the settings as written, references replaced. A dollar sign stands as "$$", so that whoever reads
	// settings with references of their own finds none in them.
	Config map[string]string
	// ConfigWhere gives the place of each setting, "file:line:col".
	ConfigWhere map[string]string
	// Modules by the names that operators call them.
	Modules map[string]Module
	// Topology is what the operators make.
	Topology *topology.Topology
	// NodeWhere gives the place of the operator behind each node.
	NodeWhere map[string]string

	source *source
}

// Excerpt shows the line of a place in the document, "file:line:col", with a caret below it; "" for another place.
func (a *Application) Excerpt(where string) string {
	if file, line, col := errs.Place(where); a.source != nil && file == a.source.name && line > 0 {
		return a.source.excerpt(line, col)
	}
	return ""
}

// Module is a wasm module of an application.
type Module struct {
	// Path starts at the current directory or the root; in the document it starts at the document's folder.
	Path string
	// Digest is "sha256:..." or "" if any will do.
	Digest string
	// Where is the place in the document.
	Where string
	// Limits lower those of the application for this module.
	Limits []Setting
	// Components are what is said of components, in the order of the document.
	Components []Component
}

// Component is what a document says of a component of a module.
type Component struct {
	Name, Where string
	// Limits lower those of the module, OnError says what becomes of records that the component fails on. What they mean
	// is not known here.
	Limits, OnError []Setting
}

// Setting is a key with its value as written, references replaced, and its place.
type Setting struct{ Key, Value, Where string }

// Options are what a document may look at around it.
type Options struct {
	LookupEnv func(name string) (string, bool)
	ReadFile  func(path string) ([]byte, error)
	// Set are settings that win over those of the document (--set), where they matter for reading it. Their faults are
	// told by package streamsconfig, which knows where they come from.
	Set map[string]string
	// Print is where streams are printed (print); nil is standard output.
	Print io.Writer
}

// Load reads the document at path, with the environment and the files of the process.
func Load(path string) (*Application, error) {
	data, err := ReadFile(path)
	if err != nil {
		return nil, errs.ConfigFile.New(path, "the file cannot be read ("+reason(err)+")", "")
	}
	return Parse(path, data, Options{})
}

// Parse reads a document. path names it in messages and is where relative paths start. The error joins all faults; what
// could be read, the settings for one, is there beside it.
func Parse(path string, data []byte, o Options) (*Application, error) {
	d := newDocument(path, o)
	if root := d.parse(data); root != nil {
		d.expandAll(root, map[*value]bool{})
		d.application(root)
	}
	return d.app, errors.Join(d.sorted()...)
}

// newDocument is a document at path before it is read.
func newDocument(path string, o Options) *document {
	if o.LookupEnv == nil {
		o.LookupEnv = os.LookupEnv
	}
	if o.ReadFile == nil {
		o.ReadFile = ReadFile
	}
	d := &document{source: source{name: path}, options: o, app: &Application{
		Path: path, Config: map[string]string{}, ConfigWhere: map[string]string{},
		Modules: map[string]Module{}, NodeWhere: map[string]string{},
	}}
	d.app.source = &d.source
	return d
}

// document is an application while it is read.
type document struct {
	source
	options Options
	app     *Application
	builder *dsl.StreamsBuilder
	ops     []*operation
	stores  []*storeEntry
	root    *value
	// nodes are the entries of topology, connections what they let use what.
	nodes       []*nodeCall
	connections []connection
	// own is the name of the module that the document comes from, "" for a file.
	own string
	// uncertain: an operator failed, so that the names generated after it are not those that the whole would have.
	uncertain bool
}

// topFields are the keys of a document.
var topFields = []string{"apiVersion", "kind", "metadata", "config", "modules", "operators", "stores", "topology"}

func (d *document) application(root *value) {
	if root.kind != mapping {
		d.faultAt(errs.YAMLInvalid, root, "an application is a mapping (got "+root.kindName()+")", "begin with apiVersion: "+APIVersion)
		return
	}
	d.root = root
	d.unknown(root, topFields, "an application")
	d.head(root)
	d.config(root.get("config"))
	d.modules(root.get("modules"))
	d.builder = d.newBuilder()
	d.readStores(root.get("stores"))
	d.operators(root, root.get("operators"))
	d.readNodes(root.get("topology"))
	d.orphans()
	d.build()
	d.name(root)
}

func (d *document) head(root *value) {
	d.exactly(root, "apiVersion", APIVersion)
	d.exactly(root, "kind", Kind)
	meta := root.get("metadata")
	if meta == nil {
		return
	}
	if d.isMapping(meta, "metadata") {
		d.unknown(meta, []string{"name", "description", "labels"}, "metadata")
		d.app.Name = d.text(meta.get("name"), "name")
		d.text(meta.get("description"), "description")
		d.stringMap(meta.get("labels"), "labels")
	}
}

func (d *document) exactly(root *value, key, want string) {
	v := root.get(key)
	if v == nil && d.misspelt(root, key, topFields) {
		return
	}
	if v == nil {
		d.faultAt(errs.YAMLInvalid, root, key+" is missing", "write "+key+": "+want)
		return
	}
	if got := d.text(v, key); got != want && got != "" {
		d.faultAt(errs.YAMLInvalid, v, fmt.Sprintf("%s %q is not known", key, got), "write "+key+": "+want)
	}
}

// config keeps the settings with their places.
func (d *document) config(v *value) {
	if v == nil || !d.isMapping(v, "config") {
		return
	}
	for _, e := range v.entries {
		d.app.ConfigWhere[e.key] = d.where(e.line, e.col)
		if e.value.kind != scalar {
			d.fault(errs.YAMLInvalid, e.line, e.col, fmt.Sprintf("the setting %q needs a single value (got %s)", e.key, e.value.kindName()),
				`write the key as Kafka spells it, with dots, and "" for an empty value`)
			continue
		}
		if e.value.broken || !d.maySet(e) {
			continue
		}
		d.app.Config[e.key] = strings.ReplaceAll(e.value.text, "$", "$$")
	}
}

// name completes what metadata and config say of each other.
func (d *document) name(root *value) {
	id, given := d.app.Config["application.id"]
	switch {
	case d.app.Name == "":
		d.app.Name = strings.ReplaceAll(id, "$$", "$")
	case !given:
		d.app.Config["application.id"] = strings.ReplaceAll(d.app.Name, "$", "$$")
		v := root.get("metadata").get("name")
		d.app.ConfigWhere["application.id"] = d.where(v.line, v.col)
	}
}

// excerptAt is the excerpt of a place that where made.
func (d *document) excerptAt(where string) string { return d.excerpt(d.place(where)) }

var moduleFields = []string{"path", "digest", "limits", "components"}

func (d *document) modules(v *value) {
	if v == nil || !d.isMapping(v, "modules") {
		return
	}
	for _, e := range v.entries {
		if d.own != "" && e.key != d.own {
			d.fault(errs.ModuleTopology, e.line, e.col, fmt.Sprintf("a module's topology has no other modules (got %q)", e.key), "write "+d.own+", or write an application that names both")
			continue
		}
		if strings.Contains(e.key, "/") || e.key == "" {
			d.fault(errs.YAMLInvalid, e.line, e.col, fmt.Sprintf("%q cannot name a module", e.key), "use letters, digits and dashes")
		}
		if !d.isMapping(e.value, "a module") {
			continue
		}
		d.unknown(e.value, moduleFields, "a module")
		m := Module{Where: d.where(e.line, e.col), Digest: d.text(e.value.get("digest"), "digest")}
		if m.Digest != "" && !isDigest(m.Digest) {
			d.faultAt(errs.YAMLInvalid, e.value.get("digest"), "a digest is sha256: and 64 hexadecimal digits", "wasmstream module inspect F.wasm prints it")
		}
		m.Limits, m.Components = d.settings(e.value.get("limits"), "limits"), d.components(e.value.get("components"))
		if d.own != "" {
			d.onlyItself(e.value)
			m.Path = d.source.name
		} else if path := d.required(e.value, "path", "a module", moduleFields); path != "" {
			m.Path = d.resolve(path)
		}
		d.app.Modules[e.key] = m
	}
}

// onlyItself refuses what a module cannot say of itself: where it lies and what it is.
func (d *document) onlyItself(v *value) {
	for _, key := range []string{"path", "digest"} {
		if field := v.get(key); field != nil {
			d.faultAt(errs.ModuleTopology, field, "a module cannot say its own "+key, "remove it")
		}
	}
}

// components reads what is said of the components of a module.
func (d *document) components(v *value) (all []Component) {
	if v == nil || !d.isMapping(v, "components") {
		return nil
	}
	for _, e := range v.entries {
		if !d.isMapping(e.value, "a component") {
			continue
		}
		d.unknown(e.value, []string{"limits", "onError"}, "a component")
		c := Component{Name: e.key, Where: d.where(e.line, e.col), Limits: d.settings(e.value.get("limits"), "limits")}
		switch policy := e.value.get("onError"); {
		case policy == nil:
		case policy.kind == scalar:
			c.OnError = []Setting{{"policy", d.text(policy, "onError"), d.where(policy.line, policy.col)}}
		default:
			c.OnError = d.settings(policy, "onError")
		}
		all = append(all, c)
	}
	return all
}

// settings reads a mapping of keys to single values.
func (d *document) settings(v *value, what string) (all []Setting) {
	if v == nil || !d.isMapping(v, what) {
		return nil
	}
	for _, e := range v.entries {
		if e.value.kind != scalar {
			d.fault(errs.YAMLInvalid, e.line, e.col, fmt.Sprintf("%q of %s needs a single value (got %s)", e.key, what, e.value.kindName()), "write the key with dots, and one value behind the colon")
			continue
		}
		all = append(all, Setting{e.key, e.value.text, d.where(e.line, e.col)})
	}
	return all
}

func isDigest(s string) bool {
	hex, ok := strings.CutPrefix(s, "sha256:")
	return ok && len(hex) == 64 && strings.Trim(hex, "0123456789abcdef") == ""
}

// resolve makes a path of the document one of the process.
func (d *document) resolve(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(d.source.name), filepath.FromSlash(path))
}
