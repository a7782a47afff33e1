package spec

import (
	"strings"

	"github.com/wasmstream/wasmstream/internal/errs"
)

// expandAll replaces the references in all scalars below v: ${env:NAME}, ${env:NAME:-default}, ${file:path}. $$ is a
// dollar sign. What a reference gives is text, whatever it looks like, and never read as YAML.
func (d *document) expandAll(v *value, seen map[*value]bool) {
	if v == nil || seen[v] {
		return
	}
	seen[v] = true
	if v.kind == scalar && strings.Contains(v.text, "$") {
		d.expand(v)
	}
	for _, e := range v.entries {
		d.expandAll(e.value, seen)
	}
	for _, item := range v.items {
		d.expandAll(item, seen)
	}
}

func (d *document) expand(v *value) {
	v.broken = true // until the end is reached
	var out strings.Builder
	rest := v.text
	for {
		before, after, found := strings.Cut(rest, "$")
		out.WriteString(before)
		switch {
		case !found:
			v.text, v.broken = out.String(), false
			return
		case strings.HasPrefix(after, "$"):
			out.WriteByte('$')
			rest = after[1:]
		case !strings.HasPrefix(after, "{"):
			out.WriteByte('$')
			rest = after
		default:
			inner, tail, closed := strings.Cut(after[1:], "}")
			if !closed {
				d.faultAt(errs.YAMLInvalid, v, "${ without }", "close it, or write $$ for a dollar sign")
				return
			}
			text, ok := d.reference(v, inner)
			if !ok {
				return
			}
			if !d.unfold(v, len(text)) {
				return
			}
			out.WriteString(text)
			rest = tail
		}
	}
}

func (d *document) reference(v *value, inner string) (string, bool) {
	what, name, _ := strings.Cut(inner, ":")
	switch what {
	case "env":
		name, def, hasDefault := strings.Cut(name, ":-")
		if text, ok := d.options.LookupEnv(name); ok && (text != "" || !hasDefault) {
			return text, true
		}
		if !hasDefault {
			d.faultAt(errs.ConfigUnsetVariable, v, "the environment variable "+name+" is not set", "set it, or write ${env:"+name+":-default}")
		}
		return def, hasDefault
	case "file":
		data, err := d.options.ReadFile(d.resolve(name))
		if err != nil {
			d.faultAt(errs.ConfigUnsetVariable, v, "the file "+name+" cannot be read ("+reason(err)+")", "check the path; it starts at the folder of this document")
			return "", false
		}
		return strings.TrimRight(string(data), "\r\n"), true
	}
	d.faultAt(errs.YAMLInvalid, v, "${"+what+":...} is not known", "write ${env:NAME}, ${env:NAME:-default} or ${file:path}")
	return "", false
}

// reason is err without the path, which the message names already.
func reason(err error) string {
	return errs.WithoutPath(err).Error()
}
