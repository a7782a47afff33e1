package wasm

import (
	"context"
	"errors"
	"fmt"

	"github.com/wasmstream/wasmstream/abi"
	"github.com/wasmstream/wasmstream/internal/errs"
)

// readManifest parses the manifest: from its custom sections, else by asking the module.
func (e *Engine) readManifest(ctx context.Context, name string, m *module, c *compiled) error {
	text, sections := manifestSection(m)
	if sections == 0 {
		if !c.exported.describe {
			return errs.ModuleManifest.New(name, fmt.Sprintf("the module has neither a custom section %s nor an export %s", abi.ManifestSection, abi.ExportDescribe), "")
		}
		var err error
		if text, err = e.askManifest(ctx, name, c); err != nil {
			if trap, ok := errors.AsType[*TrapError](err); ok {
				coded := trap.Coded(name)
				coded.What = "asking the module for its manifest failed"
				return coded.WithCause(trap)
			}
			return errs.ModuleManifest.New(name, "asking the module for its manifest failed", "").WithCause(err)
		}
	}
	var err error
	c.manifest = text
	c.info.Manifest, err = parseManifest(name, text, sections)
	return err
}

// askManifest runs ws_describe on an instance of its own.
func (e *Engine) askManifest(ctx context.Context, name string, c *compiled) (text []byte, err error) {
	mod := &Module{engine: e, name: name, compiled: c}
	in, err := mod.instantiate(ctx, noHost{}, Limits{})
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return in.describe()
}
