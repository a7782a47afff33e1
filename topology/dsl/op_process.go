package dsl

import (
	"fmt"

	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/expr"
)

// Process runs a guest processor: it may read and write its stores, schedule punctuators, and forward what it likes
// to any child. With Values it must leave keys alone.
type Process struct {
	Call
	Values bool `json:"values,omitempty"`
}

// GuestProcessor is the supplier of a guest for KStream.Process.
func GuestProcessor(module, component string) Process {
	return Process{Call: Call{Fn: Guest(module, component), Kind: expr.Process}}
}

// GuestValuesProcessor is the supplier of a guest for KStream.ProcessValues.
func GuestValuesProcessor(module, component string) Process {
	return Process{Call: Call{Fn: Guest(module, component), Kind: expr.ProcessValues}, Values: true}
}

// WithConfig hands settings to the guest.
func (s Process) WithConfig(config map[string]string) Process {
	s.Config = config
	return s
}

// New makes the processor of a task.
func (s Process) New() (topology.Processor, error) {
	return &guestProcessor{userNode: userNode{call: s.Call}, values: s.Values}, nil
}

type guestProcessor struct {
	userNode
	values bool
}

// Process hands the frame to the guest. What the guest forwards has every part as the guest gave it; the host has put
// in what it kept of its input.
func (p *guestProcessor) Process(frame []topology.Record) error {
	answers, err := p.fn.Call(frame, p.answers[:0])
	p.answers = answers
	if err != nil {
		return err
	}
	for i := range answers {
		if err := p.check(&answers[i], frame); err != nil {
			return err
		}
	}
	return forwardByDest(p.ctx, answers)
}

// check holds an answer to what its kind allows. A record that stems from none of the frame was kept from before.
func (p *guestProcessor) check(a *topology.Record, frame []topology.Record) error {
	switch {
	case int(a.Index) >= len(frame):
		return p.wrong(nil, fmt.Sprintf("an answer is for record %d of %d", a.Index, len(frame)))
	case p.values && a.Index >= 0 && !sameBytes(a.Key, frame[a.Index].Key):
		return p.wrong(&frame[a.Index], "the function must not change the key")
	}
	return nil
}
