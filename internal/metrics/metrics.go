// Package metrics gives Kafka's metrics their names as Prometheus series: wasmstream_ in front, base units, _total for
// counters. It knows names, help texts and labels, and how values get from the threads to a scrape; it knows nothing of
// what the values mean. There is no global registry: a Set belongs to an application and is registered where the
// application says.
//
// Two ways lead here. Durations of a thread's rounds are observed into histograms as they happen, a few times a
// millisecond at most. Everything counted per record lies in plain counters of its owner, which are read at the time of
// a scrape: a Source.
package metrics

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Namespace is the prefix of all series.
const Namespace = "wasmstream"

// Series is one name with its type, help and labels.
type Series struct {
	Name   string // without the namespace
	Help   string
	Labels []string // beside application
	Type   prometheus.ValueType
}

func counter(name, help string, labels ...string) Series {
	return Series{name, help, labels, prometheus.CounterValue}
}

func gauge(name, help string, labels ...string) Series {
	return Series{name, help, labels, prometheus.GaugeValue}
}

// The series that sources give. Kafka's name stands in brackets.
var (
	ClientState   = gauge("client_state", "State of the application (state): 0 CREATED, 1 REBALANCING, 2 RUNNING, 3 PENDING_SHUTDOWN, 4 NOT_RUNNING, 5 PENDING_ERROR, 6 ERROR.")
	AliveThreads  = gauge("alive_stream_threads", "Threads that run (alive-stream-threads).")
	FailedThreads = counter("failed_stream_threads_total", "Threads that ended with an error (failed-stream-threads).")
	ThreadState   = gauge("thread_state", "State of a thread (state): 0 CREATED, 1 STARTING, 2 PARTITIONS_REVOKED, 3 PARTITIONS_ASSIGNED, 4 RUNNING, 5 PENDING_SHUTDOWN, 6 DEAD.", "thread")
	BuildInfo     = gauge("build_info", "1, with the version, commit and Go release that the program was built from.", "version", "commit", "go")
	Records       = counter("processed_records_total", "Records processed (process-total).", "thread")
	Punctuations  = counter("punctuate_total", "Punctuators called (punctuate-total).", "thread")
	Restarts      = counter("thread_restarts_total", "Times a thread began anew from what is committed.", "thread")
	TasksCreated  = counter("task_created_total", "Tasks started (task-created-total).", "thread")
	TasksClosed   = counter("task_closed_total", "Tasks closed (task-closed-total).", "thread")
	Transactions  = counter("txn_total", "Transactions by result: committed, or failed with an open outcome.", "thread", "result")

	TaskDropped    = counter("dropped_records_total", "Records skipped (dropped-records-total).", "task", "reason")
	TaskLateness   = gauge("record_lateness_max_seconds", "Largest lateness of a record against stream time (record-lateness-max).", "task")
	TaskRestoring  = gauge("changelog_restore_remaining_records", "Offsets left to restore (restore-remaining-records-total).", "thread")
	RestoreRate    = gauge("changelog_restore_rate", "Offsets a second that a thread restores, on average since it began (restore-records-rate).", "thread")
	RestoreLeft    = gauge("changelog_restore_left_seconds", "Estimate of how long restoring goes on; 0 if nothing is restored.", "thread")
	RestoringTasks = gauge("restoring_active_tasks", "Tasks that wait for their stores to be restored (active-restoring-tasks).", "thread")
	StandbyTasks   = gauge("standby_updating_tasks", "Standby tasks and warm-up replicas that follow their changelogs (standby-updating-tasks).", "thread")
	StandbyLag     = gauge("standby_lag_records", "Offsets by which the standby tasks of a thread are behind their changelogs, together.", "thread")
	TaskRestored   = counter("restore_records_total", "Records restored (restore-total).", "task", "store")

	LagRecords = gauge("lag_records", "Records of an input partition that are not processed yet, as of the last fetch (records-lag).", "topic", "partition")
	LagSeconds = gauge("lag_seconds", "Time since the newest processed timestamp of an input partition in which records wait, else 0.", "topic", "partition")

	DeadLetters    = counter("dlq_records_total", "Records written to the dead-letter topic because of a failure in a node.", "task", "node")
	NodeProcessed  = counter("node_processed_records_total", "Records handled by a node (process-total).", "task", "node")
	TopicProduced  = counter("records_produced_total", "Records sent to a topic (records-produced-total).", "thread", "topic")
	TopicProducedB = counter("bytes_produced_total", "Bytes of keys and values sent to a topic (bytes-produced-total).", "thread", "topic")

	StoreOps       = counter("store_operations_total", "Operations on a store by kind: get, put, put-if-absent, delete, range, flush.", "task", "store", "operation")
	StoreIterators = gauge("store_open_iterators", "Iterators open on a store (num-open-iterators).", "task", "store")
	StateBytes     = gauge("state_bytes", "Bytes of local state on disk.")
	CacheBytes     = gauge("record_cache_bytes", "Bytes in a thread's record cache.", "thread")
	CacheHits      = counter("record_cache_hits_total", "Reads answered by a thread's record cache (hit-ratio).", "thread")
	CacheMisses    = counter("record_cache_misses_total", "Reads that went below a thread's record cache.", "thread")

	GuestFuel      = counter("guest_fuel_total", "Fuel used by guests.", "task", "module", "component")
	GuestMemory    = gauge("guest_memory_bytes", "Linear memory of the instance of a guest.", "task", "module", "component")
	GuestCalls     = counter("guest_calls_total", "Calls of guests.", "task", "module", "component")
	GuestErrors    = counter("guest_errors_total", "Error records of guests and failed calls.", "task", "module", "component")
	GuestTraps     = counter("guest_traps_total", "Guest calls that ended the instance: trap, fuel, wall, memory, depth, exit, contract, abuse, interrupted, host.", "task", "module", "component", "reason")
	GuestInstances = counter("guest_instantiations_total", "Instances made of a module: at a task's start, for a reload, after a trap.", "task", "module")
	GuestCounter   = counter("guest_value_total", "Counters that guests keep themselves.", "task", "module", "component", "name")
	GuestGauge     = gauge("guest_value", "Gauges that guests keep themselves.", "task", "module", "component", "name")

	Reloads = counter("reload_total", "Replacements of a module by result: done, refused, failed.", "result")
)

// durationBuckets reach from tens of microseconds (a poll that finds records) to minutes (a rebalance).
var durationBuckets = prometheus.ExponentialBucketsRange(20e-6, 60, 24)

// Set is the series of one application. It is safe for concurrent use.
type Set struct {
	durations *prometheus.HistogramVec
	txn       *prometheus.HistogramVec
	reload    prometheus.Histogram
	mu        struct {
		sync.Mutex
		sources map[int]Source
		next    int
	}
	application string
	reg         prometheus.Registerer
}

// Source gives values at the time of a scrape, on the scrape's goroutine: it reads atomics and takes no lock that is
// held over I/O.
type Source func(emit Emit)

// Emit gives one value. labels are those of the series, in its order. Values of the same series and labels add up.
type Emit func(s Series, value float64, labels ...string)

// New makes the series of an application and registers them. reg may be nil: then nothing is registered.
func New(reg prometheus.Registerer, application string) (*Set, error) {
	constant := prometheus.Labels{"application": application}
	s := &Set{application: application, reg: reg}
	s.mu.sources = make(map[int]Source)
	s.durations = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: Namespace, Name: "thread_duration_seconds", ConstLabels: constant, Buckets: durationBuckets,
		Help: "Duration of a thread's steps (commit-, poll-, process-, punctuate-latency).",
	}, []string{"thread", "step"})
	s.txn = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: Namespace, Name: "txn_duration_seconds", ConstLabels: constant, Buckets: durationBuckets,
		Help: "Time from the flush of a transaction to its end.",
	}, []string{"thread"})
	s.reload = prometheus.NewHistogram(prometheus.HistogramOpts{
		Namespace: Namespace, Name: "reload_duration_seconds", ConstLabels: constant, Buckets: durationBuckets,
		Help: "Time that the replacement of a module takes.",
	})
	if reg == nil {
		return s, nil
	}
	for _, c := range s.collectors() {
		if err := reg.Register(c); err != nil {
			s.Close()
			return nil, err
		}
	}
	return s, nil
}

func (s *Set) collectors() []prometheus.Collector {
	return []prometheus.Collector{s.durations, s.txn, s.reload, (*sourceCollector)(s)}
}

// Close unregisters everything. It can be called twice.
func (s *Set) Close() {
	if s.reg == nil {
		return
	}
	for _, c := range s.collectors() {
		s.reg.Unregister(c)
	}
}

// AddSource has source asked at every scrape until remove is called.
func (s *Set) AddSource(source Source) (remove func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := s.mu.next
	s.mu.next++
	s.mu.sources[id] = source
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.mu.sources, id)
	}
}

// Thread is the histograms of one thread.
type Thread struct{ Commit, Poll, Process, Punctuate, Transaction Duration }

// Thread returns the histograms of a thread by its name.
func (s *Set) Thread(name string) *Thread {
	step := func(step string) Duration { return Duration{s.durations.WithLabelValues(name, step)} }
	return &Thread{
		Commit: step("commit"), Poll: step("poll"), Process: step("process"), Punctuate: step("punctuate"),
		Transaction: Duration{s.txn.WithLabelValues(name)},
	}
}

// Reload is the histogram of replacements of modules.
func (s *Set) Reload() Duration { return Duration{s.reload} }

// Duration is a histogram of seconds.
type Duration struct{ prometheus.Observer }

// Observe adds a duration.
func (d Duration) Observe(t time.Duration) { d.Observer.Observe(t.Seconds()) }

// sourceCollector is a Set as a prometheus.Collector. It is unchecked: which series there are depends on the tasks.
type sourceCollector Set

// Describe gives nothing, which makes the collector an unchecked one.
func (*sourceCollector) Describe(chan<- *prometheus.Desc) {}

// Collect asks all sources.
func (c *sourceCollector) Collect(out chan<- prometheus.Metric) {
	s := (*Set)(c)
	s.mu.Lock()
	var sources []Source
	for _, id := range slices.Sorted(maps.Keys(s.mu.sources)) {
		sources = append(sources, s.mu.sources[id])
	}
	s.mu.Unlock()
	sums := newSums()
	for _, source := range sources {
		source(sums.add)
	}
	for _, m := range sums.list {
		desc := prometheus.NewDesc(prometheus.BuildFQName(Namespace, "", m.series.Name), m.series.Help, m.series.Labels,
			prometheus.Labels{"application": s.application})
		out <- prometheus.MustNewConstMetric(desc, m.series.Type, m.value, m.labels...)
	}
}

// sums adds values of the same series and labels up, as a registry refuses to see a series twice.
type sums struct {
	list  []*sum
	index map[string]*sum
}

type sum struct {
	series Series
	labels []string
	value  float64
}

func newSums() *sums { return &sums{index: make(map[string]*sum)} }

func (s *sums) add(series Series, value float64, labels ...string) {
	if len(labels) != len(series.Labels) {
		panic("metrics: " + series.Name + " takes other labels")
	}
	key := series.Name
	for _, l := range labels {
		key += "\x00" + l
	}
	if m := s.index[key]; m != nil {
		m.value += value
		return
	}
	m := &sum{series, slices.Clone(labels), value}
	s.index[key] = m
	s.list = append(s.list, m)
}
