package wasm

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmstream/wasmstream/abi"
	"github.com/wasmstream/wasmstream/internal/guestbuild"
)

// engines are the four ways to run a module: compiled and interpreted, metered and plain.
type engines struct {
	compiled, interpreted, plain, plainInterpreted *Engine
}

func newEngines(t testing.TB) engines {
	t.Helper()
	limits := Limits{FuelPerFrame: 1 << 30, FuelMax: 1 << 30, Wall: time.Hour}
	return engines{
		compiled:         testEngine(t, Config{Limits: limits}),
		interpreted:      testEngine(t, Config{Limits: limits, Interpreter: true}),
		plain:            testEngine(t, Config{Limits: limits, DisableMetering: true}),
		plainInterpreted: testEngine(t, Config{Limits: limits, DisableMetering: true, Interpreter: true}),
	}
}

// outcome is what can be seen of a run.
type outcome struct {
	Answer string // hash of the output frame, or the error
	Fuel   uint64
}

// runOnce compiles a module, asks it once and forgets it.
func runOnce(e *Engine, wasm []byte) (outcome, error) {
	m, err := e.Compile(context.Background(), "generated", wasm)
	if err != nil {
		return outcome{}, err
	}
	defer m.Close()
	host := newHost()
	in, err := m.Instantiate(context.Background(), host, Limits{})
	if err != nil {
		return outcome{}, err
	}
	defer in.Close()
	view, err := in.Reserve(8)
	if err != nil {
		return outcome{}, err
	}
	clear(view)
	out, err := in.Process(0, 8)
	if trap, ok := errors.AsType[*TrapError](err); ok {
		return outcome{trap.Reason + ": " + trap.Message + " " + strings.Join(trap.Stack, " "), trap.Fuel}, nil
	}
	h := fnv.New64a()
	h.Write(out)
	fmt.Fprint(h, host.store, host.errors, host.logs)
	return outcome{fmt.Sprintf("%x", h.Sum64()), in.Fuel()}, err
}

// compare runs a module in all four ways. Metered and plain give the same; so do compiler and interpreter, and they use
// the same fuel. A run that used up its fuel is only comparable among the metered.
func compare(e engines, wasm []byte) error {
	var got [4]outcome
	for i, engine := range []*Engine{e.compiled, e.interpreted, e.plain, e.plainInterpreted} {
		var err error
		if got[i], err = runOnce(engine, wasm); err != nil {
			return fmt.Errorf("way %d: %w", i, err)
		}
		if i == 1 && strings.HasPrefix(got[0].Answer, ReasonFuel) {
			break
		}
	}
	if d := cmp.Diff(got[0], got[1]); d != "" {
		return fmt.Errorf("compiled against interpreted: %s", d)
	}
	if strings.HasPrefix(got[0].Answer, ReasonFuel) {
		return nil
	}
	if got[0].Fuel == 0 {
		return errors.New("the run used no fuel")
	}
	for i := 2; i < 4; i++ {
		if d := cmp.Diff(got[0].Answer, got[i].Answer); d != "" {
			return fmt.Errorf("metered against plain (%d): %s", i, d)
		}
	}
	return nil
}

func TestGeneratedModulesAgree(t *testing.T) {
	e := newEngines(t)
	n := 2000
	if testing.Short() {
		n = 100
	}
	for seed := range uint64(n) {
		if err := compare(e, generate(seed)); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

func FuzzGeneratedModulesAgree(f *testing.F) {
	for seed := range uint64(8) {
		f.Add(seed << 32)
	}
	e := newEngines(f)
	f.Fuzz(func(t *testing.T, seed uint64) {
		if err := compare(e, generate(seed)); err != nil {
			t.Fatal(err)
		}
	})
}

// randomFrame has records whose values look like what guests parse.
func randomFrame(r *rand.Rand) []byte {
	values := make([]string, r.IntN(20))
	for i := range values {
		switch r.IntN(4) {
		case 0:
			values[i] = strings.Repeat("Kafka  Streams ", r.IntN(50))
		case 1:
			values[i] = fmt.Sprintf(`{"id":%d,"type":"click","amount":%g,"agent":"x\u00e9","nested":{"a":[1,2,{"b":null}]}}`, r.Uint64(), r.NormFloat64())
		case 2:
			b := make([]byte, r.IntN(200))
			for k := range b {
				b[k] = byte(r.Uint32())
			}
			values[i] = string(b)
		default:
			values[i] = "카프카 스트림즈 " + strings.Repeat(" ", r.IntN(3))
		}
	}
	return inputFrame(nil, values...)
}

// TestGuestsAgree: real guests give the same answers, and change the store alike, in all four ways, over random frames.
func TestGuestsAgree(t *testing.T) {
	e := newEngines(t)
	for _, job := range meteredJobs {
		if testing.Short() && !strings.HasSuffix(job.guest, "-c") {
			continue // without the toolchains of the others
		}
		t.Run(job.guest+"/"+job.component, func(t *testing.T) {
			wasm := guestbuild.Load(t, job.guest)
			var hosts [4]*memoryHost
			var ins [4]*Instance
			var handles [4]int32
			for i, engine := range []*Engine{e.compiled, e.interpreted, e.plain, e.plainInterpreted} {
				hosts[i] = newHost()
				ins[i] = newInstance(t, compileModule(t, engine, job.guest, wasm), hosts[i], Limits{})
				h, err := ins[i].Open(openFrame(job.component, "counts"))
				if err != nil {
					t.Fatal(err)
				}
				handles[i] = h
			}
			r := rand.New(rand.NewPCG(1, 2))
			for range 15 {
				frame := randomFrame(r)
				var outs [4]string
				for i, in := range ins {
					out, err := process(t, in, handles[i], frame)
					if err != nil {
						t.Fatalf("way %d: %v", i, err)
					}
					outs[i] = string(out)
				}
				for i := 1; i < 4; i++ {
					if d := cmp.Diff(outs[0], outs[i]); d != "" {
						t.Fatalf("way %d: %s", i, d)
					}
					if d := cmp.Diff(hosts[0].store, hosts[i].store); d != "" {
						t.Fatalf("way %d: %s", i, d)
					}
				}
				if a, b := ins[0].Fuel(), ins[1].Fuel(); a != b {
					t.Fatalf("fuel: compiled %d, interpreted %d", a, b)
				}
			}
		})
	}
}

// TestBranchOnAnd: a branch on "0 < (a and b)" goes where it should (guardCompare).
func TestBranchOnAnd(t *testing.T) {
	e := testEngine(t, Config{})
	plain := testEngine(t, Config{DisableMetering: true})
	and := cat(i64c(0), ops(opLocalGet, 3, opLocalGet, 4, opI64And))
	for name, condition := range map[string][]byte{
		"written there":   cat(and, ops(opI64LtS)),
		"from a local":    cat(ops(opLocalGet, 3, opLocalGet, 4, opI64And, opLocalSet, 4), i64c(0), ops(opLocalGet, 4, opI64LtS)),
		"teed":            cat(i64c(0), ops(opLocalGet, 3, opLocalGet, 4, opI64And, opLocalTee, 4, opI64LtS)),
		"from a block":    cat(i64c(0), ops(opBlock, valI64, opLocalGet, 3, opLocalGet, 4, opI64And, opEnd, opI64LtS)),
		"zero in a local": ops(opLocalGet, 3, opLocalGet, 4, opI64And, opLocalSet, 4, opI64Const, 0, opLocalSet, 3, opLocalGet, 3, opLocalGet, 4, opI64LtS),
	} {
		t.Run(name, func(t *testing.T) {
			w, f := guest()
			f[abi.ExportProcess].code = cat(i64c(5), ops(opLocalSet, 3), i64c(13), ops(opLocalSet, 4), condition,
				ops(opIf, valI64), i64c(-4), ops(opElse), i64c(-5), ops(opEnd))
			for _, engine := range []*Engine{e, plain} {
				in := newInstance(t, compileModule(t, engine, "and", w.bytes()), newHost(), Limits{})
				if err := ask(t, in, abi.ExportProcess); !errors.Is(err, abi.NotFound) {
					t.Errorf("got %v, want the branch taken (%v)", err, abi.NotFound)
				}
			}
		})
	}
}
