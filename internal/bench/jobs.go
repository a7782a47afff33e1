package bench

import (
	"bytes"
	"fmt"
	"os"

	"github.com/wasmstream/wasmstream/examples"
	"github.com/wasmstream/wasmstream/host"
	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// job is what is measured: a topology with one user function, which is a guest's component or the same in Go.
type job struct {
	module    string
	component string
	embedded  []byte
	native    func() dsl.NativeFunc
	build     func(b *dsl.StreamsBuilder, fn dsl.Fn, in, out string)
}

var (
	str   = topology.String
	bytez = topology.Bytes
)

func jobNamed(name string) (job, error) {
	switch name {
	case "copy":
		return job{module: "mapvalues", component: "copy", embedded: examples.MapValues, native: nativeCopy, build: mapValues}, nil
	case "mapvalues":
		return job{module: "mapvalues", component: "enrich", embedded: examples.MapValues, native: nativeEnrich, build: mapValues}, nil
	case "wordcount":
		return job{module: "wordcount", component: "split-words", embedded: examples.WordCount, native: nativeSplit, build: wordCount}, nil
	}
	return job{}, fmt.Errorf("no job %q: copy, mapvalues and wordcount are there", name)
}

func mapValues(b *dsl.StreamsBuilder, fn dsl.Fn, in, out string) {
	b.Stream(in, dsl.Consumed{Key: str, Value: bytez}).MapValues(fn).To(out, dsl.Produced{Key: str, Value: bytez})
}

func wordCount(b *dsl.StreamsBuilder, fn dsl.Fn, in, out string) {
	b.Stream(in, dsl.Consumed{Key: str, Value: str}).
		FlatMapValues(fn.Out(nil, str)).
		GroupBy(dsl.Expr("value"), dsl.Grouped{Key: str, Value: str}).
		Count().
		ToStream().To(out, dsl.Produced{Key: str, Value: topology.Long})
}

// topology builds the job for a guest; native runs the function in Go.
func (j job) topology(guest, in, out string) (*topology.Topology, error) {
	fn := dsl.Guest(j.module, j.component)
	if guest == "native" {
		fn = dsl.NativeNew(j.native)
	}
	b := dsl.NewStreamsBuilder()
	j.build(b, fn, in, out)
	return b.Build()
}

// modules are those that the topology of a guest needs: the file, or without one what the binary carries.
func (j job) modules(guest, file string) (map[string]host.Module, error) {
	if guest == "native" {
		return nil, nil
	}
	m := host.Module{Bytes: j.embedded}
	if file != "" {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		m.Bytes = data
	}
	return map[string]host.Module{j.module: m}, nil
}

func nativeCopy() dsl.NativeFunc {
	return func(in, out []topology.Record) ([]topology.Record, error) {
		for i := range in {
			out = append(out, in[i])
			out[len(out)-1].Index = int32(i)
		}
		return out, nil
	}
}

func nativeEnrich() dsl.NativeFunc {
	var arena topology.Arena
	var scratch []byte
	return func(in, out []topology.Record) ([]topology.Record, error) {
		for i := range in {
			scratch = Enrich(scratch[:0], in[i].Value)
			out = append(out, in[i])
			r := &out[len(out)-1]
			r.Index, r.Value = int32(i), arena.Copy(scratch)
		}
		return out, nil
	}
}

// nativeSplit is the rule of examples/wordcount in Go: lower case, split at blanks, no empty words at the end.
func nativeSplit() dsl.NativeFunc {
	var arena topology.Arena
	return func(in, out []topology.Record) ([]topology.Record, error) {
		for i := range in {
			line := arena.Copy(in[i].Value)
			for k, c := range line {
				if c >= 'A' && c <= 'Z' {
					line[k] = c + ('a' - 'A')
				}
			}
			if len(line) > 0 {
				if line = bytes.TrimRight(line, " "); len(line) == 0 {
					continue
				}
			}
			for start := 0; start <= len(line); {
				end := bytes.IndexByte(line[start:], ' ')
				if end < 0 {
					end = len(line) - start
				}
				out = append(out, in[i])
				r := &out[len(out)-1]
				r.Index, r.Value = int32(i), line[start:start+end:start+end]
				start += end + 1
			}
		}
		return out, nil
	}
}
