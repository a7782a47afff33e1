package diagram

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// described is a topology with everything that is drawn: a foreign-key join, whose sub-topologies lie in a circle, a
// global store, a pattern, functions, and a store that two nodes share.
func described(t *testing.T) topology.Description {
	t.Helper()
	b := dsl.NewStreamsBuilder(dsl.Defaults{Key: topology.String, Value: topology.JSON})
	products := b.Table("products", dsl.Consumed{})
	orders := b.Table("orders", dsl.Consumed{})
	joined := orders.LeftJoinForeignKey(products, dsl.Expr("value.product"), dsl.Guest("shop", "pair"), dsl.TableJoined{})
	joined.ToStream().To("out")
	countries := b.GlobalTable("countries", dsl.Consumed{})
	b.StreamPattern("click-.*", dsl.Consumed{}).JoinGlobalTable(countries, dsl.Expr("value.country"), dsl.Expr("left")).To("out")
	joined.GroupBy(dsl.MapExpr("value.city", "value.age")).Count(dsl.Materialized{InMemory: true, LoggingDisabled: true}).ToStream().To("counts")
	built, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return built.Description("fk")
}

// TestDrawings compares with testdata; WASMSTREAM_WRITE_DOCS=1 writes it.
func TestDrawings(t *testing.T) {
	g := Of(described(t))
	for name, got := range map[string]string{"fk.mermaid": g.Mermaid(), "fk.dot": g.DOT(), "fk.svg": g.SVG()} {
		path := filepath.Join("testdata", name)
		if os.Getenv("WASMSTREAM_WRITE_DOCS") != "" {
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestEmpty: a description without nodes is a picture too.
func TestEmpty(t *testing.T) {
	g := Of(topology.Description{ApplicationID: "none"})
	wellFormed(t, g.SVG())
	if got := g.Mermaid(); got != "flowchart TD\n" {
		t.Errorf("got %q", got)
	}
}

// TestHostileNames: names are text, in every form.
func TestHostileNames(t *testing.T) {
	name := "a\"]<script>&\\\n#%;`-->\x01"
	g := Of(topology.Description{ApplicationID: name, Subtopologies: []topology.SubtopologyDescribed{{
		Nodes: []topology.NodeDescribed{{Name: name, Type: "source", Topics: []string{name}, Stores: []string{name}}},
	}}})
	wellFormed(t, g.SVG())
	if n := strings.Count(g.Mermaid(), "\n"); n != 8 {
		t.Errorf("%d lines of Mermaid: %s", n, g.Mermaid())
	}
	for line := range strings.Lines(g.Mermaid()) {
		if n := strings.Count(line, `"`); n != 0 && n != 2 {
			t.Errorf("%d quotes in %s", n, line)
		}
		if strings.Contains(line, "<script>") {
			t.Errorf("a tag in %s", line)
		}
	}
	if want := `label="a\"]<script>&\\\n#%;`; !strings.Contains(g.DOT(), want) {
		t.Errorf("want %s in %s", want, g.DOT())
	}
}

// failer is a *testing.T or a *rapid.T.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

func wellFormed(t failer, svg string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(svg))
	for {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("%v in %s", err, svg)
		}
	}
}

// randomDescription has sub-topologies of processors that lead to later ones, some stores, and topics that link all of
// them in any direction.
func randomDescription(t *rapid.T) topology.Description {
	name := rapid.StringMatching(`[a-z]{1,30}`)
	topic := rapid.SampledFrom([]string{"a", "b", "c", "a-topic-with-a-long-name"})
	d := topology.Description{ApplicationID: "random"}
	for id := range rapid.IntRange(1, 4).Draw(t, "subtopologies") {
		s := topology.SubtopologyDescribed{ID: id}
		n := rapid.IntRange(1, 9).Draw(t, "nodes")
		unique := func(i int) string { return string(rune('A'+id)) + string(rune('A'+i)) }
		for i := range n {
			node := topology.NodeDescribed{Name: unique(i) + name.Draw(t, "name"), Type: "processor"}
			if i == 0 || rapid.IntRange(0, 4).Draw(t, "source") == 0 {
				node.Type, node.Topics = "source", []string{topic.Draw(t, "topic")}
			}
			if rapid.Bool().Draw(t, "stored") {
				node.Stores = []string{rapid.SampledFrom([]string{"one", "two"}).Draw(t, "store")}
			}
			s.Nodes = append(s.Nodes, node)
		}
		for i := range s.Nodes {
			for j := i + 1; j < n; j++ {
				if s.Nodes[j].Type == "processor" && rapid.IntRange(0, 2).Draw(t, "edge") == 0 {
					s.Nodes[i].Successors = append(s.Nodes[i].Successors, s.Nodes[j].Name)
				}
			}
		}
		sink := topology.NodeDescribed{Name: unique(n), Type: "sink", Topics: []string{topic.Draw(t, "written")}}
		s.Nodes[n-1].Successors = append(s.Nodes[n-1].Successors, sink.Name)
		s.Nodes = append(s.Nodes, sink)
		d.Subtopologies = append(d.Subtopologies, s)
	}
	return d
}

// TestLayoutHolds: nothing lies on anything else, every item lies in its frame, every link begins and ends at its items,
// and a second drawing is the same.
func TestLayoutHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := randomDescription(t)
		g := Of(d)
		p := g.layout()
		inside := map[int]int{}
		for n, c := range g.Clusters {
			for _, i := range c.Items {
				inside[i] = n
				if !holds(p.frames[n], p.items[i]) {
					t.Fatalf("%s %v is not in its frame %v", g.Items[i].Name, p.items[i], p.frames[n])
				}
			}
		}
		all := append([]box{}, p.items...)
		for i := range all {
			for j := range i {
				if overlap(all[i], all[j]) {
					t.Fatalf("%s lies on %s", g.Items[i].Name, g.Items[j].Name)
				}
			}
			for n, f := range p.frames {
				if at, in := inside[i]; (!in || at != n) && overlap(all[i], f) {
					t.Fatalf("%s lies on the frame %d", g.Items[i].Name, n)
				}
			}
			if whole := (box{x: p.width / 2, w: p.width, h: p.height}); !holds(whole, all[i]) {
				t.Fatalf("%s %v is not in the picture %v", g.Items[i].Name, all[i], whole)
			}
		}
		for i, l := range g.Links {
			from, to, r := p.items[l.From], p.items[l.To], p.routes[i]
			if len(r) < 4 || len(r)%2 != 0 || !near(r[0].x, from.x) || !near(r[0].y, from.y+from.h) || !near(r[len(r)-1].x, to.x) || !near(r[len(r)-1].y, to.y) {
				t.Fatalf("link %v from %v to %v: %v", l, from, to, r)
			}
		}
		if g.SVG() != Of(d).SVG() {
			t.Fatal("two drawings differ")
		}
		wellFormed(t, g.SVG())
	})
}

func near(a, b float64) bool { return math.Abs(a-b) < 1e-6 }

const slack = 1e-6

func overlap(a, b box) bool {
	return math.Abs(a.x-b.x) < (a.w+b.w)/2-slack && a.y < b.y+b.h-slack && b.y < a.y+a.h-slack
}

func holds(outer, b box) bool {
	return b.x-b.w/2 >= outer.x-outer.w/2-slack && b.x+b.w/2 <= outer.x+outer.w/2+slack && b.y >= outer.y-slack && b.y+b.h <= outer.y+outer.h+slack
}
