package dsl

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/expr"
)

const printName = "KSTREAM-PRINTER-"

// Printed says where and how a stream is printed. The zero value prints to standard output under the name of the node
// that the stream comes from.
type Printed struct {
	Name, Label string
	// To is where lines are written, by one task at a time; nil is File, or standard output without it.
	To io.Writer
	// File is written anew with the first record.
	File string
	// Mapper, a function of the kind mapValues, gives the text of a record; without it that is "key, value".
	Mapper Fn
}

// Print writes each record as a line "[label]: key, value", for development. Nothing comes after it.
func (s *KStream) Print(o ...Printed) {
	p := first(o)
	if p.Label == "" {
		p.Label = s.Name()
	}
	if p.To == nil && p.File == "" {
		p.To = os.Stdout
	}
	printer := &Print{
		Label: p.Label, File: p.File, KeySerde: serdeName(cmp.Or(s.key, s.b.defaults.Key)), ValueSerde: serdeName(cmp.Or(s.value, s.b.defaults.Value)), to: p.To,
	}
	if p.Mapper.isSet() {
		c, _ := s.call(expr.MapValues, p.Mapper.Out(nil, topology.String))
		printer.Mapper = &c
	}
	s.processor(Named(p.Name), printName, printer)
}

// Print writes records as lines.
type Print struct {
	Label      string `json:"label"`
	KeySerde   string `json:"keySerde,omitempty"`
	ValueSerde string `json:"valueSerde,omitempty"`
	File       string `json:"file,omitempty"`
	Mapper     *Call  `json:"mapper,omitempty"`

	mu    sync.Mutex // for what follows, which all tasks share
	to    io.Writer
	begun bool // the file is this application's
}

// GuestUses are those of the mapper.
func (s *Print) GuestUses() []topology.GuestUse {
	if s.Mapper == nil {
		return nil
	}
	return s.Mapper.GuestUses()
}

// New makes the processor of a task.
func (s *Print) New() (topology.Processor, error) { return &printer{spec: s}, nil }

func (s *Print) write(lines []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.to == nil {
		return s.append(lines)
	}
	_, err := s.to.Write(lines)
	return err
}

// append opens the file for each frame: it is for development, and nothing stays open.
func (s *Print) append(lines []byte) error {
	flags := os.O_WRONLY | os.O_CREATE | os.O_APPEND
	if !s.begun {
		flags |= os.O_TRUNC
	}
	f, err := os.OpenFile(s.File, flags, 0o644)
	if err != nil {
		return err
	}
	s.begun = true
	_, err = f.Write(lines)
	return errors.Join(err, f.Close())
}

type printer struct {
	spec       *Print
	key, value topology.Serde
	lines      []byte
	mapper     *asker
}

// Init finds the serdes.
func (p *printer) Init(ctx topology.Context) (err error) {
	if p.key, err = serdeOrDefault(ctx, p.spec.KeySerde, "default.key.serde"); err != nil {
		return err
	}
	if p.value, err = serdeOrDefault(ctx, p.spec.ValueSerde, "default.value.serde"); err != nil || p.spec.Mapper == nil {
		return err
	}
	p.mapper, err = openAsker(ctx, *p.spec.Mapper)
	return err
}

func (p *printer) Process(frame []topology.Record) (err error) {
	p.lines = p.lines[:0]
	for i := range frame {
		p.lines = append(append(append(p.lines, '['), p.spec.Label...), "]: "...)
		if err := p.text(&frame[i]); err != nil {
			return err
		}
		p.lines = append(p.lines, '\n')
	}
	if err := p.spec.write(p.lines); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	return nil
}

// text appends what is printed of a record.
func (p *printer) text(r *topology.Record) (err error) {
	if p.mapper != nil {
		text, err := p.mapper.value(r, r.Value, nil)
		if err != nil {
			return err
		}
		p.lines, err = topology.AppendText(p.lines, topology.String, text)
		return err
	}
	if p.lines, err = topology.AppendText(p.lines, p.key, r.Key); err != nil {
		return err
	}
	p.lines, err = topology.AppendText(append(p.lines, ", "...), p.value, r.Value)
	return err
}

// Close has nothing to release: the writer belongs to who gave it.
func (p *printer) Close() error { return nil }
