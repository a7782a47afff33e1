package wasm

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"
)

// Limits are what one instance may use. A field left 0 takes the engine's value; a value above the engine's is lowered
// to it, so a part of the configuration can only tighten what the part above it allows.
type Limits struct {
	// Fuel of one ws_process: FuelPerFrame + FuelPerRecord for each record + FuelPerByte for each byte of the input
	// frame, at most FuelMax. One unit is about one instruction that does something: three or four
	// to a nanosecond.
	FuelPerFrame, FuelPerRecord, FuelPerByte, FuelMax uint64
	// Wall bounds each call by the clock on the wall, for work that fuel underrates (memory far from the cache).
	Wall time.Duration
	// MemoryBytes bounds the linear memory, at its declaration and at each growth. A growth past it answers -1. Memory
	// grows by pages of 64 KiB; what is left of a page is of no use.
	MemoryBytes uint64
	// StackBytes bounds the native stack by the metering pass's estimate of each function's frame.
	StackBytes uint64
	// LogLineBytes cuts a line of log, LogLinesPerSecond drops lines; drops are counted in Stats.
	LogLineBytes, LogLinesPerSecond int
}

// DefaultLimits are generous for honest guests: the slowest measured (JSON by reflection in Go) needs 0.1 M units a
// record, and a Go runtime starts in 3 MiB.
func DefaultLimits() Limits {
	return Limits{
		FuelPerFrame: 50_000_000, FuelPerRecord: 1_000_000, FuelPerByte: 2_000, FuelMax: 4_000_000_000,
		Wall:        5 * time.Second, // half of the transaction timeout: a stuck guest must not fence its own task
		MemoryBytes: 64 << 20,
		StackBytes:  16 << 20, // tens of thousands of calls deep; an engine without it takes 400 MB for a runaway
		// A line longer than this is data, not a message.
		LogLineBytes: 4 << 10, LogLinesPerSecond: 100,
	}
}

// within returns l with zero fields filled from outer and every field at most outer's.
func (l Limits) within(outer Limits) Limits {
	return Limits{
		FuelPerFrame: lower(l.FuelPerFrame, outer.FuelPerFrame), FuelPerRecord: lower(l.FuelPerRecord, outer.FuelPerRecord),
		FuelPerByte: lower(l.FuelPerByte, outer.FuelPerByte), FuelMax: lower(l.FuelMax, outer.FuelMax),
		Wall: lower(l.Wall, outer.Wall), MemoryBytes: lower(l.MemoryBytes, outer.MemoryBytes),
		StackBytes: lower(l.StackBytes, outer.StackBytes), LogLineBytes: lower(l.LogLineBytes, outer.LogLineBytes),
		LogLinesPerSecond: lower(l.LogLinesPerSecond, outer.LogLinesPerSecond),
	}
}

func lower[T int | uint64 | time.Duration](inner, outer T) T {
	if inner == 0 || inner > outer {
		return outer
	}
	return inner
}

// Config sets up an Engine.
type Config struct {
	// CacheDir keeps compiled code between processes: a Go guest then starts in 60 ms instead of a second. It holds
	// machine code that will be run, so it is made with mode 0700 and must belong to nobody else. "" keeps nothing.
	CacheDir string
	// Compiler runs wazero's compiler in a process of its own, under limits; without a command it works in this one.
	Compiler Compiler
	// Limits are the widest that any instance gets; zero fields take DefaultLimits.
	Limits Limits
	// Interpreter runs modules without compiling them: 10-50 times slower, for platforms without a compiler and to
	// compare results. Its calls nest at most 2000 deep, whatever StackBytes says.
	Interpreter bool
	// DisableMetering leaves the code as it is: no fuel, no stack limit, no safe points. One guest that loops then
	// stops the process. For tests and benchmarks alone.
	DisableMetering bool
	// Workers compile in parallel; 0 means as many as the machine has processors.
	Workers int
	// Logger gets what the engine itself has to say; nil discards it. Guests log through their Host.
	Logger *slog.Logger
}

// DefaultConfig has no cache directory and the default limits.
func DefaultConfig() Config { return Config{Limits: DefaultLimits()} }

// Validate reports every fault of the configuration at once.
func (c Config) Validate() error {
	var faults []error
	if c.Limits.MemoryBytes > MaxMemoryBytes {
		faults = append(faults, fmt.Errorf("limit on memory of %d bytes: at most %d", c.Limits.MemoryBytes, uint64(MaxMemoryBytes)))
	}
	if c.Limits.StackBytes > MaxStackBytes {
		faults = append(faults, fmt.Errorf("limit on stack of %d bytes: at most %d", c.Limits.StackBytes, MaxStackBytes))
	}
	if c.Limits.FuelMax > math.MaxInt64 {
		faults = append(faults, fmt.Errorf("limit on fuel of %d: at most %d", c.Limits.FuelMax, int64(math.MaxInt64)))
	}
	if c.Limits.Wall < 0 || c.Compiler.CPU < 0 || c.Compiler.Wall < 0 || c.Limits.LogLineBytes < 0 || c.Limits.LogLinesPerSecond < 0 || c.Workers < 0 {
		faults = append(faults, errors.New("limits and workers must not be negative"))
	}
	return errors.Join(faults...)
}

// withDefaults fills what was left zero.
func (c Config) withDefaults() Config {
	d := DefaultLimits()
	fill(&c.Limits.FuelPerFrame, d.FuelPerFrame)
	fill(&c.Limits.FuelPerRecord, d.FuelPerRecord)
	fill(&c.Limits.FuelPerByte, d.FuelPerByte)
	fill(&c.Limits.FuelMax, d.FuelMax)
	fill(&c.Limits.Wall, d.Wall)
	fill(&c.Limits.MemoryBytes, d.MemoryBytes)
	fill(&c.Limits.StackBytes, d.StackBytes)
	fill(&c.Limits.LogLineBytes, d.LogLineBytes)
	fill(&c.Limits.LogLinesPerSecond, d.LogLinesPerSecond)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

func fill[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

const pageSize = 64 << 10

// The widest limits that an engine can be given.
const (
	// MaxMemoryBytes keeps the sign of a packed i64 result free (abi/SPEC.md).
	MaxMemoryBytes = 2 << 30
	// MaxStackBytes stays well below the 400 MB at which wazero itself stops.
	MaxStackBytes = 128 << 20
)
