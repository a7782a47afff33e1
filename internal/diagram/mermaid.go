package diagram

import (
	"fmt"
	"strings"
)

// Mermaid is the flow chart that Mermaid draws, as in a fenced block of a README.
func (g *Graph) Mermaid() string {
	var b strings.Builder
	b.WriteString("flowchart TD\n")
	for _, i := range g.outside() {
		g.mermaidItem(&b, "  ", i)
	}
	for n, c := range g.Clusters {
		fmt.Fprintf(&b, "  subgraph sub%d[\"%s\"]\n", n, mermaidText(c.Title))
		for _, i := range c.Items {
			g.mermaidItem(&b, "    ", i)
		}
		b.WriteString("  end\n")
	}
	for _, l := range g.Links {
		arrow := "-->"
		if l.Store {
			arrow = "-.-"
		}
		fmt.Fprintf(&b, "  n%d %s n%d\n", l.From, arrow, l.To)
	}
	return b.String()
}

// mermaidShapes are the brackets that make the shape of each kind.
var mermaidShapes = [...][2]string{Topic: {"([", "])"}, Source: {"[/", "/]"}, Processor: {"[", "]"}, Sink: {"[\\", "\\]"}, Store: {"[(", ")]"}}

func (g *Graph) mermaidItem(b *strings.Builder, indent string, i int) {
	item := g.Items[i]
	lines := []string{mermaidText(item.Name)}
	for _, note := range item.Notes {
		lines = append(lines, "<i>"+mermaidText(note)+"</i>")
	}
	shape := mermaidShapes[item.Kind]
	fmt.Fprintf(b, "%sn%d%s\"%s\"%s\n", indent, i, shape[0], strings.Join(lines, "<br/>"), shape[1])
}

// mermaidText writes what has a meaning in a label by Mermaid's codes.
func mermaidText(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r < ' ' || r == '\u007f':
			b.WriteByte(' ')
		case strings.ContainsRune("\"#<>&`\\*", r):
			fmt.Fprintf(&b, "#%d;", r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
