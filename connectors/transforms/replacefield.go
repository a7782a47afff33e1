package transforms

import (
	"strings"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
)

// ReplaceField filters and renames fields.
type ReplaceField struct {
	closer
	side side
	ed   editor
}

// ConfigDef defines exclude, include and renames.
func (*ReplaceField) ConfigDef() *config.Def {
	return config.NewDef(
		config.Key{Name: "exclude", Type: config.List, Default: []string{}, Validator: config.FilledElements, Importance: config.Medium, Doc: "The fields that go, whatever include says."},
		config.Key{Name: "include", Type: config.List, Default: []string{}, Validator: config.FilledElements, Importance: config.Medium, Doc: "The only fields that stay, if there are any."},
		config.Key{Name: "renames", Type: config.List, Default: []string{}, Validator: config.Check(checkRenames), Importance: config.Medium, Doc: "New names, as old:new,old:new."},
		replaceNullKey(), pathsKey(),
	)
}

func checkRenames(_ string, value any) error {
	list, _ := value.([]string)
	for _, mapping := range list {
		if strings.Count(mapping, ":") != 1 || strings.HasSuffix(mapping, ":") {
			return config.Invalid("renames", list, "Invalid rename mapping: "+mapping)
		}
	}
	return nil
}

// Configure reads the settings.
func (f *ReplaceField) Configure(props config.Props) error {
	v, err := f.ConfigDef().Parse(props)
	if err != nil {
		return err
	}
	root := &edit{}
	include, err := pathsAt("include", v)
	if err != nil {
		return err
	}
	for _, p := range include {
		root.include(p.Steps)
	}
	exclude, err := pathsAt("exclude", v)
	if err != nil {
		return err
	}
	for _, p := range exclude {
		root.at(p.Steps).drop = true
	}
	for _, mapping := range v.List("renames") {
		from, to, _ := strings.Cut(mapping, ":")
		p, err := pathAt("renames", from, v)
		if err != nil {
			return err
		}
		if len(include) == 0 || root.reaches(p.Steps) {
			root.setRename(p.Steps, to)
		}
	}
	f.ed = editor{edit: root, defaults: v.Bool(replaceNull), purpose: "field replacement"}
	return nil
}

// include keeps nothing but the paths given on each level that one of them passes.
func (e *edit) include(steps []string) {
	for _, step := range steps {
		if e.kept {
			return
		}
		e.only = true
		e = e.at([]string{step})
	}
	e.kept, e.only, e.kids, e.named = true, false, nil, nil
}

// reaches tells whether a field is kept.
func (e *edit) reaches(steps []string) bool {
	for _, step := range steps {
		kid := e.kid(step)
		if kid == nil {
			return !e.only
		}
		e = kid
	}
	return true
}

// Apply filters and renames; a null is left alone.
func (f *ReplaceField) Apply(r *connectors.Record) (bool, error) {
	return f.ApplyDraft(r, &connectors.Draft{})
}

// ApplyDraft implements connectors.DraftTransformation.
func (f *ReplaceField) ApplyDraft(r *connectors.Record, d *connectors.Draft) (bool, error) {
	sv := f.side.of(r)
	if sv.Value.IsNull() {
		return true, nil
	}
	return true, f.ed.change(sv, nil, f.side.draft(d))
}
