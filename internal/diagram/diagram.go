// Package diagram draws topologies: as text for Mermaid and Graphviz, and as SVG by a layout of its own.
//
// It knows the description of a topology and nothing of how one is made or run. A drawing depends on the description
// alone, so that two drawings of one topology are the same to the byte.
package diagram

import (
	"fmt"
	"slices"

	"github.com/wasmstream/wasmstream/topology"
)

// Kind is what an item stands for.
type Kind int

// The kinds of items.
const (
	Topic     Kind = iota
	Source         // a node that reads topics
	Processor      // a node between
	Sink           // a node that writes a topic
	Store          // a state store, beside the nodes that use it
)

// Item is something that is drawn.
type Item struct {
	Kind  Kind
	Name  string
	Notes []string // lines below the name: functions of a node, what a store or a topic is
}

// Cluster is a sub-topology: the items that lie in its frame.
type Cluster struct {
	Title string
	Items []int
}

// Link goes from one item to another; a link of a store has no direction.
type Link struct {
	From, To int
	Store    bool
}

// Graph is a topology as it is drawn: topics outside, each once, so that they link the sub-topologies.
type Graph struct {
	Title    string
	Items    []Item
	Clusters []Cluster
	Links    []Link

	topics map[string]int
}

// Of is the graph of a topology.
func Of(d topology.Description) *Graph {
	g := &Graph{Title: d.ApplicationID, topics: map[string]int{}}
	stores, internal := map[string]topology.StoreDescribed{}, map[string]bool{}
	for _, s := range d.Stores {
		stores[s.Name] = s
	}
	for _, t := range d.InternalTopics {
		internal[t.Name] = t.Type == "repartition"
	}
	for _, s := range d.Subtopologies {
		g.subtopology(fmt.Sprintf("Sub-topology: %d", s.ID), s, stores, internal)
	}
	for _, s := range d.GlobalSubtopologies {
		g.subtopology(fmt.Sprintf("Sub-topology: %d for global store", s.ID), s, stores, internal)
	}
	return g
}

func (g *Graph) add(i Item) int {
	g.Items = append(g.Items, i)
	return len(g.Items) - 1
}

// topic is the item of a topic, which all sub-topologies share.
func (g *Graph) topic(name string, internal bool) int {
	if at, ok := g.topics[name]; ok {
		return at
	}
	item := Item{Kind: Topic, Name: name}
	if internal {
		item.Notes = []string{"repartition"}
	}
	at := g.add(item)
	g.topics[name] = at
	return at
}

func (g *Graph) subtopology(title string, s topology.SubtopologyDescribed, stores map[string]topology.StoreDescribed, internal map[string]bool) {
	c := Cluster{Title: title}
	nodes, used := map[string]int{}, map[string]int{}
	for _, n := range s.Nodes {
		kind := map[string]Kind{"source": Source, "processor": Processor, "sink": Sink}[n.Type]
		at := g.add(Item{Kind: kind, Name: n.Name, Notes: functions(n)})
		nodes[n.Name] = at
		c.Items = append(c.Items, at)
		for _, name := range n.Stores {
			if _, ok := used[name]; !ok {
				used[name] = g.add(Item{Kind: Store, Name: name, Notes: storeNotes(stores, name)})
				c.Items = append(c.Items, used[name])
			}
			g.Links = append(g.Links, Link{From: at, To: used[name], Store: true})
		}
	}
	for _, n := range s.Nodes {
		g.topicLinks(n, nodes[n.Name], internal)
		for _, child := range n.Successors {
			g.Links = append(g.Links, Link{From: nodes[n.Name], To: nodes[child]})
		}
	}
	g.Clusters = append(g.Clusters, c)
}

// topicLinks are what a source reads and a sink writes.
func (g *Graph) topicLinks(n topology.NodeDescribed, at int, internal map[string]bool) {
	for _, name := range n.Topics {
		topic := g.topic(name, internal[name])
		if n.Type == "source" {
			g.Links = append(g.Links, Link{From: topic, To: at})
		} else {
			g.Links = append(g.Links, Link{From: at, To: topic})
		}
	}
	if n.Pattern != "" {
		g.Links = append(g.Links, Link{From: g.topic("topics like "+n.Pattern, false), To: at})
	}
}

// functions are the lines about what a node calls.
func functions(n topology.NodeDescribed) []string {
	var notes []string
	for _, use := range n.Guests {
		if note := use.Ref.Module + "/" + use.Ref.Component; !slices.Contains(notes, note) {
			notes = append(notes, note)
		}
	}
	return notes
}

// storeNotes is the line about a store; nothing is said of a global one, which has no choices.
func storeNotes(stores map[string]topology.StoreDescribed, name string) []string {
	s, ok := stores[name]
	if !ok {
		return nil
	}
	note := string(s.Type)
	if s.InMemory {
		note += ", in memory"
	}
	if s.Changelog == "" {
		note += ", not logged"
	}
	return []string{note}
}

// outside are the items in no cluster, in order.
func (g *Graph) outside() []int {
	var all []int
	for i, item := range g.Items {
		if item.Kind == Topic {
			all = append(all, i)
		}
	}
	return all
}
