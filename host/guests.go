package host

import (
	"errors"
	"fmt"
	"slices"

	"github.com/wasmstream/wasmstream/host/stream"
	"github.com/wasmstream/wasmstream/host/wasm"
	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/internal/streamsconfig"
	"github.com/wasmstream/wasmstream/topology/spec"
)

// Component is what an application says of one component of a module.
type Component struct {
	Name string
	// Limits lower those of the module; keys are those of the settings without wasm. in front.
	Limits []Setting
	// OnError says what becomes of a record that the component fails on; keys are those of the settings without
	// wasm.error. in front: policy, retries, retry.backoff.ms, retry.backoff.max.ms.
	OnError []Setting

	where string
}

// guestRules are the limits and policies of an application's guests: a stream.GuestRules that does not change.
type guestRules struct {
	modules map[string]moduleRules
	rest    moduleRules // of modules without any of their own
}

type moduleRules struct {
	instance   wasm.Limits
	settings   stream.GuestSettings
	components map[string]stream.GuestSettings
}

// Instance implements stream.GuestRules.
func (r *guestRules) Instance(module string) wasm.Limits { return r.module(module).instance }

// Component implements stream.GuestRules.
func (r *guestRules) Component(module, component string) stream.GuestSettings {
	m := r.module(module)
	if s, ok := m.components[component]; ok {
		return s
	}
	return m.settings
}

func (r *guestRules) module(name string) moduleRules {
	if m, ok := r.modules[name]; ok {
		return m
	}
	return r.rest
}

// guestRules reads what the application says of its guests, under its settings. The error joins all faults.
func (c Config) guestRules(s *streamsconfig.Config) (*guestRules, error) {
	r := &guestRules{modules: map[string]moduleRules{}}
	var faults []error
	fault := func(err error) {
		if err != nil {
			faults = append(faults, err)
		}
	}
	everywhere, err := s.ModuleLimits(nil)
	fault(err)
	policy := policyOf(s, s.OnError)
	r.rest = moduleRules{instance: instanceLimits(everywhere), settings: guestSettings(everywhere, policy)}
	for name, m := range c.Modules {
		limits, err := s.ModuleLimits(m.Limits)
		fault(err)
		rules := moduleRules{instance: instanceLimits(limits), settings: guestSettings(limits, policy), components: map[string]stream.GuestSettings{}}
		for _, comp := range m.Components {
			own, err := limits.ComponentLimits(comp.Limits)
			fault(err)
			p, err := s.ComponentPolicy(comp.OnError)
			fault(err)
			rules.components[comp.Name] = guestSettings(own, policyOf(s, p))
		}
		r.modules[name] = rules
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return r, nil
}

func policyOf(s *streamsconfig.Config, p streamsconfig.ErrorPolicy) *stream.ErrorPolicy {
	policy := &stream.ErrorPolicy{Retries: p.Retries, Backoff: p.Backoff, MaxBackoff: p.MaxBackoff}
	switch {
	case p.Policy == streamsconfig.PolicySkip:
		policy.Action = stream.Skip
	case p.Policy == streamsconfig.PolicyDeadLetter:
		policy.Action = stream.DeadLetter
	case p.Policy == streamsconfig.PolicyFail || !s.ContinueOnProcessing:
		policy.Action = stream.Fail
	case s.DeadLetterTopic != "":
		policy.Action = stream.DeadLetter
	default:
		policy.Action = stream.Skip
	}
	return policy
}

// instanceLimits are the limits of an instance.
func instanceLimits(l streamsconfig.GuestLimits) wasm.Limits {
	return wasm.Limits{
		FuelPerFrame: l.FuelPerFrame, FuelPerRecord: l.FuelPerRecord, FuelPerByte: l.FuelPerByte, FuelMax: l.FuelMax,
		Wall: l.CallTimeout, MemoryBytes: l.MemoryBytes, StackBytes: l.StackBytes,
		LogLineBytes: l.LogLineBytes, LogLinesPerSecond: l.LogLinesPerSecond,
	}
}

func guestSettings(l streamsconfig.GuestLimits, policy *stream.ErrorPolicy) stream.GuestSettings {
	return stream.GuestSettings{OnError: policy, Limits: stream.GuestLimits{
		Call: instanceLimits(l), OutputRecords: l.OutputRecords, OutputBytes: l.OutputBytes,
		StateKeyBytes: l.StateKeyBytes, StateValueBytes: l.StateValueBytes, Iterators: l.Iterators, MetricSeries: l.MetricSeries,
	}}
}

// checkComponents compares the components that something is said of with those that the modules have.
func (c Config) checkComponents(set moduleSet) (faults []error) {
	for name, module := range set {
		manifest := module.Manifest()
		var names []string
		for _, comp := range manifest.Components {
			names = append(names, comp.Name)
		}
		for _, comp := range c.Modules[name].Components {
			if !slices.Contains(names, comp.Name) {
				faults = append(faults, errs.ModuleNoComponent.New(comp.where, name+" has no component "+comp.Name, errs.DidYouMean(comp.Name, names)))
			}
		}
	}
	return faults
}

// checkMemory compares the memory that modules begin with and what the rules allow; nil are rules that are wrong themselves.
func (c Config) checkMemory(set moduleSet, rules *guestRules) (faults []error) {
	if rules == nil {
		return nil
	}
	for name, module := range set {
		if limit := rules.Instance(name).MemoryBytes; limit > 0 && module.MemoryBytes() > limit {
			faults = append(faults, errs.ModuleTooLarge.New(c.Modules[name].place(), fmt.Sprintf("the module %s begins with more memory than its limits allow (%d KiB, at most %d KiB)", name, module.MemoryBytes()>>10, limit>>10),
				"raise memory.max.bytes in the module's limits, or link it with less stack and static data"))
		}
	}
	return faults
}

// moduleOf is a module of a document.
func moduleOf(m spec.Module) Module {
	module := Module{Path: m.Path, Digest: m.Digest, Limits: settingsOf(m.Limits), where: m.Where}
	for _, c := range m.Components {
		module.Components = append(module.Components, Component{Name: c.Name, Limits: settingsOf(c.Limits), OnError: settingsOf(c.OnError), where: c.Where})
	}
	return module
}

func settingsOf(list []spec.Setting) (all []Setting) {
	for _, s := range list {
		all = append(all, Setting{Key: s.Key, Value: s.Value, Origin: s.Where})
	}
	return all
}
