package diagram

import (
	"fmt"
	"strings"
)

// DOT is the graph in the language of Graphviz.
func (g *Graph) DOT() string {
	var b strings.Builder
	fmt.Fprintf(&b, "digraph %s {\n  rankdir=TB\n  node [fontname=\"monospace\", fontsize=10]\n", dotText(g.Title))
	for _, i := range g.outside() {
		g.dotItem(&b, "  ", i)
	}
	for n, c := range g.Clusters {
		fmt.Fprintf(&b, "  subgraph cluster_%d {\n    label=%s\n", n, dotText(c.Title))
		for _, i := range c.Items {
			g.dotItem(&b, "    ", i)
		}
		b.WriteString("  }\n")
	}
	for _, l := range g.Links {
		style := ""
		if l.Store {
			style = " [dir=none, style=dashed]"
		}
		fmt.Fprintf(&b, "  n%d -> n%d%s\n", l.From, l.To, style)
	}
	b.WriteString("}\n")
	return b.String()
}

var dotShapes = [...]string{Topic: "oval", Source: "invhouse", Processor: "box", Sink: "house", Store: "cylinder"}

func (g *Graph) dotItem(b *strings.Builder, indent string, i int) {
	item := g.Items[i]
	label := strings.Join(append([]string{item.Name}, item.Notes...), "\n")
	fmt.Fprintf(b, "%sn%d [label=%s, shape=%s]\n", indent, i, dotText(label), dotShapes[item.Kind])
}

// dotText is a quoted string. Graphviz knows the escapes \" \\ and \n in labels.
func dotText(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(text) + `"`
}
