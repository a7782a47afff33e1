package demo

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/examples"
	"github.com/wasmstream/wasmstream/host"
	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/internal/kafka"
	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// The names are those of the course's lab.
const (
	applicationID = "streams-wordcount"
	inputTopic    = "streams-plaintext-input"
	outputTopic   = "streams-wordcount-output"
)

// Config says what is counted and who hears of it.
type Config struct {
	// Lines are counted as they come; nil counts Text.
	Lines io.Reader
	// Update hears of each count that comes out, in order; it may be nil. It is called on one goroutine.
	Update func(word string, count int64)
	// Progress hears how many of the lines have been counted; it may be nil. It is called on one goroutine.
	Progress func(counted, of int64)
	// Running hears when the application works; it may be nil.
	Running func()
	// Compiler is that of host.Config.
	Compiler []string
}

// Result is what came of it.
type Result struct {
	Counts map[string]int64
	// Lines went in, Words were counted, in Seconds from the first line written to the last count committed.
	Lines, Words int64
	Seconds      float64
}

// demo is the embedded broker with the application and the clients beside it.
type demo struct {
	cfg    Config
	broker *kafka.Embedded
	client *kgo.Client // writes lines and reads counts
	adm    *kadm.Client
	result Result
	read   int64 // the next offset of the output topic
}

// Run starts the broker, makes the topics, runs the application exactly-once, and returns when all lines are counted.
func Run(ctx context.Context, cfg Config) (Result, error) {
	broker, err := kafka.StartEmbedded(kafka.EmbeddedConfig{Retention: 24 * time.Hour})
	if err != nil {
		return Result{}, err
	}
	defer broker.Close()
	d := &demo{cfg: cfg, broker: broker, result: Result{Counts: map[string]int64{}}}
	if d.client, err = kgo.NewClient(kgo.SeedBrokers(broker.Addr), kgo.DefaultProduceTopic(inputTopic),
		kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{outputTopic: {0: kgo.NewOffset().AtStart()}}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(), kgo.FetchMaxWait(50*time.Millisecond)); err != nil {
		return Result{}, err
	}
	defer d.client.Close()
	d.adm = kadm.NewClient(d.client)
	if err := d.createTopics(ctx); err != nil {
		return Result{}, err
	}
	state, err := os.MkdirTemp("", "wasmstream-demo-")
	if err != nil {
		return Result{}, err
	}
	return d.result, errors.Join(d.count(ctx, state), os.RemoveAll(state))
}

func (d *demo) createTopics(ctx context.Context) error {
	for _, t := range []kafka.TopicSpec{
		{Name: inputTopic, Partitions: 1, Replication: 1},
		{Name: outputTopic, Partitions: 1, Replication: 1, Configs: map[string]string{"cleanup.policy": "compact"}},
	} {
		if _, err := kafka.CreateTopic(ctx, d.adm, t); err != nil {
			return err
		}
	}
	return nil
}

// count runs the application until everything is counted. Should the application end before, so does all else.
func (d *demo) count(ctx context.Context, state string) error {
	running := make(chan struct{})
	h, err := d.application(state, running)
	if err != nil {
		return err
	}
	work, stop := context.WithCancelCause(ctx)
	ended := make(chan error, 1)
	go func() {
		err := h.Run(work)
		stop(errors.Join(errors.New("the application ended before its input"), err))
		ended <- err
	}()
	err = d.whileRunning(work, running)
	if work.Err() != nil && ctx.Err() == nil {
		err = context.Cause(work)
	}
	stop(nil)
	if stopped := <-ended; err == nil {
		err = stopped
	}
	return err
}

func (d *demo) whileRunning(ctx context.Context, running <-chan struct{}) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-running:
	}
	if d.cfg.Running != nil {
		d.cfg.Running()
	}
	return d.feedAndFollow(ctx)
}

func (d *demo) application(state string, running chan<- struct{}) (*host.Host, error) {
	b := dsl.NewStreamsBuilder()
	b.Stream(inputTopic, dsl.Consumed{Key: topology.String, Value: topology.String}).
		FlatMapValues(dsl.Guest("wordcount", "split-words").Out(nil, topology.String)).
		GroupBy(dsl.Expr("value"), dsl.Grouped{Key: topology.String, Value: topology.String}).
		Count().
		ToStream().
		To(outputTopic, dsl.Produced{Key: topology.String, Value: topology.Long})
	topo, err := b.Build()
	if err != nil {
		return nil, err
	}
	settings := map[string]string{
		"application.id": applicationID, "bootstrap.servers": d.broker.Addr, "processing.guarantee": "exactly_once_v2",
		"auto.offset.reset": "earliest", "state.dir": state,
	}
	if d.cfg.Update != nil {
		settings["statestore.cache.max.bytes"] = "0" // every update, as in the lab
	}
	open := true
	return host.New(host.Config{
		Topology: topo, Settings: settings, Modules: map[string]host.Module{"wordcount": {Bytes: examples.WordCount}},
		Compiler: d.cfg.Compiler,
		StateListener: func(now, _ string) {
			if now == "RUNNING" && open {
				open = false
				close(running)
			}
		},
	})
}

// feedAndFollow writes the lines and reads the counts beside, and returns when all is committed and read.
func (d *demo) feedAndFollow(ctx context.Context) error {
	start := time.Now()
	fed := make(chan error, 1)
	go func() { fed <- d.feed(ctx) }()
	for feeding := true; ; {
		if err := d.follow(ctx); err != nil {
			return err
		}
		select {
		case err := <-fed:
			if err != nil {
				return fmt.Errorf("writing the lines: %w", err)
			}
			feeding = false
		default:
		}
		if feeding {
			continue
		}
		done, err := d.done(ctx)
		if err != nil {
			return err
		}
		if done {
			d.result.Seconds = time.Since(start).Seconds()
			for _, n := range d.result.Counts {
				d.result.Words += n
			}
			return nil
		}
	}
}

// maxLine is a byte more than the longest line that is read: a record of it fits into what the broker takes.
const maxLine = 1_000_000

// feed writes every line as the value of a record.
func (d *demo) feed(ctx context.Context) error {
	var failed error
	promise := func(_ *kgo.Record, err error) { failed = errors.Join(failed, err) }
	produce := func(line []byte) {
		d.client.Produce(ctx, &kgo.Record{Value: line}, promise)
		d.result.Lines++
	}
	if d.cfg.Lines == nil {
		text, err := Text()
		if err != nil {
			return err
		}
		for _, line := range text {
			produce(line)
		}
	} else {
		lines := bufio.NewScanner(d.cfg.Lines)
		lines.Buffer(nil, maxLine)
		for lines.Scan() {
			produce(bytes.Clone(lines.Bytes()))
		}
		if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
			return errs.RecordTooLarge.New(fmt.Sprintf("line %d", d.result.Lines+1), fmt.Sprintf("a line has %d bytes at most", maxLine-1), "break it into several").WithCause(err)
		} else if err != nil {
			return err
		}
	}
	return errors.Join(d.client.Flush(ctx), failed)
}

// follow reads what counts there are, or waits a moment for the first.
func (d *demo) follow(ctx context.Context) error {
	wait, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	fetches := d.client.PollFetches(wait)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	fetches.EachRecord(func(r *kgo.Record) {
		d.read = r.Offset + 1
		if r.Attrs.IsControl() {
			return
		}
		word, n := string(r.Key), int64(binary.BigEndian.Uint64(r.Value))
		d.result.Counts[word] = n
		if d.cfg.Update != nil {
			d.cfg.Update(word, n)
		}
	})
	return d.tellProgress(ctx)
}

func (d *demo) tellProgress(ctx context.Context) error {
	if d.cfg.Progress == nil {
		return nil
	}
	ends, err := d.adm.ListEndOffsets(ctx, inputTopic)
	if err != nil {
		return err
	}
	group, err := d.adm.FetchOffsets(ctx, applicationID)
	if err != nil {
		return err
	}
	end, _ := ends.Lookup(inputTopic, 0)
	at, _ := group.Lookup(inputTopic, 0)
	d.cfg.Progress(max(at.At, 0), end.Offset)
	return nil
}

// done tells whether all lines are counted and all counts read.
func (d *demo) done(ctx context.Context) (bool, error) {
	if drained, err := kafka.Drained(ctx, d.adm, applicationID, 1, inputTopic); err != nil || !drained {
		return false, err
	}
	ends, err := d.adm.ListCommittedOffsets(ctx, outputTopic)
	if err != nil {
		return false, err
	}
	end, _ := ends.Lookup(outputTopic, 0)
	return d.read >= end.Offset, nil
}
