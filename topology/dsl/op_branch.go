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
	// asked are the records that no predicate took yet; out are the others, branch after branch, each ending at taken.
	asked, out []topology.Record
	taken      []int
}

// Init opens the predicates.
func (p *branchProcessor) Init(ctx topology.Context) error {
	p.ctx = ctx
	for _, n := range p.predicates {
		if err := n.Init(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Process asks one predicate after another, each about what the ones before left. Then each branch gets its records in
// one frame: where branches meet again the runtime hands out frames of one, and elsewhere the order between branches
// cannot be seen.
func (p *branchProcessor) Process(frame []topology.Record) error {
	p.asked = append(p.asked[:0], frame...)
	p.taken = p.taken[:0]
	for _, n := range p.predicates {
		if err := p.take(n); err != nil {
			return err
		}
	}
	start := 0
	for branch, end := range p.taken {
		if end > start {
			if err := p.ctx.ForwardTo(branch, p.out[start:end]); err != nil {
				return err
			}
		}
		start = end
	}
	if p.toDefault && len(p.asked) > 0 {
		return p.ctx.ForwardTo(len(p.predicates), p.asked)
	}
	return nil
}

// take moves what n answers from asked to the end of out.
func (p *branchProcessor) take(n *userNode) error {
	if len(p.taken) == 0 {
		p.out = p.out[:0]
	}
	if len(p.asked) > 0 {
		said, err := n.ask(p.asked)
		if err != nil {
			return err
		}
		kept := p.asked[:0]
		for i := range p.asked {
			switch answers, skip := said.to(i); {
			case skip:
			case answers > 0:
				p.out = append(p.out, p.asked[i])
			default:
				kept = append(kept, p.asked[i])
			}
		}
		p.asked = kept
	}
	p.taken = append(p.taken, len(p.out))
	return nil
}

// Close has nothing to release: the instances of guests belong to the task.
func (p *branchProcessor) Close() error { return nil }

// forwardByDest hands each record to the child that its Dest names, in runs of one destination.
func forwardByDest(ctx topology.Context, frame []topology.Record) error {
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
