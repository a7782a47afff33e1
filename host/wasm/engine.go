package wasm

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"runtime"
	"strconv"
	"sync"
	"time"

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
	store   *codeStore // nil without one
	// processor names what the compiler makes use of here.
	processor string

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
	store, err := openStore(config)
	if err != nil {
		return nil, err
	}
	e := &Engine{config: config, store: store}
	e.mu.compiled = map[string]*compiled{}
	if e.runtime, e.cache, err = e.newRuntime(ctx); err != nil {
		return nil, err
	}
	if err := e.instantiateImports(ctx); err != nil {
		return nil, fmt.Errorf("offering the imports: %w", errJoinClose(err, e.Close(ctx)))
	}
	if err := e.learnProcessor(ctx); err != nil {
		return nil, errJoinClose(err, e.Close(ctx))
	}
	return e, nil
}

// newRuntime makes wazero's runtime, with the cache if there is a store.
func (e *Engine) newRuntime(ctx context.Context) (wazero.Runtime, wazero.CompilationCache, error) {
	rc := runtimeConfig(e.config.Interpreter)
	if e.store == nil {
		return wazero.NewRuntimeWithConfig(ctx, rc), nil, nil
	}
	cache, ok := compilationCache(e.store)
	if !ok && len(e.config.Compiler.Command) > 0 {
		return nil, nil, fmt.Errorf("compiling in a process of its own: wazero %s takes no code from outside", wazeroVersion())
	}
	return wazero.NewRuntimeWithConfig(ctx, rc.WithCompilationCache(cache)), cache, nil
}

// runtimeConfig is that of every runtime. Debug information makes wazero tell offsets (offsets.go).
func runtimeConfig(interpreter bool) wazero.RuntimeConfig {
	rc := wazero.NewRuntimeConfigCompiler()
	if interpreter {
		rc = wazero.NewRuntimeConfigInterpreter()
	}
	return rc.WithCoreFeatures(features).WithMemoryLimitPages(MaxMemoryBytes / pageSize).WithDebugInfoEnabled(true)
}

// learnProcessor compiles the empty module: the key that wazero asks for depends on nothing but itself and the
// processor.
func (e *Engine) learnProcessor(ctx context.Context) error {
	if e.store == nil {
		return nil
	}
	dir := e.store.dir
	e.store.dir = "" // there is nothing to keep
	defer func() { e.store.dir = dir }()
	code, err := e.runtime.CompileModule(ctx, []byte("\x00asm\x01\x00\x00\x00"))
	if err != nil {
		return fmt.Errorf("trying the compiler: %w", err)
	}
	key := e.store.lastSeen()
	e.processor = hex.EncodeToString(key[:8])
	return code.Close(ctx)
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
	manifest []byte // as the module gave it
	refs     int    // guarded by Engine.mu
	exported exportSet
	offsets  offsets
	lines    lines
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
		bytes, c.offsets = plain(mod)
	} else {
		bytes, c.offsets = meter(mod, e.config.Limits.StackBytes)
	}
	c.lines = readLines(mod)
	c.info = describe(mod, c.digest)
	if limit := e.config.Limits.MemoryBytes; c.info.MemoryMinBytes > limit {
		return errs.ModuleTooLarge.New(name, fmt.Sprintf("the module begins with more memory than it may have (got %d KiB, at most %d KiB)", c.info.MemoryMinBytes>>10, limit>>10),
			"lower the stack size and static data (zig cc: -Wl,-z,stack-size=65536), or raise wasm.memory.max.bytes")
	}
	if len(bytes) > maxMeteredBytes {
		return mod.tooLarge(fmt.Sprintf("the code with its counters has %d bytes, at most %d are allowed", len(bytes), maxMeteredBytes))
	}
	if c.code, err = e.compileCode(ctx, mod, c.digest, bytes); err != nil {
		return err
	}
	return e.readManifest(ctx, name, mod, c)
}

// compileCode has bytes compiled, in the child if there is one, and hands the code to wazero, which validates the types
// that decode leaves to it.
func (e *Engine) compileCode(ctx context.Context, mod *module, digest string, bytes []byte) (wazero.CompiledModule, error) {
	if e.store != nil && len(e.config.Compiler.Command) > 0 {
		key, err := e.codeReady(ctx, mod, digest, bytes)
		if err != nil {
			return nil, err
		}
		defer e.store.forget(key)
	}
	code, err := compileBytes(ctx, e.runtime, bytes, e.workers())
	if broken, ok := errors.AsType[*errCompiler](err); ok {
		return nil, errs.ModuleCompile.New(mod.name, broken.Error(), "")
	}
	if err != nil {
		return nil, mod.invalid(err)
	}
	return code, nil
}

// invalidFunction is how wazero begins what it says of a function: by its number among those with code, which the
// metering pass does not change.
var invalidFunction = regexp.MustCompile(`^invalid function\[(\d+)\](?: export\[[^\]]*\])?: `)

// invalid is a module whose types wazero does not accept.
func (m *module) invalid(err error) error {
	text, what, at := err.Error(), "does not validate", 0
	if match := invalidFunction.FindStringSubmatch(text); match != nil {
		if i, err := strconv.Atoi(match[1]); err == nil && i < len(m.bodies) {
			what, at = m.functionAt(uint32(len(m.imports)+i))+" does not validate", m.bodies[i].at.start
			text = text[len(match[0]):]
		}
	}
	return m.malformed(at, what).WithCause(errors.New(shown(text)))
}

// codeReady has the store hold the code of bytes: from its directory, else from the child.
func (e *Engine) codeReady(ctx context.Context, mod *module, digest string, bytes []byte) (key codeKey, err error) {
	sum := sha256.Sum256(bytes)
	metered := hex.EncodeToString(sum[:])
	if key, ok := e.store.note(digest, metered, e.processor); ok {
		return key, nil
	}
	key, entry, code, err := e.config.Compiler.compile(ctx, bytes, e.workers())
	if invalid, ok := errors.AsType[*errInvalid](err); ok {
		return key, mod.invalid(invalid)
	}
	if coded, ok := errors.AsType[*errs.Error](err); ok {
		coded.Where = mod.name
	}
	if err != nil {
		return key, err
	}
	e.store.hold(key, code)
	e.store.saveEntry(key, entry)
	e.store.writeNote(&codeNote{
		Digest: digest, Name: mod.ownName, Size: len(mod.bytes), Wazero: wazeroVersion(), Metering: meterVersion,
		Metered: metered, Key: hex.EncodeToString(key[:]), Processor: e.processor, Compiled: time.Now().UTC(),
	})
	return key, nil
}

// compileBytes hands a module to wazero. A panic of its decoder or compiler is the module's fault and ends no process.
func compileBytes(ctx context.Context, r wazero.Runtime, bytes []byte, workers int) (code wazero.CompiledModule, err error) {
	defer func() {
		if p := recover(); p != nil {
			code, err = nil, &errCompiler{shown(fmt.Sprint(p))}
		}
	}()
	return r.CompileModule(experimental.WithCompilationWorkers(ctx, workers), bytes)
}

// errCompiler is a failure of the compiler itself.
type errCompiler struct{ text string }

func (e *errCompiler) Error() string { return "the compiler failed: " + e.text }

func (e *Engine) workers() int {
	if e.config.Workers > 0 {
		return e.config.Workers
	}
	return runtime.GOMAXPROCS(0)
}

func errJoinClose(err, closing error) error { return errors.Join(err, closing) }
