package dsl

import (
	"encoding/binary"

	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/expr"
)

// Partitioner is a user function that chooses partitions. Guests and Go code answer them in Dest; an expression gives
// one as a number.
type Partitioner struct{ Call }

// Open makes the function ready for the task of ctx.
func (p Partitioner) Open(ctx topology.Context) (topology.Function, error) {
	f, err := p.open(ctx)
	if err == nil && p.isExpr() {
		f = readingValues{f, readPartition}
	}
	return f, err
}

// keyPartitioner is fn as a sink asks it that writes records of which only the key is for fn to see.
func (b *StreamsBuilder) keyPartitioner(fn Fn, key topology.Serde) topology.FunctionSupplier {
	if !fn.isSet() {
		return nil
	}
	c, _ := b.place(expr.Partitioner, fn, expr.Types{Key: key, Value: topology.Bytes})
	return KeyPartitioner{Partitioner{c}}
}

// KeyPartitioner is a Partitioner that is asked about keys: the values it sees are null.
type KeyPartitioner struct{ Partitioner }

// Open makes the function ready for the task of ctx.
func (p KeyPartitioner) Open(ctx topology.Context) (topology.Function, error) {
	f, err := p.Partitioner.Open(ctx)
	return keysOnly{f}, err
}

// keysOnly shows a function no values.
type keysOnly struct{ topology.Function }

// Call asks about the keys. in is the sink's own copy of a record.
func (f keysOnly) Call(in, out []topology.Record) ([]topology.Record, error) {
	for i := range in {
		in[i].Value = nil
	}
	return f.Function.Call(in, out)
}

// NativePartitioner is a partitioner in Go: it is given the topic, the record and the number of partitions, and answers
// partitions. nil leaves the record to its key; none of them drops it.
func NativePartitioner(choose func(topic string, r *topology.Record, partitions int32) []int32) Fn {
	return Native(func(in, out []topology.Record) ([]topology.Record, error) {
		for i := range in {
			r := &in[i]
			chosen := choose(r.Origin.Topic, r, r.Dest)
			if chosen == nil {
				out = append(out, topology.Record{Index: int32(i), Dest: -1})
			}
			for _, p := range chosen {
				out = append(out, topology.Record{Index: int32(i), Dest: p})
			}
		}
		return out, nil
	})
}

// readPartition reads a partition; a null leaves the record to its key.
func readPartition(answer *topology.Record, value []byte) {
	answer.Dest = -1
	if len(value) == 4 {
		answer.Dest = int32(binary.BigEndian.Uint32(value))
	}
}
