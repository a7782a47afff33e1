package wasm

import (
	"context"
	"fmt"
	"runtime"
	"time"
)

// Costs are what the sandbox costs for one module on this machine, apart from running it. Times are the shortest of
// several tries, Compile's is of one.
type Costs struct {
	ModuleBytes  int `json:"moduleBytes"`
	MeteredBytes int `json:"meteredBytes"`
	// Validate is the decoder, Meter the rewriting; Compile is the compiler, in its child if there is one; Load is
	// taking the code from the cache instead.
	Validate, Meter, Compile, Load time.Duration
	// Instantiate is an instance with its start function and _initialize.
	Instantiate time.Duration
	// InstanceBytes is the memory of one more instance that does nothing, the guest's own included.
	InstanceBytes uint64 `json:"instanceBytes"`
}

// Tries of MeasureCosts.
const (
	costTries     = 5
	costInstances = 50
)

// MeasureCosts measures a module. config.CacheDir must name an empty folder.
func MeasureCosts(ctx context.Context, name string, wasm []byte, config Config) (Costs, error) {
	c := Costs{ModuleBytes: len(wasm)}
	for i := range costTries {
		start := time.Now()
		m, err := decode(name, wasm)
		if err != nil {
			return c, err
		}
		validated := time.Now()
		metered, _ := meter(m, DefaultLimits().StackBytes)
		took := time.Since(validated)
		c.MeteredBytes = len(metered)
		if validate := validated.Sub(start); i == 0 || validate < c.Validate {
			c.Validate = validate
		}
		if i == 0 || took < c.Meter {
			c.Meter = took
		}
	}
	for i, taken := range []*time.Duration{&c.Compile, &c.Load} {
		if err := c.prepare(ctx, name, wasm, config, taken, i == 1); err != nil {
			return c, err
		}
	}
	return c, nil
}

// prepare compiles on an engine of its own, or loads what an earlier one compiled; the last one's instances are measured.
func (c *Costs) prepare(ctx context.Context, name string, wasm []byte, config Config, taken *time.Duration, last bool) (err error) {
	e, err := NewEngine(ctx, config)
	if err != nil {
		return err
	}
	defer func() { err = errJoinClose(err, e.Close(ctx)) }()
	start := time.Now()
	m, err := e.Compile(ctx, name, wasm)
	if err != nil {
		return err
	}
	defer m.Close()
	*taken = max(time.Since(start)-c.Validate-c.Meter, 0)
	if !last {
		return nil
	}
	return c.instances(ctx, m)
}

// instances measures instances that stay, so that what they hold is counted.
func (c *Costs) instances(ctx context.Context, m *Module) error {
	all := make([]*Instance, 0, costInstances)
	defer func() {
		for _, in := range all {
			in.Close()
		}
	}()
	before := heap()
	for range costInstances {
		start := time.Now()
		in, err := m.Instantiate(ctx, noHost{}, Limits{})
		if err != nil {
			return fmt.Errorf("instance %d: %w", len(all)+1, err)
		}
		if took := time.Since(start); len(all) == 0 || took < c.Instantiate {
			c.Instantiate = took
		}
		all = append(all, in)
	}
	if after := heap(); after > before {
		c.InstanceBytes = (after - before) / costInstances
	}
	return nil
}

// heap is what is in use after a collection.
func heap() uint64 {
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.HeapAlloc
}
