package diagram

import (
	"encoding/xml"
	"fmt"
	"math"
	"strings"
)

// Sizes of the drawing, in SVG's units.
const (
	margin     = 24.0
	charWidth  = 6.7 // of the font in style, and a little more
	lineHeight = 15.0
	padX, padY = 12.0, 8.0
	boxGapX    = 22.0
	boxGapY    = 36.0
	titleSpace = 28.0 // above the items of a cluster
	framePad   = 14.0
)

// style is that of light pages, and of dark ones where the reader prefers them.
const style = `
text{font:11px ui-monospace,Menlo,Consolas,"DejaVu Sans Mono",monospace;text-anchor:middle;fill:#1b1f24}
text.note{font-style:italic;fill:#57606a}
text.title{text-anchor:start;fill:#57606a}
.page{fill:#fff}
.frame{fill:#f6f8fa;stroke:#d0d7de}
.topic{fill:#ddf4ff;stroke:#0969da}
.source,.processor,.sink{fill:#fff;stroke:#57606a}
.store{fill:#fff8c5;stroke:#9a6700}
.link{fill:none;stroke:#57606a}
.link.store{fill:none;stroke:#9a6700;stroke-dasharray:4 3}
.tip{fill:#57606a}
@media (prefers-color-scheme:dark){text{fill:#e6edf3}text.note,text.title{fill:#9198a1}.page{fill:#0d1117}.frame{fill:#151b23;stroke:#3d444d}.topic{fill:#12263f;stroke:#4493f8}.source,.processor,.sink{fill:#212830;stroke:#9198a1}.store{fill:#2e2a12;stroke:#d29922}.link{stroke:#9198a1}.tip{fill:#9198a1}}
`

// SVG is the picture. It needs no font, script or other file.
func (g *Graph) SVG() string {
	p := g.layout()
	width, height := p.width+2*margin, p.height+2*margin
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%[1]d" height="%[2]d" viewBox="0 0 %[1]d %[2]d" role="img">`, round(width), round(height))
	fmt.Fprintf(&b, "\n<title>%s</title>\n<style>%s</style>\n", escape("Topology of "+g.Title), style)
	b.WriteString(`<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path class="tip" d="M0 0L8 4L0 8z"/></marker></defs>` + "\n")
	fmt.Fprintf(&b, "<rect class=\"page\" width=\"100%%\" height=\"100%%\"/>\n<g transform=\"translate(%d %d)\">\n", round(margin), round(margin))
	for n, f := range p.frames {
		fmt.Fprintf(&b, "<rect class=\"frame\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"6\"/>\n", round(f.x-f.w/2), round(f.y), round(f.w), round(f.h))
		fmt.Fprintf(&b, "<text class=\"title\" x=\"%d\" y=\"%d\">%s</text>\n", round(f.x-f.w/2+framePad), round(f.y+18), escape(g.Clusters[n].Title))
	}
	for i, l := range g.Links {
		class, tip := "link", ` marker-end="url(#tip)"`
		if l.Store {
			class, tip = "link store", ""
		}
		fmt.Fprintf(&b, "<path class=\"%s\" d=\"%s\"%s/>\n", class, curve(p.routes[i], p.up[i]), tip)
	}
	for i, item := range g.Items {
		drawItem(&b, item, p.items[i])
	}
	b.WriteString("</g>\n</svg>\n")
	return b.String()
}

// picture is where everything lies.
type picture struct {
	items  []box
	frames []box
	routes [][]point // of each link
	up     []bool    // of each link: it closes a cycle

	width, height float64
}

// layout places the items of each cluster, and then clusters and topics.
func (g *Graph) layout() *picture {
	p := &picture{items: make([]box, len(g.Items)), routes: make([][]point, len(g.Links)), up: make([]bool, len(g.Links))}
	whole := &layered{gapX: 2 * boxGapX, gapY: boxGapY * 1.25, low: true}
	owner := make([]int, len(g.Items)) // the cluster of an item, or the topic, as a box of the whole
	inner := make([]*layered, len(g.Clusters))
	for n, c := range g.Clusters {
		inner[n] = g.layoutCluster(c, p)
		for _, i := range c.Items {
			owner[i] = n
		}
		title := charWidth*textWidth(c.Title) + 2*framePad
		whole.boxes = append(whole.boxes, box{w: max(inner[n].width+2*framePad, title), h: inner[n].height + titleSpace + framePad})
	}
	for _, i := range g.outside() {
		p.items[i] = sizeOf(g.Items[i])
		owner[i] = len(whole.boxes)
		whole.boxes = append(whole.boxes, p.items[i])
	}
	var between []int // the links of whole.edges
	for i, l := range g.Links {
		if from, to := owner[l.From], owner[l.To]; from != to {
			whole.edges = append(whole.edges, edge{from: from, to: to, fromDx: g.dx(l.From, p, inner, owner), toDx: g.dx(l.To, p, inner, owner)})
			between = append(between, i)
		}
	}
	whole.place()
	p.frames, p.width, p.height = whole.boxes[:len(g.Clusters)], whole.width, whole.height
	g.move(p, whole, inner, owner)
	for n, i := range between {
		p.routes[i], p.up[i] = whole.edges[n].route, whole.back[n]
		last, l := len(p.routes[i])-1, g.Links[i]
		p.routes[i][0].y = p.items[l.From].y + p.items[l.From].h
		p.routes[i][last].y = p.items[l.To].y
	}
	return p
}

// layoutCluster places the items of a cluster from its own corner on.
func (g *Graph) layoutCluster(c Cluster, p *picture) *layered {
	in := &layered{gapX: boxGapX, gapY: boxGapY}
	at := map[int]int{}
	for n, i := range c.Items {
		at[i] = n
		b := sizeOf(g.Items[i])
		b.last = g.Items[i].Kind == Sink
		in.boxes = append(in.boxes, b)
	}
	var links []int
	for i, l := range g.Links {
		from, ok := at[l.From]
		to, both := at[l.To]
		if ok && both {
			in.edges = append(in.edges, edge{from: from, to: to})
			links = append(links, i)
		}
	}
	in.place()
	for n, i := range c.Items {
		p.items[i] = in.boxes[n]
	}
	for n, i := range links {
		p.routes[i] = in.edges[n].route
	}
	return in
}

// dx is where an item lies from the centre of the cluster around it.
func (g *Graph) dx(i int, p *picture, inner []*layered, owner []int) float64 {
	if g.Items[i].Kind == Topic {
		return 0
	}
	return p.items[i].x - inner[owner[i]].width/2
}

// move brings everything from its place in its cluster to its place in the whole.
func (g *Graph) move(p *picture, whole *layered, inner []*layered, owner []int) {
	shift := func(n int) (dx, dy float64) {
		frame := whole.boxes[n]
		return frame.x - inner[n].width/2, frame.y + titleSpace
	}
	for i := range p.items {
		if g.Items[i].Kind == Topic {
			p.items[i] = whole.boxes[owner[i]]
			continue
		}
		dx, dy := shift(owner[i])
		p.items[i].x += dx
		p.items[i].y += dy
	}
	for i, route := range p.routes {
		if route == nil {
			continue
		}
		dx, dy := shift(owner[g.Links[i].From])
		for n := range route {
			route[n].x += dx
			route[n].y += dy
		}
	}
}

// sizeOf is the box that the text of an item needs.
func sizeOf(item Item) box {
	w := textWidth(item.Name)
	for _, note := range item.Notes {
		w = max(w, textWidth(note))
	}
	b := box{w: w*charWidth + 2*padX, h: lineHeight*float64(1+len(item.Notes)) + 2*padY}
	if item.Kind == Store {
		b.h += 8
	}
	return b
}

// textWidth is in characters of the font; those of East Asian scripts are twice as wide.
func textWidth(text string) float64 {
	n := 0.0
	for _, r := range text {
		if n++; r >= 0x1100 {
			n++
		}
	}
	return n
}

func drawItem(b *strings.Builder, item Item, at box) {
	class := [...]string{Topic: "topic", Source: "source", Processor: "processor", Sink: "sink", Store: "store"}[item.Kind]
	x, y, w, h := round(at.x-at.w/2), round(at.y), round(at.w), round(at.h)
	fmt.Fprintf(b, "<g><title>%s</title>", escape(class+" "+item.Name))
	top := at.y + padY
	switch item.Kind {
	case Store:
		top += 8
		fmt.Fprintf(b, `<path class="store" d="M%[1]d %[5]dv%[6]dc0 5 %[3]d 5 %[3]d 0v-%[6]dc0 -5 -%[3]d -5 -%[3]d 0c0 5 %[3]d 5 %[3]d 0"/>`, x, y, w, h, y+4, h-8)
	case Topic:
		fmt.Fprintf(b, `<rect class="topic" x="%d" y="%d" width="%d" height="%d" rx="%d"/>`, x, y, w, h, min(h/2, 16))
	default:
		fmt.Fprintf(b, `<rect class="%s" x="%d" y="%d" width="%d" height="%d" rx="3"/>`, class, x, y, w, h)
	}
	for n, line := range append([]string{item.Name}, item.Notes...) {
		kind := ""
		if n > 0 {
			kind = ` class="note"`
		}
		fmt.Fprintf(b, `<text%s x="%d" y="%d">%s</text>`, kind, round(at.x), round(top+lineHeight*float64(n)+11), escape(line))
	}
	b.WriteString("</g>\n")
}

// curve is the path along a route: see layered.route. One that goes up turns back below its beginning and above its end.
func curve(route []point, up bool) string {
	var b strings.Builder
	for n, to := range route {
		switch {
		case n == 0:
			fmt.Fprintf(&b, "M%d %d", round(to.x), round(to.y))
			continue
		case n%2 == 1:
			fmt.Fprintf(&b, "L%d %d", round(to.x), round(to.y))
			continue
		}
		from := route[n-1]
		first, second := (from.y+to.y)/2, (from.y+to.y)/2
		if turn := boxGapY * 0.75; up && n == 2 {
			first, second = from.y+turn, to.y+turn
		} else if up && n == len(route)-2 {
			first, second = from.y-turn, to.y-turn
		}
		fmt.Fprintf(&b, "C%d %d %d %d %d %d", round(from.x), round(first), round(to.x), round(second), round(to.x), round(to.y))
	}
	return b.String()
}

func round(v float64) int { return int(math.Round(v)) }

// escape is text for XML. What XML cannot hold becomes U+FFFD.
func escape(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a Builder takes everything
	return b.String()
}
