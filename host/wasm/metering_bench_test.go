package wasm

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/wasmstream/wasmstream/internal/guestbuild"
)

// meteredJobs are what real guests do with a record.
var meteredJobs = []struct{ guest, component, value string }{
	{"wordcount-c", "split-words", benchLine},
	{"wordcount-c", "count-words", benchLine},
	{"wordcount-go", "split-words", benchLine},
	{"wordcount-go", "count-words", benchLine},
	{"mapvalues-c", "enrich", benchJSON},
	{"mapvalues-c", "copy", benchJSON},
	{"wordcount-rust", "split-words", benchLine},
	{"wordcount-rust", "count-words", benchLine},
	{"mapvalues-rust", "enrich", benchJSON},
	{"mapvalues-go", "enrich", benchJSON},
}

const (
	benchLine = "all streams lead to kafka and hello kafka streams join the summit of kafka in london or so it seems to be"
	benchJSON = `{"id":12345,"type":"click","price":12.5,"count":17,"agent":"Mozilla/5.0 (X11; Linux)","nested":{"x":1,"y":"zz"}}`
)

// BenchmarkMetering runs each job plain and metered in turns, so that other load on the machine hits both, and
// reports the cost of metering by the fastest turn of each.
func BenchmarkMetering(b *testing.B) {
	plain := testEngine(b, Config{DisableMetering: true, CacheDir: os.Getenv("WASMSTREAM_BENCH_CACHE")})
	metered := testEngine(b, Config{CacheDir: os.Getenv("WASMSTREAM_BENCH_CACHE")})
	for _, job := range meteredJobs {
		b.Run(job.guest+"/"+job.component, func(b *testing.B) {
			wasm := guestbuild.Load(b, job.guest)
			frame := inputFrame(nil, strings.Split(strings.Repeat(job.value+"|", 99)+job.value, "|")...)
			var lastFuel uint64
			run := func(e *Engine) func() time.Duration {
				in := newInstance(b, compileModule(b, e, job.guest, wasm), newHost(), Limits{})
				h, err := in.Open(openFrame(job.component, "counts"))
				if err != nil {
					b.Fatal(err)
				}
				return func() time.Duration {
					start := time.Now()
					for range 5 {
						if _, err := process(b, in, h, frame); err != nil {
							b.Fatal(err)
						}
					}
					took := time.Since(start)
					lastFuel = in.Fuel()
					return took
				}
			}
			runPlain, runMetered := run(plain), run(metered)
			bestPlain, bestMetered := time.Hour, time.Hour
			for b.Loop() {
				bestPlain = min(bestPlain, runPlain())
				bestMetered = min(bestMetered, runMetered())
			}
			b.ReportMetric(float64(bestPlain.Nanoseconds())/500, "plain-ns/rec")
			b.ReportMetric(float64(bestMetered.Nanoseconds())/500, "metered-ns/rec")
			b.ReportMetric(float64(lastFuel)/100, "fuel/rec")
			b.ReportMetric(100*float64(bestMetered-bestPlain)/float64(bestPlain), "%cost")
		})
	}
}
