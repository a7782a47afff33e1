package dsl

import (
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/wasmstream/wasmstream/topology"
)

const printName = "KSTREAM-PRINTER-"

// Printed says where and how a stream is printed. The zero value prints to standard output under the name of the node
// that the stream comes from.
type Printed struct {
	Name, Label string
	// To is where lines are written, by one task at a time; nil is standard output.
	To io.Writer
}

// Print writes each record as a line "[label]: key, value", for development. Nothing comes after it.
func (s *KStream) Print(o ...Printed) {
	p := first(o)
	if p.Label == "" {
		p.Label = s.Name()
	}
	if p.To == nil {
		p.To = os.Stdout
	}
	printer := &Print{
		Label: p.Label, KeySerde: serdeName(or(s.key, s.b.defaults.Key)), ValueSerde: serdeName(or(s.value, s.b.defaults.Value)), to: p.To,
	}
	s.processor(Named(p.Name), printName, printer)
}

// Print writes records as lines.
type Print struct {
	Label      string `json:"label"`
	KeySerde   string `json:"keySerde,omitempty"`
	ValueSerde string `json:"valueSerde,omitempty"`

	mu sync.Mutex // for to, which all tasks share
	to io.Writer
}

// New makes the processor of a task.
func (s *Print) New() (topology.Processor, error) { return &printer{spec: s}, nil }

func (s *Print) write(lines []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.to.Write(lines)
	return err
}

type printer struct {
	spec       *Print
	key, value topology.Serde
	lines      []byte
}

// Init finds the serdes.
func (p *printer) Init(ctx topology.Context) (err error) {
	if p.key, err = serdeOrDefault(ctx, p.spec.KeySerde, "default.key.serde"); err != nil {
		return err
	}
	p.value, err = serdeOrDefault(ctx, p.spec.ValueSerde, "default.value.serde")
	return err
}

func (p *printer) Process(frame []topology.Record) (err error) {
	p.lines = p.lines[:0]
	for i := range frame {
		p.lines = append(append(append(p.lines, '['), p.spec.Label...), "]: "...)
		if p.lines, err = topology.AppendText(p.lines, p.key, frame[i].Key); err != nil {
			return err
		}
		p.lines = append(p.lines, ", "...)
		if p.lines, err = topology.AppendText(p.lines, p.value, frame[i].Value); err != nil {
			return err
		}
		p.lines = append(p.lines, '\n')
	}
	if err := p.spec.write(p.lines); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	return nil
}

// Close has nothing to release: the writer belongs to who gave it.
func (p *printer) Close() error { return nil }
