package stream

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/internal/brokertest"
	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// rows are records for a topic, written "key=value"; "key" alone deletes.
func (h *harness) rows(topic string, partitions int32, rows ...string) {
	h.t.Helper()
	for i, row := range rows {
		key, value, set := strings.Cut(row, "=")
		r := &kgo.Record{
			Topic: topic, Partition: topology.PartitionForKey([]byte(key), partitions), Key: []byte(key),
			Timestamp: time.UnixMilli(1_700_000_000_000 + int64(i)),
		}
		if set {
			r.Value = []byte(value)
		}
		h.b.Produce(h.t, r)
	}
}

// reaches waits until the last values in a topic are those wanted; "" is deleted.
func (h *harness) reaches(topic string, want map[string]string) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for {
		got := make(map[string]string)
		for _, r := range h.b.ReadAll(h.t, topic) {
			got[string(r.Key)] = string(r.Value)
		}
		diff := cmp.Diff(want, got)
		if diff == "" {
			return
		}
		if pause(ctx, 20*time.Millisecond) != nil {
			h.t.Fatalf("the rows differ (-want +got):\n%s", diff)
		}
	}
}

func textBuilder() *dsl.StreamsBuilder {
	return dsl.NewStreamsBuilder(dsl.Defaults{Key: topology.String, Value: topology.String})
}

var (
	joined  = dsl.Expr(`left + "+" + (right == null ? "none" : right)`)
	byValue = dsl.MapExpr("value", "value")
)

func TestGlobalTable(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b *brokertest.Broker) {
		h := newHarness(t, b)
		in, table, out := b.CreateTopic(t, b.Name("in"), 2), b.CreateTopic(t, b.Name("table"), 3), b.CreateTopic(t, b.Name("out"), 1)
		h.rows(table, 3, "x=red", "y=green", "z=blue", "z")
		build := func() *topology.Topology {
			s := textBuilder()
			s.Stream(in).LeftJoinGlobalTable(s.GlobalTable(table), dsl.Expr("value"), joined).To(out)
			return build(t, s)
		}
		dir := "state.dir=" + t.TempDir()
		app := h.start(build(), dir).running()
		h.rows(in, 2, "a=x", "b=y", "c=z")
		h.reaches(out, map[string]string{"a": "x+red", "b": "y+green", "c": "z+none"})
		app.stop()

		h.rows(table, 3, "x=black", "z=white")
		h.start(build(), dir).running()
		h.rows(in, 2, "a=x", "b=y", "c=z")
		h.reaches(out, map[string]string{"a": "x+black", "b": "y+green", "c": "z+white"})
	})
}

// TestGlobalTableBeforeOthers: the sub-topology of a global table takes an id, so the ids of the others have a gap.
func TestGlobalTableBeforeOthers(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b *brokertest.Broker) {
		h := newHarness(t, b)
		table, in, out := b.CreateTopic(t, b.Name("table"), 1), b.CreateTopic(t, b.Name("in"), 2), b.CreateTopic(t, b.Name("out"), 1)
		s := textBuilder()
		names := s.GlobalTable(table)
		s.Stream(in).LeftJoinGlobalTable(names, dsl.Expr("value"), joined).
			SelectKey(dsl.Expr("value")).ToTable().ToStream().To(out)
		h.rows(table, 1, "x=red")
		app := h.start(build(t, s)).running()
		h.rows(in, 2, "a=x", "b=y")
		h.reaches(out, map[string]string{"x+red": "x+red", "y+none": "y+none"})
		app.stop()
	})
}

func TestForeignKeyJoin(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b *brokertest.Broker) {
		h := newHarness(t, b)
		left, right := b.CreateTopic(t, b.Name("left"), 3), b.CreateTopic(t, b.Name("right"), 2)
		out := b.CreateTopic(t, b.Name("out"), 1)
		s := textBuilder()
		s.Table(left).LeftJoinForeignKey(s.Table(right), dsl.Expr("value"), joined, dsl.TableJoined{}).ToStream().To(out)
		topo := build(t, s)
		app := h.start(topo, "statestore.cache.max.bytes=0").running()
		h.rows(left, 3, "a=x", "b=y", "c=x", "d=z")
		h.rows(right, 2, "x=red", "y=green")
		h.reaches(out, map[string]string{"a": "x+red", "b": "y+green", "c": "x+red", "d": "z+none"})
		h.rows(right, 2, "x=black", "y")
		h.rows(left, 3, "c=y", "d")
		h.reaches(out, map[string]string{"a": "x+black", "b": "y+none", "c": "y+none", "d": ""})
		app.stop()
	})
}

// TestTablesGoOnAfterARestart: joins, groups and held back changes of tables find their rows again.
func TestTablesGoOnAfterARestart(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b *brokertest.Broker) {
		h := newHarness(t, b)
		left, right := b.CreateTopic(t, b.Name("left"), 2), b.CreateTopic(t, b.Name("right"), 2)
		rows, groups := b.CreateTopic(t, b.Name("rows"), 1), b.CreateTopic(t, b.Name("groups"), 1)
		build := func() *topology.Topology {
			s := textBuilder()
			s.Table(left).OuterJoin(s.Table(right), dsl.Expr(`(left == null ? "none" : left) + "+" + (right == null ? "none" : right)`)).
				ToStream().To(rows)
			l := s.Stream(left + "-again").ToTable()
			l.GroupBy(byValue).Aggregate(dsl.Expr(`""`), dsl.Expr(`aggregate + "+" + value`), dsl.Expr(`aggregate + "-" + value`)).
				Suppress(dsl.UntilTimeLimit(0, dsl.Unbounded())).ToStream().To(groups)
			return build(t, s)
		}
		h.b.CreateTopic(t, left+"-again", 2)
		dir := "state.dir=" + t.TempDir()
		for round, want := range []map[string]string{
			{"a": "1+none", "b": "none+2"}, {"a": "1+3", "b": "4+2"},
		} {
			app := h.start(build(), dir, "statestore.cache.max.bytes=0").running()
			if round == 0 {
				h.rows(left, 2, "a=1")
				h.rows(right, 2, "b=2")
				h.rows(left+"-again", 2, "a=x")
				h.reaches(groups, map[string]string{"x": "+x"})
			} else {
				h.rows(right, 2, "a=3")
				h.rows(left, 2, "b=4")
				h.rows(left+"-again", 2, "a=y")
				h.reaches(groups, map[string]string{"x": "+x-x", "y": "+y"})
			}
			h.reaches(rows, want)
			app.stop()
		}
	})
}
