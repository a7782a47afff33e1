package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// The functions of the jobs in Go, by the standard library: the baseline without a guest, and the oracle of its output.

func nativeCopy() dsl.NativeFunc {
	return func(in, out []topology.Record) ([]topology.Record, error) {
		for i := range in {
			out = append(out, in[i])
			out[len(out)-1].Index = int32(i)
		}
		return out, nil
	}
}

// rewriting is a function that makes a new value of each record.
func rewriting(value func(dst []byte, r *topology.Record) []byte) dsl.NativeFunc {
	var arena topology.Arena
	var scratch []byte
	return func(in, out []topology.Record) ([]topology.Record, error) {
		for i := range in {
			scratch = value(scratch[:0], &in[i])
			out = append(out, in[i])
			r := &out[len(out)-1]
			r.Index, r.Value = int32(i), arena.Copy(scratch)
		}
		return out, nil
	}
}

func nativeEnrich() dsl.NativeFunc {
	return rewriting(func(dst []byte, r *topology.Record) []byte { return Enrich(dst, r.Value) })
}

func nativeWithProfile() dsl.NativeFunc {
	return rewriting(func(dst []byte, r *topology.Record) []byte { return withProfile(dst, r.Value, r.Extra.Second) })
}

func nativePair() dsl.NativeFunc {
	return rewriting(func(dst []byte, r *topology.Record) []byte { return pair(dst, r.Value, r.Extra.Second) })
}

func nativeIsBuy() dsl.NativeFunc {
	return func(in, out []topology.Record) ([]topology.Record, error) {
		for i := range in {
			if read(in[i].Value).Type == "buy" {
				out = append(out, topology.Record{Index: int32(i)})
			}
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

// event is what the jobs read, in the order of its fields.
type event struct {
	User    string      `json:"user"`
	Type    string      `json:"type"`
	Amount  json.Number `json:"amount"`
	TS      int64       `json:"ts"`
	Country string      `json:"country"`
	Page    string      `json:"page"`
	Session string      `json:"session"`
	Agent   string      `json:"agent"`
}

func read(value []byte) (e event) {
	if err := json.Unmarshal(value, &e); err != nil {
		panic(fmt.Sprintf("bench: an event that its own generator made: %v", err))
	}
	return e
}

// Enrich appends value with three fields changed and all else as it was: total is the amount with 19 % tax in whole cents, type is in capitals,
// agent is gone. It is the oracle of the job mapvalues and reads the event whole, by the standard library.
func Enrich(dst, value []byte) []byte {
	e := read(value)
	amount, err := e.Amount.Float64()
	if err != nil {
		panic(fmt.Sprintf("bench: an amount that its own generator made: %v", err))
	}
	dst = e.append(dst, string(bytes.ToUpper([]byte(e.Type))))
	dst = append(dst, `,"total":`...)
	dst = appendDouble(dst, math.Floor(amount*119+0.5)/100)
	return append(dst, '}')
}

// withProfile appends an event with its user's profile and without its agent.
func withProfile(dst, value, profile []byte) []byte {
	e := read(value)
	dst = append(append(e.append(dst, e.Type), `,"profile":`...), profile...)
	return append(dst, '}')
}

// pair appends what an event and an order of one user have to say of each other.
func pair(dst, value, other []byte) []byte {
	e, o := read(value), read(other)
	dst = strconv.AppendQuote(append(dst, `{"user":`...), e.User)
	dst = append(append(dst, `,"event":`...), e.Amount...)
	dst = append(append(dst, `,"order":`...), o.Amount...)
	return append(strconv.AppendInt(append(dst, `,"dt":`...), o.TS-e.TS, 10), '}')
}

// append appends the event with another type and without its agent, and leaves the object open.
func (e *event) append(dst []byte, kind string) []byte {
	dst = append(dst, `{"user":`...)
	dst = strconv.AppendQuote(dst, e.User)
	dst = append(dst, `,"type":`...)
	dst = strconv.AppendQuote(dst, kind)
	dst = append(dst, `,"amount":`...)
	dst = append(dst, e.Amount...)
	dst = strconv.AppendInt(append(dst, `,"ts":`...), e.TS, 10)
	for _, field := range [...]struct{ name, value string }{{"country", e.Country}, {"page", e.Page}, {"session", e.Session}} {
		dst = append(append(append(dst, `,"`...), field.name...), `":`...)
		dst = strconv.AppendQuote(dst, field.value)
	}
	return dst
}

// appendDouble writes a number as Java's Double.toString does between a thousandth and ten million.
func appendDouble(dst []byte, v float64) []byte {
	start := len(dst)
	dst = strconv.AppendFloat(dst, v, 'f', -1, 64)
	if !bytes.ContainsRune(dst[start:], '.') {
		dst = append(dst, ".0"...)
	}
	return dst
}
