package wasm

import (
	"context"
	"slices"
	"sync"

	"github.com/wasmstream/wasmstream/abi"
)

// Module is a compiled guest. It may be used by any number of goroutines.
type Module struct {
	engine   *Engine
	name     string
	compiled *compiled
	closing  sync.Once
}

// Name is what the module was called when it was compiled.
func (m *Module) Name() string { return m.name }

// Digest is "sha256:..." of the module's bytes, before metering.
func (m *Module) Digest() string { return m.compiled.digest }

// Size is the number of the module's bytes.
func (m *Module) Size() int { return m.compiled.size }

// Manifest is what the module says of itself. The caller must not change its slices.
func (m *Module) Manifest() abi.Manifest { return m.compiled.info.Manifest }

// Info is all that can be told about the module without running it. The caller must not change its slices.
func (m *Module) Info() Info { return *m.compiled.info }

// Imports are the functions that the module asks for, as "module.name".
func (m *Module) Imports() []string {
	names := make([]string, len(m.compiled.info.Imports))
	for i, f := range m.compiled.info.Imports {
		names[i] = f.Module + "." + f.Name
	}
	return names
}

// Exports are the names of the functions that the module gives, sorted.
func (m *Module) Exports() []string {
	names := make([]string, len(m.compiled.info.Exports))
	for i, f := range m.compiled.info.Exports {
		names[i] = f.Name
	}
	slices.Sort(names)
	return names
}

// MemoryBytes is the memory that an instance begins with.
func (m *Module) MemoryBytes() uint64 { return m.compiled.info.MemoryMinBytes }

// Instantiate makes an instance: its memory, its start function and _initialize. limits can only tighten the engine's.
// ctx is not kept; to end a running instance from outside use Interrupt.
func (m *Module) Instantiate(ctx context.Context, host Host, limits Limits) (*Instance, error) {
	return m.instantiate(ctx, host, limits)
}

// Close gives the module back. Its instances must be closed before. It can be called twice.
func (m *Module) Close() error {
	m.closing.Do(func() { m.engine.release(context.Background(), m.compiled) })
	return nil
}
