package connect

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wasmstream/wasmstream/internal/metrics"
)

// series are what a worker counts. Kafka Connect's names stand in brackets: of sources, then of sinks.
var (
	taskLabels  = []string{"connector", "task"}
	readSeries  = connectSeries("task_records_read_total", "Records that a task was given, by its source or from its topics (source-record-poll-total, sink-record-read-total).", taskLabels...)
	writeSeries = connectSeries("task_records_written_total", "Records that were written to Kafka, or taken by the sink (source-record-write-total, sink-record-send-total).", taskLabels...)
	dropSeries  = connectSeries("task_records_filtered_total", "Records that transformations dropped.", taskLabels...)
	skipSeries  = connectSeries("task_records_skipped_total", "Records that failed and were tolerated (total-records-skipped).", taskLabels...)
	dlqSeries   = connectSeries("task_records_dead_lettered_total", "Records that are in the dead letter queue (deadletterqueue-produce-requests).", taskLabels...)
	failSeries  = connectSeries("task_record_failures_total", "Failures of single records (total-record-failures).", taskLabels...)
	retrySeries = connectSeries("task_retries_total", "Batches that a sink asked for again (total-retries).", taskLabels...)

	restartSeries   = connectSeries("restarts_total", "Restarts after a failure, of tasks and, with task -1, of connectors.", taskLabels...)
	stateSeries     = connectSeries("task_state", "1 for the state that a task of this worker is in, or with task -1 a connector (status).", "connector", "task", "state")
	rebalanceSeries = connectSeries("rebalances_total", "Assignments that this worker got (completed-rebalances-total).")
	leaderSeries    = connectSeries("leader", "1 if this worker leads its group (leader-name).")
)

func connectSeries(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(metrics.Namespace, "connect", name), help, labels, nil)
}

// Collector gives the worker's counters to Prometheus at the time of a scrape. Counters of a task begin anew with each start of it.
func (h *Herder) Collector() prometheus.Collector { return collector{h} }

type collector struct{ h *Herder }

// Describe implements prometheus.Collector.
func (c collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		readSeries, writeSeries, dropSeries, skipSeries, dlqSeries, failSeries, retrySeries, restartSeries, stateSeries, rebalanceSeries, leaderSeries,
	} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c collector) Collect(out chan<- prometheus.Metric) {
	leads, _ := c.h.leader()
	c.h.mu.Lock()
	defer c.h.mu.Unlock()
	count := func(d *prometheus.Desc, n int64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	own := c.h.cfg.WorkerID()
	for id, t := range c.h.mu.tasks {
		k, labels := &t.Counters, []string{id.Connector, strconv.Itoa(id.Task)}
		count(readSeries, k.Read.Load(), labels...)
		count(writeSeries, k.Written.Load(), labels...)
		count(dropSeries, k.Filtered.Load(), labels...)
		count(skipSeries, k.Skipped.Load(), labels...)
		count(dlqSeries, k.DeadLettered.Load(), labels...)
		count(failSeries, k.Failures.Load(), labels...)
		count(retrySeries, k.Retries.Load(), labels...)
	}
	for id, n := range c.h.mu.restarts {
		count(restartSeries, n, id.Connector, strconv.Itoa(id.Task))
	}
	for _, name := range c.h.mu.config.Connectors() {
		ids := append([]TaskID{{name, -1}}, c.h.mu.statuses.Tasks(name)...)
		for _, id := range ids {
			s, _ := c.h.mu.statuses.Task(id)
			if id.Task < 0 {
				s, _ = c.h.mu.statuses.Connector(name)
			}
			if s.WorkerID == own {
				out <- prometheus.MustNewConstMetric(stateSeries, prometheus.GaugeValue, 1, name, strconv.Itoa(id.Task), string(s.State))
			}
		}
	}
	count(rebalanceSeries, c.h.mu.rebalances)
	leader := 0.0
	if leads {
		leader = 1
	}
	out <- prometheus.MustNewConstMetric(leaderSeries, prometheus.GaugeValue, leader)
}
