package wasm

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"sync"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/wasmstream/wasmstream/internal/errs"
)

// features are WebAssembly 2.0 and nothing of what came after: wazero's code for exceptions, tail calls and threads is
// young, and threads have no meaning here.
const features = api.CoreFeaturesV2

// Engine compiles modules and owns their code. One is enough for a process: code may not be shared between engines.
type Engine struct {
	config  Config
	runtime wazero.Runtime
	cache   wazero.CompilationCache

	mu struct {
		sync.Mutex
		// compiled holds one entry for each digest that a Module refers to. An entry is made before it is compiled, so
		// that whoever asks for the same digest meanwhile waits for it (compiled.done) and does not compile again.
		compiled map[string]*compiled
	}
}

// NewEngine makes an engine. ctx is not kept.
func NewEngine(ctx context.Context, config Config) (*Engine, error) {
	config = config.withDefaults()
	if err := config.Validate(); err != nil {
		return nil, fmt.Errorf("configuring the wasm engine: %w", err)
	}
	rc := wazero.NewRuntimeConfigCompiler()
	if config.Interpreter {
		rc = wazero.NewRuntimeConfigInterpreter()
	}
	rc = rc.WithCoreFeatures(features).WithMemoryLimitPages(maxMemoryBytes / pageSize).WithDebugInfoEnabled(false)
	cache, err := openCache(config)
	if err != nil {
		return nil, err
	}
	if cache != nil {
		rc = rc.WithCompilationCache(cache)
	}
	e := &Engine{config: config, runtime: wazero.NewRuntimeWithConfig(ctx, rc), cache: cache}
	e.mu.compiled = map[string]*compiled{}
	if err := e.instantiateImports(ctx); err != nil {
		return nil, fmt.Errorf("offering the imports: %w", errJoinClose(err, e.Close(ctx)))
	}
	return e, nil
}

// Close ends every instance and frees all code. Instances must not be running.
func (e *Engine) Close(ctx context.Context) error {
	err := e.runtime.Close(ctx)
	if e.cache != nil {
		err = errJoinClose(err, e.cache.Close(ctx))
	}
	return err
}

// Compile judges, meters and compiles a module; name is what it is called in messages. wasm is borrowed. The same bytes
// are compiled once, however many ask; each caller closes the Module it got.
func (e *Engine) Compile(ctx context.Context, name string, wasm []byte) (*Module, error) {
	c, first := e.entry(Digest(wasm), len(wasm))
	if first {
		c.err = e.compile(ctx, name, wasm, c)
		close(c.done)
	}
	select {
	case <-c.done:
	case <-ctx.Done():
		e.release(ctx, c)
		return nil, ctx.Err()
	}
	if c.err != nil {
		e.release(ctx, c)
		return nil, c.err
	}
	return &Module{engine: e, name: name, compiled: c}, nil
}

// Digest is the name of a module's bytes: "sha256:" and 64 hexadecimal digits.
func Digest(wasm []byte) string {
	sum := sha256.Sum256(wasm)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// compiled is the code of one digest, shared by its Modules.
type compiled struct {
	digest   string
	size     int
	done     chan struct{} // closed when err and what follows are set
	err      error
	code     wazero.CompiledModule
	info     *Info
	refs     int // guarded by Engine.mu
	exported exportSet
}

// entry returns the entry of a digest with one reference more, and whether the caller is the one to compile it.
func (e *Engine) entry(digest string, size int) (c *compiled, first bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	c = e.mu.compiled[digest]
	if c == nil {
		first = true
		c = &compiled{digest: digest, size: size, done: make(chan struct{})}
		e.mu.compiled[digest] = c
	}
	c.refs++
	return c, first
}

// release gives a reference back; the last one frees the code. A failed entry is forgotten at once, so that the next
// to ask tries again.
func (e *Engine) release(ctx context.Context, c *compiled) {
	e.mu.Lock()
	c.refs--
	last := c.refs == 0
	if last && e.mu.compiled[c.digest] == c {
		delete(e.mu.compiled, c.digest)
	}
	e.mu.Unlock()
	if last && c.code != nil {
		if err := c.code.Close(ctx); err != nil {
			e.config.Logger.Warn("freeing compiled code", slog.String("digest", c.digest), slog.Any("error", err))
		}
	}
}

// compile fills c.
func (e *Engine) compile(ctx context.Context, name string, wasm []byte, c *compiled) error {
	mod, err := decode(name, wasm)
	if err != nil {
		return err
	}
	if c.exported, err = checkContract(mod); err != nil {
		return err
	}
	var bytes []byte
	if e.config.DisableMetering {
		bytes = plain(mod)
	} else {
		bytes = meter(mod, e.config.Limits.StackBytes)
	}
	c.info = describe(mod, c.digest)
	if limit := e.config.Limits.MemoryBytes; c.info.MemoryMinBytes > limit {
		return errs.ModuleTooLarge.New(name, fmt.Sprintf("the module begins with more memory than it may have (got %d KiB, at most %d KiB)", c.info.MemoryMinBytes>>10, limit>>10),
			"lower the stack size and static data (zig cc: -Wl,-z,stack-size=65536), or raise the limit")
	}
	if c.code, err = e.compileCode(ctx, mod, bytes); err != nil {
		return err
	}
	if err := e.readManifest(ctx, name, mod, c); err != nil {
		return err
	}
	e.noteCached(c)
	return nil
}

// compileCode hands bytes to wazero, which validates the types that decode leaves to it.
func (e *Engine) compileCode(ctx context.Context, mod *module, bytes []byte) (wazero.CompiledModule, error) {
	code, err := e.runtime.CompileModule(experimental.WithCompilationWorkers(ctx, e.workers()), bytes)
	if err != nil {
		return nil, mod.malformed(0, "does not validate").WithCause(err)
	}
	return code, nil
}
