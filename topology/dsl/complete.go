package dsl

import "github.com/wasmstream/wasmstream/topology"

// eachComplete gives one the records of frame that have a key and a value, in order; the others are dropped and counted.
// errSkipped of one leaves the record out, any other error ends it.
func eachComplete(ctx topology.Context, frame []topology.Record, one func(*topology.Record) error) error {
	dropped := 0
	for i := range frame {
		r := &frame[i]
		if r.Key == nil || r.Value == nil {
			dropped++
			continue
		}
		if err := one(r); err != nil && err != errSkipped {
			return err
		}
	}
	if dropped > 0 {
		ctx.Dropped(dropped, "Skipping record due to null key or value.")
	}
	return nil
}
