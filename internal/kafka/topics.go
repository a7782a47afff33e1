package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/wasmstream/wasmstream/internal/errs"
)

// TopicSpec is a topic to be created.
type TopicSpec struct {
	Name string
	// Partitions and Replication: -1 is the broker's default.
	Partitions  int32
	Replication int16
	Configs     map[string]string
	// DryRun has the broker check and create nothing.
	DryRun bool
}

// Topic is a topic as the cluster describes it. The names of the fields in JSON are a contract.
type Topic struct {
	Name        string            `json:"topic"`
	ID          string            `json:"topic_id,omitempty"`
	Internal    bool              `json:"internal,omitempty"`
	Replication int               `json:"replication_factor"`
	Configs     map[string]string `json:"configs"` // those that were set on the topic
	Partitions  []Partition       `json:"partitions"`
}

// Partition is one partition of a Topic.
type Partition struct {
	ID       int32   `json:"partition"`
	Leader   int32   `json:"leader"`
	Replicas []int32 `json:"replicas"`
	ISR      []int32 `json:"isr"`
}

// CreateTopic creates a topic. Unknown settings of a topic, and values that no such setting has, are an error before the broker is
// asked, since some brokers take them without a word. What it returns has the broker's defaults filled in.
func CreateTopic(ctx context.Context, adm *kadm.Client, t TopicSpec) (TopicSpec, error) {
	checked, err := ParseTopicConfigs(t.Name, t.Configs)
	if err := errors.Join(CheckTopicName(t.Name), err); err != nil {
		return t, err
	}
	t.Configs = checked
	configs := map[string]*string{}
	for k, v := range t.Configs {
		configs[k] = kmsg.StringPtr(v)
	}
	create := adm.CreateTopics
	if t.DryRun {
		create = adm.ValidateCreateTopics
	}
	responses, err := create(ctx, t.Partitions, t.Replication, configs, t.Name)
	resp := responses[t.Name]
	if err == nil {
		err = resp.Err
	}
	if err == nil {
		if !t.DryRun {
			awaitTopics(ctx, adm, true, t.Name)
		}
		return t.filled(resp), nil
	}
	if errors.Is(err, kerr.InvalidReplicationFactor) {
		if brokers, listErr := adm.ListBrokers(ctx); listErr == nil && int(t.Replication) > len(brokers) {
			return t, errs.TopicInvalid.New(t.Name, countOf(int(t.Replication), "replicas")+" need as many brokers, and the cluster has "+strconv.Itoa(len(brokers)),
				"use a replication factor of at most "+strconv.Itoa(len(brokers)))
		}
	}
	if errors.Is(err, kerr.TopicAlreadyExists) {
		return t, errs.TopicExists.New(t.Name, "a topic of this name is there already", "")
	}
	explained := Explain(err, t.Name, "creating the topic with "+countOf(int(t.Partitions), "partitions")+" and "+countOf(int(t.Replication), "replicas"))
	var coded *errs.Error
	if resp.ErrMessage != "" && errors.As(explained, &coded) {
		return t, coded.WithCause(errors.New(resp.ErrMessage))
	}
	return t, explained
}

func countOf(n int, what string) string {
	if n < 0 {
		return "the broker's default of " + what
	}
	return strconv.Itoa(n) + " " + what
}

var topicNames = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,249}$`)

// CheckTopicName holds a name to Kafka's rule, which some brokers do not ask for.
func CheckTopicName(name string) error {
	if topicNames.MatchString(name) && name != "." && name != ".." {
		return nil
	}
	what := "this cannot name a topic"
	if len(name) > 249 {
		what = "a name of " + strconv.Itoa(len(name)) + " characters is too long for a topic"
		name = name[:40] + "..."
	}
	return errs.TopicInvalid.New(strconv.Quote(name), what, "use letters, digits, '.', '_' and '-', at most 249 of them, and not '.' or '..' alone")
}

// filled has the broker's answer where t left it to the broker.
func (t TopicSpec) filled(resp kadm.CreateTopicResponse) TopicSpec {
	if resp.NumPartitions > 0 {
		t.Partitions = resp.NumPartitions
	}
	if resp.ReplicationFactor > 0 {
		t.Replication = resp.ReplicationFactor
	}
	return t
}

// ParseTopicConfigs holds settings to those that Kafka's topics have and returns them as Kafka writes them, with 1h as 3600000. All
// that is wrong is told at once; some brokers do not ask.
func ParseTopicConfigs(topic string, configs map[string]string) (map[string]string, error) {
	var faults []error
	canonical := make(map[string]string, len(configs))
	for _, name := range slices.Sorted(maps.Keys(configs)) {
		k, ok := TopicKey(name)
		if !ok {
			faults = append(faults, errs.ConfigUnknownKey.New(topic, strconv.Quote(name)+" is not a setting of a topic", errs.DidYouMean(name, TopicKeyNames())))
			continue
		}
		value, err := k.Parse(configs[name])
		if err != nil {
			faults = append(faults, errs.ConfigInvalid.New(topic, fmt.Sprintf("%s: %v (got %q)", name, err, configs[name]), ""))
		}
		canonical[name] = value
	}
	return canonical, errors.Join(faults...)
}

// DeleteTopics deletes topics and joins the errors of those that could not be.
func DeleteTopics(ctx context.Context, adm *kadm.Client, topics ...string) error {
	if len(topics) == 0 {
		return nil
	}
	responses, err := adm.DeleteTopics(ctx, topics...)
	if err != nil {
		return Explain(err, "", "deleting topics")
	}
	var faults []error
	var gone []string
	for _, r := range responses.Sorted() {
		if r.Err == nil {
			gone = append(gone, r.Topic)
		}
		faults = append(faults, Explain(r.Err, r.Topic, "deleting the topic"))
	}
	awaitTopics(ctx, adm, false, gone...)
	return errors.Join(faults...)
}

// Waiting for brokers to hear of a change: how long at most, and how long between two looks.
const (
	awaitTopicsTimeout = 15 * time.Second
	awaitTopicsPause   = 5 * time.Millisecond
)

// awaitTopics returns when every broker knows that topics are there, each partition with a leader, or that they are
// gone. The controller answers as soon as it has decided, and a broker asked right after it may not have heard of it.
// A cluster that takes too long is left to it: what was asked for is decided.
func awaitTopics(ctx context.Context, adm *kadm.Client, there bool, topics ...string) {
	if len(topics) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, awaitTopicsTimeout)
	defer cancel()
	for agreeing, brokers := 0, 1; agreeing < brokers; {
		// kgo asks one broker after the other, so as many answers in a row as there are brokers are those of all.
		meta, err := adm.Metadata(ctx, topics...)
		if err == nil && allKnown(meta.Topics, there, topics) {
			agreeing, brokers = agreeing+1, len(meta.Brokers)
			continue
		}
		agreeing = 0
		select {
		case <-ctx.Done():
			return
		case <-time.After(awaitTopicsPause):
		}
	}
}

func allKnown(details kadm.TopicDetails, there bool, topics []string) bool {
	for _, name := range topics {
		d, ok := details[name]
		if !there && ok && !errors.Is(d.Err, kerr.UnknownTopicOrPartition) {
			return false
		}
		if there && (!ok || d.Err != nil || slices.ContainsFunc(d.Partitions.Sorted(), func(p kadm.PartitionDetail) bool { return p.Leader < 0 })) {
			return false
		}
	}
	return true
}

// ListTopics lists the names of all topics, those of the broker itself only when internal is set.
func ListTopics(ctx context.Context, adm *kadm.Client, internal bool) ([]string, error) {
	list := adm.ListTopics
	if internal {
		list = adm.ListTopicsWithInternal
	}
	details, err := list(ctx)
	if err != nil {
		return nil, Explain(err, "", "listing topics")
	}
	return details.Names(), nil
}

// DescribeTopics describes the topics named, or all when none is named. A topic that is missing is an error with the
// nearest name that is there.
func DescribeTopics(ctx context.Context, adm *kadm.Client, names ...string) ([]Topic, error) {
	details, err := adm.ListTopics(ctx, names...)
	if err != nil {
		return nil, Explain(err, "", "describing topics")
	}
	var topics []Topic
	var faults []error
	for _, d := range details.Sorted() {
		if d.Err != nil {
			faults = append(faults, missing(ctx, adm, d.Topic, d.Err))
			continue
		}
		topics = append(topics, describe(d))
	}
	if err := errors.Join(faults...); err != nil || len(topics) == 0 {
		return nil, err
	}
	return topics, fillConfigs(ctx, adm, topics)
}

func describe(d kadm.TopicDetail) Topic {
	t := Topic{Name: d.Topic, Internal: d.IsInternal, Configs: map[string]string{}, Replication: d.Partitions.NumReplicas()}
	if d.ID != (kadm.TopicID{}) {
		t.ID = d.ID.String()
	}
	for _, p := range d.Partitions.Sorted() {
		t.Partitions = append(t.Partitions, Partition{ID: p.Partition, Leader: p.Leader, Replicas: p.Replicas, ISR: p.ISR})
	}
	return t
}

func fillConfigs(ctx context.Context, adm *kadm.Client, topics []Topic) error {
	names := make([]string, len(topics))
	byName := map[string]map[string]string{}
	for i, t := range topics {
		names[i], byName[t.Name] = t.Name, t.Configs
	}
	described, err := adm.DescribeTopicConfigs(ctx, names...)
	if err != nil {
		return Explain(err, "", "describing the topics' settings")
	}
	for _, r := range described {
		for _, c := range r.Configs {
			if c.Source == kmsg.ConfigSourceDynamicTopicConfig && byName[r.Name] != nil {
				byName[r.Name][c.Key] = c.MaybeValue()
			}
		}
	}
	return nil
}

// missing explains the error of one topic; for one that is not there it looks for the nearest name.
func missing(ctx context.Context, adm *kadm.Client, topic string, err error) error {
	if !errors.Is(err, kerr.UnknownTopicOrPartition) && !errors.Is(err, kerr.InvalidTopicException) {
		return Explain(err, topic, "describing the topic")
	}
	fix := "create it: wasmstream topic create " + topic
	if all, err := adm.ListTopics(ctx); err == nil {
		names := slices.DeleteFunc(all.Names(), func(name string) bool { return all[name].Err != nil })
		if nearest := errs.Nearest(topic, names); nearest != "" {
			fix = `did you mean "` + nearest + `"? Otherwise ` + fix
		}
	}
	return errs.TopicMissing.New(topic, "the topic does not exist", fix)
}
