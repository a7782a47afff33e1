package host

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/wasmstream/wasmstream/abi"
	"github.com/wasmstream/wasmstream/host/wasm"
	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/topology"
)

// moduleSet is the modules of an application at one time. It does not change; a reload makes another.
type moduleSet map[string]*wasm.Module

// Module implements stream.Modules.
func (s moduleSet) Module(name string) (*wasm.Module, error) {
	m, ok := s[name]
	if !ok {
		return nil, errs.ModuleMissing.New("", fmt.Sprintf("there is no module %q", name), errs.DidYouMean(name, slices.Collect(maps.Keys(s))))
	}
	return m, nil
}

func (s moduleSet) with(name string, m *wasm.Module) moduleSet {
	next := maps.Clone(s)
	next[name] = m
	return next
}

func (s moduleSet) close() error {
	var faults []error
	for _, m := range s {
		faults = append(faults, m.Close())
	}
	return errors.Join(faults...)
}

// compileAll loads, compiles and checks every module against what the topology wants of it and the rules allow, and reports all
// faults. Without rules, which are wrong then, the rest is checked.
func (c Config) compileAll(ctx context.Context, engine *wasm.Engine, rules *guestRules) (moduleSet, error) {
	set := moduleSet{}
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(c.Modules)) {
		m, err := c.compile(ctx, engine, name)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		set[name] = m
	}
	if c.Topology != nil {
		faults = append(faults, c.checkUses(set)...)
		faults = append(faults, c.checkComponents(set)...)
		faults = append(faults, c.checkMemory(set, rules)...)
	}
	if err := c.byPlace(faults...); err != nil {
		return nil, errors.Join(err, set.close())
	}
	return set, nil
}

func (c Config) compile(ctx context.Context, engine *wasm.Engine, name string) (*wasm.Module, error) {
	data, err := c.read(name)
	if err != nil {
		return nil, err
	}
	m, err := engine.Compile(ctx, name, data)
	err = wasm.Coded(name, err)
	var coded *errs.Error
	if errors.As(err, &coded) && c.Modules[name].Path != "" {
		located := *coded
		located.Where = c.Modules[name].Path
		return nil, &located
	}
	return m, err
}

// read returns the bytes of a module and checks the digest that the application asks for.
func (c Config) read(name string) ([]byte, error) {
	m := c.Modules[name]
	data := m.Bytes
	if m.Path != "" {
		var err error
		if data, err = wasm.ReadFile(m.Path); err != nil {
			return nil, m.unreadable(name, err)
		}
	}
	if got := wasm.Digest(data); m.Digest != "" && m.Digest != got {
		return nil, errs.ModuleDigest.New(m.place(), fmt.Sprintf("%s is %s, the application asks for %s", name, got, m.Digest), "")
	}
	return data, nil
}

// unreadable is an error of wasm.ReadFile at the place where the application names the module.
func (m Module) unreadable(name string, err error) error {
	var coded *errs.Error
	if !errors.As(err, &coded) {
		return err
	}
	located := *coded
	located.Where, located.What = m.place(), fmt.Sprintf("the module %s, %s: %s", name, m.Path, coded.What)
	return &located
}

func (m Module) place() string {
	if m.where != "" {
		return m.where
	}
	return m.Path
}

// checkUses compares what nodes call with what the manifests offer.
func (c Config) checkUses(set moduleSet) []error {
	var faults []error
	stores := map[string][]string{}
	var everywhere []string
	for _, g := range c.Topology.GlobalStores() {
		everywhere = append(everywhere, g.Store.Name)
	}
	for _, n := range c.Topology.Nodes() {
		all := slices.Concat(n.Stores, everywhere)
		slices.Sort(all)
		stores[n.Name] = slices.Compact(all) // a node that writes a global store has it both ways
	}
	uses := c.Topology.Guests()
	for _, node := range slices.Sorted(maps.Keys(uses)) {
		for _, use := range uses[node] {
			m, ok := set[use.Ref.Module]
			if _, declared := c.Modules[use.Ref.Module]; !declared {
				faults = append(faults, errs.ModuleMissing.New(c.nodePlace(node), fmt.Sprintf("%s calls %s, and there is no module %q", node, use.Ref, use.Ref.Module), errs.DidYouMean(use.Ref.Module, slices.Collect(maps.Keys(c.Modules)))))
			}
			if ok {
				faults = append(faults, c.checkUse(c.nodePlace(node), use, m, stores[node]))
			}
		}
	}
	return faults
}

// nodePlace is where the document has the operator behind a node, or the node's name.
func (c Config) nodePlace(node string) string {
	if where := c.nodeWhere[node]; where != "" {
		return where
	}
	return node
}

func (c Config) checkUse(place string, use topology.GuestUse, m *wasm.Module, stores []string) error {
	var names []string
	for _, comp := range m.Manifest().Components {
		names = append(names, comp.Name)
		if comp.Name != use.Ref.Component {
			continue
		}
		if string(comp.Kind) != use.Kind {
			return errs.ModuleNoComponent.New(place, fmt.Sprintf("%s is a %s, and a %s is called", use.Ref, comp.Kind, use.Kind), "call a component of the right kind")
		}
		for _, store := range comp.Stores {
			if !slices.Contains(stores, store) {
				return errs.TopologyNotConnected.New(place, fmt.Sprintf("%s opens the store %q, and the node has %s", use.Ref, store, listed(stores)), "connect the store: stores: ["+store+"]")
			}
			if spec := c.Topology.StoreSpec(store); spec != nil && !opens(m, spec.Kind) {
				return errs.TopologyInvalid.New(place, fmt.Sprintf("%s opens the store %q, which is a %s, and the module has no calls for such stores", use.Ref, store, spec.Kind),
					"make it a keyValue, timestampedKeyValue or lru, or open it as what it is: the SDK has a type for each kind")
			}
		}
		return nil
	}
	return errs.ModuleNoComponent.New(place, fmt.Sprintf("%s has no component %q", use.Ref.Module, use.Ref.Component), errs.DidYouMean(use.Ref.Component, names))
}

// opens tells whether a module can open stores of a kind: those of rows with times have a call of their own.
func opens(m *wasm.Module, kind topology.StoreKind) bool {
	switch kind {
	case topology.KeyValue, topology.TimestampedKeyValue, topology.LRU:
		return true
	}
	return slices.Contains(m.Imports(), abi.ImportState+"."+abi.FnStateOpenAs)
}

func listed(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
