package bench

import (
	"context"
	"errors"
	"os"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/host"
	"github.com/wasmstream/wasmstream/internal/kafka"
)

// Application is the process that is measured: one job over a finite input, ended when all of it is committed.
type Application struct {
	Job, Guest, Out          string
	In                       []string // topics; the records of the first are counted
	Bootstrap, ID, Guarantee string
	State                    string
	Records, Threads         int
	// Module is the guest's file; "" is the module that the binary carries.
	Module                 string
	CPUProfile, MemProfile string
	// Set are further settings, KEY=VALUE.
	Set []string
	// Compiler is that of host.Config.
	Compiler []string
	// Started is when the process began.
	Started time.Time
	// Running is called when the application first is RUNNING.
	Running func()
}

// Run works and measures.
func (a *Application) Run(ctx context.Context) (Result, error) {
	j, err := jobNamed(a.Job)
	if err != nil {
		return Result{}, err
	}
	topo, err := j.topology(a.Guest, a.In, a.Out)
	if err != nil {
		return Result{}, err
	}
	modules, err := j.modules(a.Guest, a.Module)
	if err != nil {
		return Result{}, err
	}
	first := &firstFetch{topic: a.In[0]}
	var running atomic.Int64
	h, err := host.New(host.Config{
		Topology: topo, Modules: modules, Settings: a.settings(), Compiler: a.Compiler, ClientOptions: []kgo.Opt{kgo.WithHooks(first)},
		StateListener: func(now, _ string) {
			if now == "RUNNING" && running.CompareAndSwap(0, int64(time.Since(a.Started))) {
				a.Running()
			}
		},
	})
	if err != nil {
		return Result{}, err
	}
	stopProfiles, err := a.profiles()
	if err != nil {
		return Result{}, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	if err := a.awaitCommitted(ctx, ended); err != nil {
		return Result{}, err
	}
	r := first.result(a.Records)
	r.StartMS = time.Duration(running.Load()).Milliseconds()
	cancel()
	err = <-ended
	r.PeakRSSBytes = peakRSS()
	return r, errors.Join(err, stopProfiles())
}

func (a *Application) settings() map[string]string {
	s := map[string]string{
		"application.id": a.ID, "bootstrap.servers": a.Bootstrap, "processing.guarantee": a.Guarantee,
		"num.stream.threads": strconv.Itoa(max(a.Threads, 1)), "state.dir": a.State, "auto.offset.reset": "earliest",
		"commit.interval.ms": "100",
	}
	for _, kv := range a.Set {
		key, value, _ := strings.Cut(kv, "=")
		s[key] = value
	}
	return s
}

// awaitCommitted returns when all input and all repartition topics are committed.
func (a *Application) awaitCommitted(ctx context.Context, ended <-chan error) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(a.Bootstrap))
	if err != nil {
		return err
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		done, err := kafka.Drained(ctx, adm, a.ID, max(a.Threads, 1), a.In...)
		if err != nil || done {
			return err
		}
		select {
		case err := <-ended:
			return errors.Join(errors.New("the application ended before its input did"), err)
		case <-tick.C:
		}
	}
}

// profiles starts the CPU profile, and returns what ends it and writes the heap profile.
func (a *Application) profiles() (stop func() error, err error) {
	var cpu *os.File
	if a.CPUProfile != "" {
		if cpu, err = os.Create(a.CPUProfile); err != nil {
			return nil, err
		}
		if err := pprof.StartCPUProfile(cpu); err != nil {
			return nil, err
		}
	}
	return func() error {
		if cpu != nil {
			pprof.StopCPUProfile()
			if err := cpu.Close(); err != nil {
				return err
			}
		}
		if a.MemProfile == "" {
			return nil
		}
		f, err := os.Create(a.MemProfile)
		if err != nil {
			return err
		}
		defer f.Close()
		return pprof.Lookup("allocs").WriteTo(f, 0)
	}, nil
}

// firstFetch notes time, CPU and allocations when the first batch of the input arrives.
type firstFetch struct {
	topic   string
	seen    atomic.Bool
	at      time.Time
	cpu     float64
	mallocs uint64
}

// OnFetchBatchRead implements kgo.HookFetchBatchRead.
func (f *firstFetch) OnFetchBatchRead(_ kgo.BrokerMetadata, topic string, _ int32, _ kgo.FetchBatchMetrics) {
	if topic == f.topic && f.seen.CompareAndSwap(false, true) {
		f.at, f.cpu, f.mallocs = time.Now(), cpuSeconds(), mallocs()
	}
}

func (f *firstFetch) result(records int) Result {
	seconds, cpu := time.Since(f.at).Seconds(), cpuSeconds()-f.cpu
	n := float64(records)
	return Result{
		Records: records, Seconds: seconds, CPUSeconds: cpu, RecordsPerSecond: n / seconds, RecordsPerCPUSecond: n / cpu,
		AllocsPerRecord: float64(mallocs()-f.mallocs) / n,
	}
}

func mallocs() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs
}
