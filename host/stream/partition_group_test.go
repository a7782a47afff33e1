package stream

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/topology"
)

// TestPartitionGroup runs the script testdata/partition_group:
//
//	new [inputs=(a,b)] [value=long] [extractor=NAME] [handler=continue] [idle=MS]   a group of one partition per input
//	add a [end=N] [control]     lines "offset timestamp [value in hex]", -: null
//	ready now=MS                whether a record may be taken
//	run [records=N] [bytes=N] [due=MS] [now=MS]   the next run, a line for each record
//	restore a time=MS           the partition time that was committed
//	offsets                     what would be committed; then it is committed
func TestPartitionGroup(t *testing.T) {
	var g *groupScript
	datadriven.RunTest(t, "testdata/partition_group", func(t *testing.T, d *datadriven.TestData) string {
		if d.Cmd == "new" {
			g = newGroupScript(t, d)
			return ""
		}
		return g.run(t, d)
	})
}

type groupScript struct {
	group   *PartitionGroup
	metrics *TaskMetrics
	said    map[string]int64 // drops that were shown
}

func newGroupScript(t *testing.T, d *datadriven.TestData) *groupScript {
	c := TaskConfig{}
	spec := &topology.Node{Name: "SOURCE"}
	inputs := []string{"a"}
	idle := int64(-1)
	for _, arg := range d.CmdArgs {
		var err error
		switch arg.Key {
		case "inputs":
			inputs = arg.Vals
		case "value":
			spec.ValueSerde, err = topology.SerdeByName(arg.Vals[0])
		case "extractor":
			spec.TimestampExtractor = arg.Vals[0]
		case "handler":
			c.Deserialization = LogAndContinue
		case "idle":
			idle, err = strconv.ParseInt(arg.Vals[0], 10, 64)
		default:
			t.Fatalf("%s: unknown argument %s", d.Pos, arg.Key)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	c.MaxTaskIdle = time.Duration(idle) * time.Millisecond
	c = c.withDefaults()
	task := &Task{config: c, metrics: c.Metrics, log: c.Logger}
	s := &groupScript{metrics: c.Metrics}
	var queues []*RecordQueue
	for _, in := range inputs {
		q, err := newRecordQueue(topology.TopicPartition{Topic: in}, &node{spec: spec, task: task, metrics: c.Metrics.node(spec.Name), log: c.Logger}, &c)
		if err != nil {
			t.Fatal(err)
		}
		q.headers = &slab[topology.Header]{}
		queues = append(queues, q)
	}
	s.group = newPartitionGroup(queues, &c)
	return s
}

func (s *groupScript) run(t *testing.T, d *datadriven.TestData) string {
	number := func(key string, fallback int64) int64 {
		if d.HasArg(key) {
			d.ScanArgs(t, key, &fallback)
		}
		return fallback
	}
	var q *RecordQueue
	if d.Cmd == "add" || d.Cmd == "restore" {
		q = s.group.byPartition[topology.TopicPartition{Topic: d.CmdArgs[0].Key}]
	}
	now := number("now", 0)
	switch d.Cmd {
	case "add":
		q.end = max(q.end, number("end", -1))
		s.group.add(q, rawRecords(t, d), now)
		return s.sayDropped()
	case "ready":
		return fmt.Sprintln(s.group.ready(now))
	case "restore":
		s.group.restoreTime(q, number("time", -1))
		return ""
	case "offsets":
		return s.offsets()
	case "run":
		limits := runLimits{records: int(number("records", 500)), bytes: number("bytes", 1<<20), due: number("due", math.MaxInt64)}
		frame, from, err := s.group.nextRun(nil, now, limits)
		return s.sayRun(frame, from, err)
	}
	t.Fatalf("%s: unknown command", d.Pos)
	return ""
}

// rawRecords reads lines of "offset timestamp [value in hex]".
func rawRecords(t *testing.T, d *datadriven.TestData) []*kgo.Record {
	var recs []*kgo.Record
	for line := range strings.Lines(d.Input) {
		f := strings.Fields(line)
		offset, err1 := strconv.ParseInt(f[0], 10, 64)
		ts, err2 := strconv.ParseInt(f[1], 10, 64)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		r := &kgo.Record{Topic: d.CmdArgs[0].Key, Offset: offset, Timestamp: time.UnixMilli(ts), LeaderEpoch: int32(offset / 100)}
		if len(f) > 2 && f[2] != "-" {
			if _, err := fmt.Sscanf(f[2], "%x", &r.Value); err != nil {
				t.Fatal(err)
			}
		}
		if d.HasArg("control") {
			r.Attrs = kgo.NewRecordAttrs(kgo.RecordAttrsOpts{Control: true})
		}
		recs = append(recs, r)
	}
	return recs
}

func (s *groupScript) sayDropped() string {
	var b strings.Builder
	drops := s.metrics.Drops()
	for _, reason := range slices.Sorted(maps.Keys(drops)) {
		if n := drops[reason] - s.said[reason]; n > 0 {
			fmt.Fprintf(&b, "dropped %d: %s\n", n, reason)
		}
	}
	s.said = drops
	return b.String()
}

func (s *groupScript) sayRun(frame []topology.Record, from *RecordQueue, err error) string {
	var b strings.Builder
	for _, r := range frame {
		if r.Origin != from.origin {
			panic("a run comes from one partition")
		}
		fmt.Fprintf(&b, "%s@%d at %d, stream time %d", r.Origin.Topic, r.Offset, r.Timestamp, r.StreamTime)
		if r.Value != nil {
			fmt.Fprintf(&b, ", value %x", r.Value)
		}
		b.WriteString("\n")
	}
	b.WriteString(s.sayDropped())
	if err != nil {
		coded, ok := errors.AsType[*errs.Error](err)
		if !ok {
			return fmt.Sprintf("error without a code: %v\n", err)
		}
		fmt.Fprintf(&b, "error %s %s: %s\n", coded.Code, coded.Where, coded.What)
	}
	if b.Len() == 0 {
		return "nothing\n"
	}
	return b.String()
}

func (s *groupScript) offsets() string {
	var b strings.Builder
	for _, q := range s.group.queues {
		if q.moved {
			fmt.Fprintf(&b, "%s: offset %d, leader epoch %d, partition time %d\n", q.origin.Topic, q.position, q.leaderEpoch, q.partitionTime)
			q.moved = false
		}
	}
	if b.Len() == 0 {
		return "nothing\n"
	}
	return b.String()
}
