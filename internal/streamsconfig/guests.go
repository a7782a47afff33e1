package streamsconfig

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/internal/kafka"
)

// WasmLimits bound the guests of an application, of a module or of a component.
type WasmLimits struct {
	CallTimeout                                       time.Duration
	FuelMax, FuelPerByte, FuelPerFrame, FuelPerRecord uint64
	// MemoryBytes, StackBytes, LogLineBytes and LogLinesPerSecond are those of an instance.
	MemoryBytes, StackBytes         uint64
	LogLineBytes, LogLinesPerSecond int
	OutputBytes, OutputRecords      int
	StateKeyBytes, StateValueBytes  int
	Iterators, MetricSeries         int
}

// ErrorPolicy says what becomes of records that a guest fails on.
type ErrorPolicy struct {
	// Policy is PolicyHandler, PolicyFail, PolicySkip or PolicyDeadLetter, and holds after Retries tries more.
	Policy              string
	Retries             int
	Backoff, MaxBackoff time.Duration
}

// The policies.
const (
	PolicyHandler    = "handler" // what processing.exception.handler says
	PolicyFail       = "fail"
	PolicySkip       = "skip"
	PolicyDeadLetter = "dead-letter"
	PolicyRetry      = "retry" // some tries, then as the handler says
)

var policies = []string{PolicyHandler, PolicyFail, PolicySkip, PolicyDeadLetter, PolicyRetry}

// policyRetries are the tries of PolicyRetry where their number is not given.
const policyRetries = 3

const (
	wasmPrefix  = "wasm."
	errorPrefix = "wasm.error."
)

// instanceLimits are the limits that the components of a module have in common.
var instanceLimits = []string{"log.line.max.bytes", "log.lines.per.second", "memory.max.bytes", "stack.max.bytes"}

func wasmLimits(number func(key string) int64) WasmLimits {
	return WasmLimits{
		CallTimeout:   time.Duration(min(number("wasm.call.timeout.ms"), int64(1)<<40)) * time.Millisecond,
		FuelMax:       uint64(number("wasm.fuel.max")),
		FuelPerByte:   uint64(number("wasm.fuel.per.byte")),
		FuelPerFrame:  uint64(number("wasm.fuel.per.frame")),
		FuelPerRecord: uint64(number("wasm.fuel.per.record")),
		MemoryBytes:   uint64(number("wasm.memory.max.bytes")),
		StackBytes:    uint64(number("wasm.stack.max.bytes")),
		LogLineBytes:  int(number("wasm.log.line.max.bytes")), LogLinesPerSecond: int(number("wasm.log.lines.per.second")),
		OutputBytes: int(number("wasm.output.max.bytes")), OutputRecords: int(number("wasm.output.max.records")),
		StateKeyBytes: int(number("wasm.state.key.max.bytes")), StateValueBytes: int(number("wasm.state.value.max.bytes")),
		Iterators: int(number("wasm.iterators.max")), MetricSeries: int(number("wasm.metrics.max")),
	}
}

func errorPolicy(policy string, number func(key string) int64) ErrorPolicy {
	p := ErrorPolicy{
		Policy: policy, Retries: int(number("wasm.error.retries")),
		Backoff:    time.Duration(number("wasm.error.retry.backoff.ms")) * time.Millisecond,
		MaxBackoff: time.Duration(number("wasm.error.retry.backoff.max.ms")) * time.Millisecond,
	}
	if policy == PolicyRetry {
		p.Policy = PolicyHandler
		if p.Retries == 0 {
			p.Retries = policyRetries
		}
	}
	return p
}

// GuestLimits are the limits of one module or component: those of c as they hold there, some of them lowered.
type GuestLimits struct {
	WasmLimits
	values map[string]int64
}

// ModuleLimits lowers the application's limits for a module by entries, whose keys are those of the settings without
// wasm. in front. The error joins all faults.
func (c *Config) ModuleLimits(entries []Entry) (GuestLimits, error) {
	values := map[string]int64{}
	for _, k := range ownKeys() {
		if k.Type != kafka.String {
			values[k.Name] = c.number(k.Name)
		}
	}
	return GuestLimits{values: values}.lowered(entries, nil, "the application")
}

// ComponentLimits lowers the limits of a module for one of its components.
func (l GuestLimits) ComponentLimits(entries []Entry) (GuestLimits, error) {
	return l.lowered(entries, instanceLimits, "the module")
}

func (l GuestLimits) lowered(entries []Entry, not []string, by string) (GuestLimits, error) {
	values := maps.Clone(l.values)
	var faults []error
	for _, e := range entries {
		if slices.Contains(not, e.Key) {
			faults = append(faults, errs.GuestSettings.New(e.Origin, e.Key+" is a limit of the instance, which all components of a module share", "set it under limits of the module"))
			continue
		}
		n, err := limit(e)
		if most := l.values[wasmPrefix+e.Key]; err == nil && n > most {
			err = errs.GuestSettings.New(e.Origin, fmt.Sprintf("%s: %s allows at most %d (got %s)", e.Key, by, most, e.Value), "")
		}
		if err != nil {
			faults = append(faults, err)
			continue
		}
		values[wasmPrefix+e.Key] = n
	}
	return GuestLimits{wasmLimits(func(key string) int64 { return values[key] }), values}, errors.Join(faults...)
}

// limit reads one limit.
func limit(e Entry) (int64, error) {
	i := slices.IndexFunc(ownKeys(), func(k kafka.Key) bool { return k.Name == wasmPrefix+e.Key && k.Type != kafka.String })
	if i < 0 {
		return 0, errs.ConfigUnknownKey.New(e.Origin, fmt.Sprintf("%q is not a limit", e.Key), errs.DidYouMean(e.Key, limitNames()))
	}
	k := ownKeys()[i]
	k.Name = e.Key
	return checkedNumber(k, e)
}

func checkedNumber(k kafka.Key, e Entry) (n int64, err error) {
	text, err := kafka.CheckValue(k, e.Value, e.Origin)
	if err == nil {
		_, err = fmt.Sscan(text, &n)
	}
	return n, err
}

func limitNames() (names []string) {
	for _, k := range ownKeys() {
		if k.Type != kafka.String {
			names = append(names, strings.TrimPrefix(k.Name, wasmPrefix))
		}
	}
	return names
}

// ComponentPolicy is the policy of a component by entries, whose keys are those of the settings without wasm.error. in
// front; what they do not say is the application's.
func (c *Config) ComponentPolicy(entries []Entry) (ErrorPolicy, error) {
	policy, values := c.values[errorPrefix+"policy"].Value, map[string]int64{}
	for _, k := range errorKeys() {
		if k.Type != kafka.String {
			values[k.Name] = c.number(k.Name)
		}
	}
	var faults []error
	for _, e := range entries {
		i := slices.IndexFunc(errorKeys(), func(k kafka.Key) bool { return k.Name == errorPrefix+e.Key })
		if i < 0 {
			faults = append(faults, errs.ConfigUnknownKey.New(e.Origin, fmt.Sprintf("onError has no %q", e.Key), errs.DidYouMean(e.Key, []string{"policy", "retries", "retry.backoff.ms", "retry.backoff.max.ms"})))
			continue
		}
		k := errorKeys()[i]
		k.Name = e.Key
		var err error
		if k.Type == kafka.String {
			policy, err = kafka.CheckValue(k, e.Value, e.Origin)
		} else {
			values[errorPrefix+e.Key], err = checkedNumber(k, e)
		}
		faults = append(faults, err)
	}
	p := errorPolicy(policy, func(key string) int64 { return values[key] })
	if err := errors.Join(faults...); err != nil || len(entries) == 0 {
		return p, err
	}
	return p, c.checkDeadLetter(p, entries[0].Origin)
}

// checkDeadLetter finds a policy that has nowhere to write to.
func (c *Config) checkDeadLetter(p ErrorPolicy, where string) error {
	if p.Policy == PolicyDeadLetter && c.DeadLetterTopic == "" {
		return errs.ConfigInvalid.New(where, "the policy is dead-letter, and errors.dead.letter.queue.topic.name is not set", "")
	}
	return nil
}
