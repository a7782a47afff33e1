package stream

import "github.com/wasmstream/wasmstream/host/wasm"

// GuestLimits bound what one component may do, beside the limits of its calls. Zero fields take DefaultGuestLimits.
type GuestLimits struct {
	// Call are the limits on computing of each call (fuel, wall time); zero fields take those of the instance. Memory,
	// stack and log are the instance's and not looked at here.
	Call wasm.Limits
	// OutputRecords and OutputBytes bound the answer of one call, all its frames together. Beyond them emit answers
	// LIMIT, and an answer that is larger nevertheless fails the call.
	OutputRecords, OutputBytes int
	// StateKeyBytes and StateValueBytes bound what is put into a store; beyond them the guest gets LIMIT.
	StateKeyBytes, StateValueBytes int
	// Iterators may be open at a time, MetricSeries may be made.
	Iterators, MetricSeries int
}

const (
	// maxCallRecords and maxCallBytes are what the ABI promises to take of one call (abi/SPEC.md, 3).
	maxCallRecords = 4 << 20
	maxCallBytes   = 256 << 20
	// maxStateKey and maxStateValue bound what a guest may put into a store. A word of a line may be as long as the line.
	maxStateKey   = 1 << 20
	maxStateValue = 1 << 20
	// maxIterators may be open in one call; the instance has places for no more.
	maxIterators = 16
	// maxGuestSeries bounds the metrics that one component may make.
	maxGuestSeries = 100
	// maxCallWrites bounds the memory that writes take until the end of one call, in all its stores together: keys, values,
	// writeOverhead for each, and keyOverhead for each key that the call has not written before. maxFrameWrites bounds that of all calls for one frame of a task, or one round of its
	// punctuators: in between a commit comes early if there is much to commit.
	maxCallWrites  = 64 << 20
	maxFrameWrites = 256 << 20
	// writeOverhead is what a write takes beyond its bytes in the log of the call, with its slots; keyOverhead is an entry of
	// the store's transaction.
	writeOverhead = 48
	keyOverhead   = 160
)

// DefaultGuestLimits are the widest: what the ABI promises.
func DefaultGuestLimits() GuestLimits {
	return GuestLimits{
		OutputRecords: maxCallRecords, OutputBytes: maxCallBytes, StateKeyBytes: maxStateKey, StateValueBytes: maxStateValue,
		Iterators: maxIterators, MetricSeries: maxGuestSeries,
	}
}

// within fills what was left zero and lowers what is above the widest.
func (l GuestLimits) within(widest GuestLimits) GuestLimits {
	l.OutputRecords, l.OutputBytes = within(l.OutputRecords, widest.OutputRecords), within(l.OutputBytes, widest.OutputBytes)
	l.StateKeyBytes, l.StateValueBytes = within(l.StateKeyBytes, widest.StateKeyBytes), within(l.StateValueBytes, widest.StateValueBytes)
	l.Iterators, l.MetricSeries = within(l.Iterators, widest.Iterators), within(l.MetricSeries, widest.MetricSeries)
	return l
}

// GuestSettings are what an application says about one component.
type GuestSettings struct {
	Limits GuestLimits
	// OnError is the component's own policy; nil is that of processing.exception.handler.
	OnError *ErrorPolicy
}

// GuestRules are what an application says about its guests. Methods may be called by several tasks at once.
type GuestRules interface {
	// Component are the settings of a component.
	Component(module, component string) GuestSettings
	// Instance are the limits of the instances of a module: memory, stack, log, and the widest calls.
	Instance(module string) wasm.Limits
}

// noRules leaves everything at its default.
type noRules struct{}

func (noRules) Component(string, string) GuestSettings { return GuestSettings{} }

func (noRules) Instance(string) wasm.Limits { return wasm.Limits{} }
