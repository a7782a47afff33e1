package dsl

import (
	"github.com/wasmstream/wasmstream/topology"
)

// Branch sends each record to the child of the first predicate that answers it, or with Default to the last child
// when none does; else the record is dropped. The children are in the order of the predicates.
type Branch struct {
	Predicates []Call `json:"predicates,omitempty"`
	Default    bool   `json:"default,omitempty"`
}

// GuestUses are those of all predicates.
func (s Branch) GuestUses() []topology.GuestUse {
	var uses []topology.GuestUse
	for _, p := range s.Predicates {
		uses = append(uses, p.GuestUses()...)
	}
	return uses
}

// New makes the processor of a task.
func (s Branch) New() (topology.Processor, error) {
	p := &branchProcessor{toDefault: s.Default}
	for _, c := range s.Predicates {
		p.predicates = append(p.predicates, &userNode{call: c})
	}
	return p, nil
}

type branchProcessor struct {
	ctx        topology.Context
	predicates []*userNode
	toDefault  bool
	// asked are the records that no predicate took yet, at their positions in the frame.
	asked     []topology.Record
	positions []int32
	out       []topology.Record
}

func (p *branchProcessor) Init(ctx topology.Context) error {
	p.ctx = ctx
	for _, n := range p.predicates {
		if err := n.Init(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Process asks one predicate after another, each about what the ones before left, and forwards in the order of the
// frame.
func (p *branchProcessor) Process(frame []topology.Record) error {
	p.out = append(p.out[:0], frame...)
	p.asked = append(p.asked[:0], frame...)
	p.positions = p.positions[:0]
	for i := range p.out {
		p.out[i].Dest = -1
		p.positions = append(p.positions, int32(i))
	}
	for branch, n := range p.predicates {
		if len(p.asked) == 0 {
			break
		}
		if err := p.take(n, int32(branch)+1); err != nil {
			return err
		}
	}
	rest := int32(-1)
	if p.toDefault {
		rest = int32(len(p.predicates)) + 1
	}
	return p.forward(rest)
}

// take marks what n answers as going to the child dest and keeps the others for the next predicate.
func (p *branchProcessor) take(n *userNode, dest int32) error {
	answers, err := n.ask(p.asked)
	if err != nil {
		return err
	}
	next, kept := 0, 0
	for i, at := range p.positions {
		if next < len(answers) && int(answers[next].Index) == i {
			p.out[at].Dest = dest
			for next < len(answers) && int(answers[next].Index) == i {
				next++
			}
			continue
		}
		p.asked[kept], p.positions[kept] = p.asked[i], at
		kept++
	}
	p.asked, p.positions = p.asked[:kept], p.positions[:kept]
	return nil
}

// forward drops what goes nowhere and forwards the rest. rest is the child of the records that no predicate took, or
// -1.
func (p *branchProcessor) forward(rest int32) error {
	kept := p.out[:0]
	for i := range p.out {
		r := &p.out[i]
		if r.Dest < 0 {
			r.Dest = rest
		}
		if r.Dest > 0 {
			kept = append(kept, *r)
		}
	}
	return forwardByDest(p.ctx, kept)
}

func (p *branchProcessor) Close() error { return nil }

// destForwarder is a context that takes records for different children in one frame and knows from the topology how
// they may be put together.
type destForwarder interface {
	ForwardDest(frame []topology.Record) error
}

// forwardByDest hands each record to the child that its Dest names, in order. Without help from the context, runs of
// records with the same destination go together.
func forwardByDest(ctx topology.Context, frame []topology.Record) error {
	if f, ok := ctx.(destForwarder); ok && len(frame) > 0 {
		return f.ForwardDest(frame)
	}
	for start := 0; start < len(frame); {
		dest, end := frame[start].Dest, start+1
		for end < len(frame) && frame[end].Dest == dest {
			end++
		}
		if err := forwardRun(ctx, frame[start:end], dest); err != nil {
			return err
		}
		start = end
	}
	return nil
}

func forwardRun(ctx topology.Context, run []topology.Record, dest int32) error {
	if dest == topology.AllChildren {
		return ctx.Forward(run)
	}
	return ctx.ForwardTo(int(dest)-1, run)
}
