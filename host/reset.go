package host

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/internal/kafka"
	"github.com/wasmstream/wasmstream/state"
)

// ResetPosition says where a reset moves offsets to.
type ResetPosition int

// The positions of a reset.
const (
	ToEarliest ResetPosition = iota
	ToLatest
	ToOffset
	ToTime
	ShiftBy
)

// ResetConfig says what a reset does.
type ResetConfig struct {
	ApplicationID string
	// InputTopics are those whose offsets move; empty means every topic that the group has offsets of, but its own
	// internal ones.
	InputTopics []string
	// InternalTopics are those to be deleted; empty means all of the application's.
	InternalTopics []string
	Position       ResetPosition
	// Offset is the target of ToOffset and the distance of ShiftBy.
	Offset int64
	// Time is the target of ToTime: the first record that is not older.
	Time time.Time
	// StateDir is the folder of local state; "" leaves local state alone.
	StateDir string
	// Force removes the members of the group first, for those that died and are not missed yet.
	Force bool
	// DryRun plans and checks, and changes nothing.
	DryRun bool
}

// ResetPlan is what a reset did, or with DryRun would do. Its names in JSON are a contract.
type ResetPlan struct {
	ApplicationID string        `json:"application_id"`
	Offsets       []OffsetReset `json:"offsets"`
	// InternalTopics are those deleted.
	InternalTopics []string `json:"internal_topics"`
	// Kept are topics that look like the application's by their name but belong to another group, whose id begins
	// like this one.
	Kept []string `json:"kept_topics,omitempty"`
	// Members are those removed by Force.
	Members []string `json:"members,omitempty"`
	// StateDir is the folder that local state was deleted from; "" if there was none.
	StateDir string `json:"state_dir,omitempty"`
}

// OffsetReset is the move of one partition.
type OffsetReset struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	From      int64  `json:"from"` // -1: nothing was committed
	To        int64  `json:"to"`
}

// Reset takes an application back: the offsets of its inputs, its internal topics, its local state on this machine. It
// refuses while the group has members. Each step can be done again, so a reset that was interrupted is repeated.
func Reset(ctx context.Context, client *kgo.Client, cfg ResetConfig) (*ResetPlan, error) {
	r := &resetter{cfg: cfg, client: client, adm: kadm.NewClient(client), plan: &ResetPlan{ApplicationID: cfg.ApplicationID, Offsets: []OffsetReset{}, InternalTopics: []string{}}}
	if cfg.StateDir != "" && state.HasState(cfg.StateDir, cfg.ApplicationID) {
		r.plan.StateDir = cfg.StateDir
	}
	steps := []func(context.Context) error{r.checkMembers, r.planTopics, r.planOffsets}
	if !cfg.DryRun {
		steps = append(steps, r.removeMembers, r.commit, r.deleteTopics, r.deleteState)
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return r.plan, nil
}

type resetter struct {
	cfg       ResetConfig
	client    *kgo.Client
	adm       *kadm.Client
	plan      *ResetPlan
	members   []kadm.DescribedGroupMember
	committed kadm.OffsetResponses
	inputs    []string
}

func (r *resetter) checkMembers(ctx context.Context) error {
	id := r.cfg.ApplicationID
	groups, err := r.adm.DescribeGroups(ctx, id)
	if err == nil {
		err = groups[id].Err
	}
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return kafka.Explain(err, id, "describing the group")
	}
	r.members = groups[id].Members
	for _, m := range r.members {
		r.plan.Members = append(r.plan.Members, memberName(m))
	}
	if len(r.members) > 0 && !r.cfg.Force {
		fix := "stop the application first; --force removes members that died and are not missed yet"
		return errs.KafkaGroupActive.New(id, "the group has members: "+strings.Join(r.plan.Members, ", "), fix)
	}
	return nil
}

func memberName(m kadm.DescribedGroupMember) string {
	if m.InstanceID != nil {
		return *m.InstanceID
	}
	return m.MemberID
}

// planTopics finds the internal topics to delete and the inputs whose offsets move.
func (r *resetter) planTopics(ctx context.Context) error {
	names, err := kafka.ListTopics(ctx, r.adm, true)
	if err != nil {
		return err
	}
	listed, err := r.adm.ListGroups(ctx)
	if err != nil {
		return kafka.Explain(err, "", "listing groups")
	}
	groups := listed.Groups()
	own, kept := r.ownTopics(names, groups)
	if err := r.checkKnown(groups, own); err != nil {
		return err
	}
	r.plan.InternalTopics, r.plan.Kept = own, kept
	if len(r.cfg.InternalTopics) > 0 {
		for _, t := range r.cfg.InternalTopics {
			if !slices.Contains(own, t) {
				return errs.TopicInvalid.New(t, "is not an internal topic of "+r.cfg.ApplicationID, errs.DidYouMean(t, own))
			}
		}
		r.plan.InternalTopics = slices.Sorted(slices.Values(r.cfg.InternalTopics))
	}
	if r.committed, err = r.adm.FetchOffsets(ctx, r.cfg.ApplicationID); err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return kafka.Explain(err, r.cfg.ApplicationID, "fetching the group's offsets")
	}
	return r.planInputs(names, own)
}

func (r *resetter) planInputs(existing, own []string) error {
	for topic := range r.committed {
		if !slices.Contains(own, topic) && slices.Contains(existing, topic) {
			r.inputs = append(r.inputs, topic)
		}
	}
	if len(r.cfg.InputTopics) == 0 {
		return nil
	}
	r.inputs = r.cfg.InputTopics
	var faults []error
	for _, t := range r.inputs {
		if !slices.Contains(existing, t) {
			faults = append(faults, errs.TopicMissing.New(t, "the input topic does not exist", errs.DidYouMean(t, existing)))
		}
		if slices.Contains(own, t) {
			faults = append(faults, errs.TopicInvalid.New(t, "is an internal topic of the application, not an input", "leave it out; it is deleted"))
		}
	}
	return errors.Join(faults...)
}

// ownTopics are the internal topics of the application. A topic of app-two also begins with "app-": where another group
// with a longer id claims a topic, that one keeps it.
func (r *resetter) ownTopics(names, groups []string) (own, kept []string) {
	own = []string{}
	for _, topic := range names {
		switch {
		case !isInternal(r.cfg.ApplicationID, topic):
		case claimed(topic, r.cfg.ApplicationID, groups):
			kept = append(kept, topic)
		default:
			own = append(own, topic)
		}
	}
	return own, kept
}

// checkKnown refuses an id that nothing is known of, since it is more likely misspelt than to be reset.
func (r *resetter) checkKnown(groups, own []string) error {
	id := r.cfg.ApplicationID
	if slices.Contains(groups, id) || len(own) > 0 || len(r.cfg.InputTopics) > 0 {
		return nil
	}
	if r.cfg.StateDir != "" {
		if _, err := os.Stat(filepath.Join(r.cfg.StateDir, id)); err == nil {
			return nil
		}
	}
	return errs.KafkaNoApplication.New(id, "no group, no internal topic and no local state has this name", errs.DidYouMean(id, groups))
}

func claimed(topic, id string, groups []string) bool {
	return slices.ContainsFunc(groups, func(g string) bool { return len(g) > len(id) && isInternal(g, topic) })
}

// isInternal goes by the name, as Kafka's reset tool does.
func isInternal(applicationID, topic string) bool {
	rest, ok := strings.CutPrefix(topic, applicationID+"-")
	if !ok || rest == "" {
		return false
	}
	return slices.ContainsFunc([]string{"-changelog", "-repartition", "-subscription-registration-topic", "-subscription-response-topic"},
		func(suffix string) bool { return strings.HasSuffix(topic, suffix) })
}

func (r *resetter) planOffsets(ctx context.Context) error {
	if len(r.inputs) == 0 {
		return nil
	}
	start, err := r.list(ctx, r.adm.ListStartOffsets)
	if err != nil {
		return err
	}
	end, err := r.list(ctx, r.adm.ListEndOffsets)
	if err != nil {
		return err
	}
	at := end
	if r.cfg.Position == ToTime {
		at, err = r.list(ctx, func(ctx context.Context, topics ...string) (kadm.ListedOffsets, error) {
			return r.adm.ListOffsetsAfterMilli(ctx, r.cfg.Time.UnixMilli(), topics...)
		})
		if err != nil {
			return err
		}
	}
	start.Each(func(first kadm.ListedOffset) {
		last, _ := end.Lookup(first.Topic, first.Partition)
		timed, _ := at.Lookup(first.Topic, first.Partition)
		r.plan.Offsets = append(r.plan.Offsets, r.move(first, last, timed))
	})
	slices.SortFunc(r.plan.Offsets, func(a, b OffsetReset) int {
		return compareTopicPartition(a.Topic, b.Topic, a.Partition, b.Partition)
	})
	return nil
}

func compareTopicPartition(topicA, topicB string, a, b int32) int {
	if c := strings.Compare(topicA, topicB); c != 0 {
		return c
	}
	return int(a) - int(b)
}

func (r *resetter) list(ctx context.Context, list func(context.Context, ...string) (kadm.ListedOffsets, error)) (kadm.ListedOffsets, error) {
	offsets, err := list(ctx, r.inputs...)
	if err == nil {
		err = offsets.Error()
	}
	return offsets, kafka.Explain(err, strings.Join(r.inputs, ","), "listing offsets")
}

// move is where one partition goes: never outside of what is there.
func (r *resetter) move(first, last, timed kadm.ListedOffset) OffsetReset {
	m := OffsetReset{Topic: first.Topic, Partition: first.Partition, From: -1}
	if o, ok := r.committed.Lookup(first.Topic, first.Partition); ok {
		m.From = o.At
	}
	switch r.cfg.Position {
	case ToEarliest:
		m.To = first.Offset
	case ToLatest:
		m.To = last.Offset
	case ToOffset:
		m.To = r.cfg.Offset
	case ToTime:
		m.To = timed.Offset
		if timed.Offset < 0 {
			m.To = last.Offset
		}
	case ShiftBy:
		m.To = max(m.From, first.Offset) + r.cfg.Offset
	}
	m.To = min(max(m.To, first.Offset), last.Offset)
	return m
}

func (r *resetter) removeMembers(ctx context.Context) error {
	if len(r.members) == 0 {
		return nil
	}
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group = r.cfg.ApplicationID
	for _, m := range r.members {
		leaving := kmsg.NewLeaveGroupRequestMember()
		leaving.InstanceID = m.InstanceID
		if m.InstanceID == nil {
			leaving.MemberID = m.MemberID
		}
		leaving.Reason = kmsg.StringPtr("reset")
		req.Members = append(req.Members, leaving)
	}
	resp, err := req.RequestWith(ctx, r.client)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	for i := 0; err == nil && i < len(resp.Members); i++ {
		if err = kerr.ErrorForCode(resp.Members[i].ErrorCode); errors.Is(err, kerr.UnknownMemberID) {
			err = nil // it left by itself
		}
	}
	return kafka.Explain(err, r.cfg.ApplicationID, "removing the group's members")
}

func (r *resetter) commit(ctx context.Context) error {
	offsets := kadm.Offsets{}
	for _, m := range r.plan.Offsets {
		offsets.AddOffset(m.Topic, m.Partition, m.To, -1)
	}
	if len(offsets) > 0 {
		if err := r.adm.CommitAllOffsets(ctx, r.cfg.ApplicationID, offsets); err != nil {
			return kafka.Explain(err, r.cfg.ApplicationID, "committing offsets")
		}
	}
	return r.forgetInternalOffsets(ctx)
}

// forgetInternalOffsets removes the group's positions in topics that are about to be deleted, since a new topic of the
// same name begins at 0.
func (r *resetter) forgetInternalOffsets(ctx context.Context) error {
	gone := kadm.TopicsSet{}
	for _, topic := range r.plan.InternalTopics {
		for _, p := range slices.Sorted(maps.Keys(r.committed[topic])) {
			gone.Add(topic, p)
		}
	}
	if len(gone) == 0 {
		return nil
	}
	responses, err := r.adm.DeleteOffsets(ctx, r.cfg.ApplicationID, gone)
	if err == nil {
		err = responses.Error()
	}
	return kafka.Explain(err, r.cfg.ApplicationID, "forgetting the offsets of internal topics")
}

func (r *resetter) deleteTopics(ctx context.Context) error {
	return kafka.DeleteTopics(ctx, r.adm, r.plan.InternalTopics...)
}

func (r *resetter) deleteState(context.Context) error {
	if r.cfg.StateDir == "" {
		return nil
	}
	return state.CleanDirectory(r.cfg.StateDir, r.cfg.ApplicationID)
}
