package connect

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/fault"
	"github.com/wasmstream/wasmstream/internal/kafka"
)

// reporter tells of records that failed: to the log and to the dead letter queue.
type reporter struct {
	task     TaskID
	log      *slog.Logger
	logged   bool // errors.log.enable
	placed   bool // errors.log.include.messages
	counters *Counters
	letters  *deadLetters // nil without a queue
}

// report returns when the report is on its way; flush waits for it. raw is what lies in Kafka, or what is to. at may be nil.
func (r *reporter) report(f *Failed, at *Place, raw *kgo.Record) {
	r.counters.Failures.Add(1)
	if r.logged {
		shown := at
		if !r.placed {
			shown = nil
		}
		r.log.Error(ErrorLogText(r.task, f, shown), "error", fault.Trace(f.Cause))
	}
	if r.letters != nil && raw != nil {
		r.letters.send(r.task, f, raw, at)
	}
}

// flush returns when all reports are safe, or with the error that fails the task.
func (r *reporter) flush(ctx context.Context) error {
	if r.letters == nil {
		return nil
	}
	return r.letters.flush(ctx)
}

func (r *reporter) close() {
	if r.letters != nil {
		r.letters.client.Close()
	}
}

// deadLetters writes to a dead letter queue.
type deadLetters struct {
	topic    string
	headers  bool
	client   *kgo.Client
	counters *Counters
	mu       struct {
		sync.Mutex
		err error
	}
}

// newReporter makes the reporter of a task, and the topic of its dead letters where it does not exist.
func (w *Worker) newReporter(ctx context.Context, id TaskID, props config.Props, v config.Values, c *Counters) (*reporter, error) {
	r := &reporter{task: id, log: w.logOf(id), logged: v.Bool(errorLogKey), placed: v.Bool(errorLogRecordsKey), counters: c}
	topic := props.Or(dlqTopicKey, "")
	if topic == "" {
		return r, nil
	}
	overrides := w.Config.ClientProperties(kafka.Producer, props)
	opts, err := kafka.Options(kafka.Producer, overrides, "connector "+id.Connector)
	if err != nil {
		return nil, err
	}
	cl, err := kgo.NewClient(append(opts, kgo.ClientID("connector-dlq-producer-"+id.String()))...)
	if err != nil {
		return nil, err
	}
	replication, err := config.ParseType(dlqReplicationKey, props.Or(dlqReplicationKey, "3"), config.Short)
	if err != nil {
		cl.Close()
		return nil, err
	}
	headers, err := config.ParseType(dlqHeadersKey, props.Or(dlqHeadersKey, "false"), config.Boolean)
	if err == nil {
		err = ensureTopic(ctx, kadm.NewClient(cl), topic, 1, replication.(int16), nil)
	}
	if err != nil {
		cl.Close()
		return nil, fmt.Errorf("making the dead letter queue %s: %w", topic, err)
	}
	r.letters = &deadLetters{topic: topic, headers: headers.(bool), client: cl, counters: c}
	return r, nil
}

func (d *deadLetters) send(task TaskID, f *Failed, raw *kgo.Record, at *Place) {
	letter := &kgo.Record{Topic: d.topic, Key: raw.Key, Value: raw.Value, Timestamp: raw.Timestamp}
	letter.Headers = append(letter.Headers, raw.Headers...)
	if d.headers {
		for _, h := range DeadLetterHeaders(task, f, at) {
			letter.Headers = append(letter.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
		}
	}
	d.client.Produce(context.Background(), letter, func(_ *kgo.Record, err error) {
		if err == nil {
			d.counters.DeadLettered.Add(1)
			return
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.mu.err == nil {
			d.mu.err = fmt.Errorf("writing to the dead letter queue %s: %w", d.topic, err)
		}
	})
}

func (d *deadLetters) flush(ctx context.Context) error {
	if err := d.client.Flush(ctx); err != nil {
		return fmt.Errorf("writing to the dead letter queue %s: %w", d.topic, err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.mu.err
}
