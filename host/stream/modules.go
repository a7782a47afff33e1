package stream

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/wasmstream/wasmstream/abi"
	"github.com/wasmstream/wasmstream/host/wasm"
	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/topology"
)

// guestModule is a wasm module as a task uses it: one instance, on which every component is opened once for each node
// that calls it. While an upgrade is prepared there is a second instance beside it.
type guestModule struct {
	task      *Task
	name      string
	functions []*guestFunction
	current   *guestInstance
	next      *guestUpgrade // nil unless an upgrade is prepared
	metrics   *ModuleMetrics
	logRate   wasm.LogRate // of all instances, one after the other
	// logDropped are the lines that instances before the current one dropped.
	logDropped int64
}

// guestInstance is a running wasm instance and what its guest may ask for: it implements wasm.Host (guest_host.go).
type guestInstance struct {
	task     *Task
	module   *wasm.Module
	logRate  *wasm.LogRate
	manifest abi.Manifest
	instance *wasm.Instance
	running  *guestHandle // whose call runs; nil outside of calls and while the module starts
	live     bool         // false while it is prepared beside the one that runs
	iters    guestIterators
}

// guestHandle is a component opened on an instance for a node.
type guestHandle struct {
	f         *guestFunction
	on        *guestInstance
	component *abi.Component
	id        int32
	children  int // the largest dest it may give
	rule      answerRule
	stores    []guestStore
	timers    []*guestTimer
	used      bool // called since the last flush
	holds     bool // it may hold records back: it buffers, and was given some since the last flush
	opened    bool // its timers run
	call      guestCall
}

// openGuest opens a component for a node, on the task's instance of its module.
func (t *Task) openGuest(n *node, ref topology.GuestRef) (*guestFunction, error) {
	m, err := t.guestModule(ref.Module)
	if err != nil {
		return nil, err
	}
	f := &guestFunction{node: n, module: m, ref: ref}
	f.kind, f.config = n.use(ref)
	settings := t.config.Guests.Component(ref.Module, ref.Component)
	f.limits, f.policy = settings.Limits.within(DefaultGuestLimits()), t.config.defaultPolicy()
	if settings.OnError != nil {
		f.policy = *settings.OnError
	}
	f.faults.width = t.page.widths[f.name()]
	f.metrics = t.metrics.guest(n.spec.Name, ref.Module, ref.Component)
	f.metrics.maxSeries = f.limits.MetricSeries
	if f.open, err = m.current.open(f); err != nil {
		return nil, err
	}
	m.functions = append(m.functions, f)
	f.open.goLive(nil)
	return f, nil
}

// use is what the node says of a component that it opens next: the first use of it that is not open yet, else the last.
func (n *node) use(ref topology.GuestRef) (kind abi.Kind, config map[string]string) {
	open := 0
	for _, f := range n.guests {
		if f.ref == ref {
			open++
		}
	}
	for _, use := range n.spec.Guests {
		if use.Ref != ref {
			continue
		}
		kind, config = abi.Kind(use.Kind), use.Config
		if open--; open < 0 {
			break
		}
	}
	return kind, config
}

// guestModule returns the task's use of a module, instantiated when it is first asked for.
func (t *Task) guestModule(name string) (*guestModule, error) {
	if m := t.guests[name]; m != nil {
		return m, nil
	}
	if t.config.Modules == nil {
		return nil, errs.ModuleMissing.New(name, "the application has no modules", "")
	}
	module, err := t.config.Modules.Module(name)
	if err != nil {
		return nil, err
	}
	m := &guestModule{task: t, name: name, metrics: t.metrics.module(name)}
	if m.current, err = m.instantiate(module); err != nil {
		return nil, err
	}
	m.current.live = true
	t.guests[name] = m
	return m, nil
}

func (m *guestModule) instantiate(module *wasm.Module) (*guestInstance, error) {
	t := m.task
	g := &guestInstance{task: t, module: module, manifest: module.Manifest(), logRate: &m.logRate}
	var err error
	g.instance, err = module.Instantiate(context.Background(), g, t.config.Guests.Instance(module.Name()))
	t.metrics.module(module.Name()).Instantiations.Add(1)
	if trap, ok := errors.AsType[*wasm.TrapError](err); ok {
		return nil, trap.Coded("task " + t.config.ID.String())
	}
	if err != nil {
		return nil, errs.GuestOpen.New(module.Name(), "instantiating the module for task "+t.config.ID.String(), "").WithCause(err)
	}
	return g, nil
}

// open opens f's component on g.
func (g *guestInstance) open(f *guestFunction) (*guestHandle, error) {
	h := &guestHandle{f: f, on: g, component: g.manifest.Component(f.ref.Component)}
	if h.component == nil {
		return nil, errs.ModuleNoComponent.New(f.ref.Module, fmt.Sprintf("node %s needs component %q (the module has %s)", f.node.spec.Name, f.ref.Component, componentNames(&g.manifest)), "")
	}
	if f.kind != "" && h.component.Kind != f.kind {
		return nil, errs.ModuleManifest.New(f.ref.String(), fmt.Sprintf("node %s needs a component of kind %s (got %s)", f.node.spec.Name, f.kind, h.component.Kind), "use the operator that the component is made for")
	}
	h.rule = ruleOf(h.component.Kind)
	if h.component.Kind.Stateful() {
		h.children = len(f.node.children)
	}
	g.running = h
	h.begin(abi.ExportOpen, nil, 0, nil)
	id, err := g.instance.Open(f.openFrame(h.component))
	g.running = nil
	if err == nil {
		err = h.call.err
	}
	if err != nil {
		return nil, h.refused(err)
	}
	if err := h.settle(); err != nil {
		return nil, h.refused(err)
	}
	h.id = id
	g.instance.Limit(id, f.limits.Call)
	return h, nil
}

func componentNames(m *abi.Manifest) string {
	names := ""
	for i := range m.Components {
		if i > 0 {
			names += ", "
		}
		names += m.Components[i].Name
	}
	return names
}

// openFrame is what the component is told when it is opened.
func (f *guestFunction) openFrame(c *abi.Component) []byte {
	t, n := f.node.task, f.node
	b, count := abi.AppendOpenHeader(nil), 0
	pair := func(key, value string) {
		b = abi.AppendPair(b, key, value)
		count++
	}
	pair(abi.OpenComponent, f.ref.Component)
	pair(abi.OpenApplicationID, t.config.ApplicationID)
	pair(abi.OpenTaskID, t.config.ID.String())
	pair(abi.OpenNode, n.spec.Name)
	pair(abi.OpenMode, abi.ModeNormal)
	pair(abi.OpenEpoch, fmt.Sprint(t.epoch))
	pair(abi.OpenFeatures, fmt.Sprint(guestFeatures))
	for _, child := range n.childNames {
		pair(abi.OpenChild, child)
	}
	for _, store := range c.Stores {
		if n.stores[store] != nil || n.global(store) != nil {
			pair(abi.OpenStore, store)
		}
	}
	for _, key := range sortedKeys(f.config) {
		pair(abi.OpenConfigPrefix+key, f.config[key])
	}
	abi.FinishOpen(b, 0, count)
	return b
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }

// refused is the error of an open that failed.
func (h *guestHandle) refused(err error) error {
	where := h.f.ref.String() + " in node " + h.f.node.spec.Name
	if trap, ok := errors.AsType[*wasm.TrapError](err); ok {
		return trap.Coded(where)
	}
	what := "the component does not open"
	if h.call.blame.message != "" {
		what += ": " + h.call.blame.message
	}
	return errs.GuestOpen.New(where, what, "").WithCause(err)
}

// close ends the handles and the instance, and an upgrade that was prepared. What guests do while they close is theirs.
func (m *guestModule) close(reason int32) error {
	m.discardUpgrade()
	m.current.close(m.functions, reason)
	return nil
}

// close tells the handles why and frees the instance. A trap on the way is logged: nothing depends on it any more.
func (g *guestInstance) close(functions []*guestFunction, reason int32) {
	for _, f := range functions {
		h := f.open
		if h == nil || h.on != g || g.instance.Err() != nil {
			continue
		}
		h.cancelTimers()
		g.running = h
		h.begin(abi.ExportClose, nil, 0, nil)
		if err := g.instance.CloseHandle(h.id, reason); err != nil {
			f.node.log.Warn("closing a guest", "module", f.ref.Module, "component", f.ref.Component, "error", err)
		}
		g.running = nil
	}
	g.iters.closeAll()
	g.instance.Close()
}

// noteStats brings the metrics of the components up to date.
func (m *guestModule) noteStats() {
	stats := m.current.instance.Stats()
	for _, f := range m.functions {
		f.metrics.MemoryBytes.Store(int64(stats.MemoryBytes))
		f.metrics.LogDropped.Store(m.logDropped + int64(stats.LogDropped))
	}
}
