package host

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/internal/brokertest"
	"github.com/wasmstream/wasmstream/internal/errs"
)

// TestResetMovesOffsets tries every position on an input of ten records, of which seven are processed.
func TestResetMovesOffsets(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b *brokertest.Broker) {
		ctx := t.Context()
		client := b.Client(t)
		adm := kadm.NewClient(client)
		group, in := b.Name("app"), b.CreateTopic(t, b.Name("in"), 1)
		changelog := b.CreateTopic(t, group+"-counts-changelog", 1)
		noon := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
		for i := range 10 {
			b.Produce(t, &kgo.Record{Topic: in, Value: []byte{byte(i)}, Timestamp: noon.Add(time.Duration(i) * time.Minute)})
		}
		commit(t, adm, group, in, 7)
		commit(t, adm, group, changelog, 0)
		cases := []struct {
			cfg  ResetConfig
			want int64
		}{
			{ResetConfig{}, 0},
			{ResetConfig{Position: ToLatest}, 10},
			{ResetConfig{Position: ToOffset, Offset: 4}, 4},
			{ResetConfig{Position: ToOffset, Offset: 99}, 10},
			{ResetConfig{Position: ShiftBy, Offset: -3}, 4},
			{ResetConfig{Position: ShiftBy, Offset: -30}, 0},
			{ResetConfig{Position: ShiftBy, Offset: 30}, 10},
			{ResetConfig{Position: ToTime, Time: noon.Add(150 * time.Second)}, 3},
			{ResetConfig{Position: ToTime, Time: noon.Add(time.Hour)}, 10},
			{ResetConfig{Position: ToTime, Time: noon.Add(-time.Hour)}, 0},
		}
		for _, c := range cases {
			c.cfg.ApplicationID, c.cfg.DryRun = group, true
			plan, err := Reset(ctx, client, c.cfg)
			if err != nil {
				t.Fatal(err)
			}
			want := []OffsetReset{{Topic: in, Partition: 0, From: 7, To: c.want}}
			if d := cmp.Diff(want, plan.Offsets); d != "" {
				t.Errorf("%+v:\n%s", c.cfg, d)
			}
			if d := cmp.Diff([]string{changelog}, plan.InternalTopics); d != "" {
				t.Error(d)
			}
		}
		if _, err := Reset(ctx, client, ResetConfig{ApplicationID: group, Position: ToOffset, Offset: 2}); err != nil {
			t.Fatal(err)
		}
		offsets, err := adm.FetchOffsets(ctx, group)
		if err != nil {
			t.Fatal(err)
		}
		moved, _ := offsets.Lookup(in, 0)
		if _, still := offsets.Lookup(changelog, 0); moved.At != 2 || still {
			t.Errorf("the group's offsets are %v", offsets)
		}
		if topics, err := adm.ListTopics(ctx); err != nil || topics.Has(changelog) {
			t.Errorf("the changelog is still there (%v)", err)
		}
	})
}

func commit(t *testing.T, adm *kadm.Client, group, topic string, at int64) {
	t.Helper()
	var offsets kadm.Offsets
	offsets.AddOffset(topic, 0, at, -1)
	if err := adm.CommitAllOffsets(t.Context(), group, offsets); err != nil {
		t.Fatal(err)
	}
}

// TestResetOfARunningApplication is refused; with Force its member is removed, which a running one would notice.
func TestResetOfARunningApplication(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b *brokertest.Broker) {
		group, in := b.Name("app"), b.CreateTopic(t, b.Name("in"), 1)
		b.Produce(t, &kgo.Record{Topic: in, Value: []byte("x")})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		member := b.Client(t, kgo.ConsumerGroup(group), kgo.ConsumeTopics(in), kgo.InstanceID("i-1"), kgo.DisableAutoCommit(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
		if member.PollFetches(ctx).NumRecords() != 1 {
			t.Fatal("the member reads nothing")
		}
		client := b.Client(t)
		if _, err := Reset(ctx, client, ResetConfig{ApplicationID: group, InputTopics: []string{in}}); !errs.KafkaGroupActive.Is(err) {
			t.Errorf("got %v", err)
		}
		member.CloseAllowingRebalance() // a static member does not leave
		plan, err := Reset(ctx, client, ResetConfig{ApplicationID: group, InputTopics: []string{in}, Force: true})
		if err != nil || len(plan.Members) != 1 || plan.Members[0] != "i-1" {
			t.Errorf("forced: %+v, %v", plan, err)
		}
	})
}
