package connect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

// Offsets are the committed offsets of a connector (KIP-875).
func (h *Herder) Offsets(ctx context.Context, name string) ([]OffsetInfo, error) {
	props := h.snapshot().Connector(name)
	if props == nil {
		return nil, fault.NotFound.New("Connector " + name + " not found")
	}
	var list []PartitionOffset
	var err error
	if h.typeOf(props) == string(connectors.KindSink) {
		list, err = h.sinkOffsets(ctx, name, propsOf(props))
	} else {
		list, err = h.sourceOffsets(ctx, name, propsOf(props))
	}
	if err != nil {
		return nil, err
	}
	out := []OffsetInfo{}
	for _, o := range list {
		partition, err := MapJSON(o.Partition)
		if err != nil {
			return nil, err
		}
		offset, err := MapJSON(o.Offset)
		if err != nil {
			return nil, err
		}
		out = append(out, OffsetInfo{partition, offset})
	}
	return out, nil
}

func (h *Herder) sourceOffsets(ctx context.Context, name string, written config.Props) ([]PartitionOffset, error) {
	props, err := h.worker.resolve(written)
	if err != nil {
		return nil, err
	}
	store, err := h.worker.offsetsOf(ctx, name, props)
	if err != nil {
		return nil, err
	}
	defer store.Close()
	return store.All(ctx, name)
}

func (h *Herder) sinkOffsets(ctx context.Context, name string, props config.Props) ([]PartitionOffset, error) {
	adm, err := h.admin.get()
	if err != nil {
		return nil, err
	}
	got, err := adm.FetchOffsets(ctx, sinkGroup(name, props))
	if err != nil {
		if errors.Is(err, kerr.GroupIDNotFound) {
			return nil, nil
		}
		return nil, fault.Connect.New("Failed to retrieve consumer group offsets for connector " + name).Because(err)
	}
	var out []PartitionOffset
	for _, o := range got.Sorted() {
		if o.Err == nil && o.At >= 0 {
			out = append(out, SinkOffsetEntry(connectors.TopicPartition{Topic: o.Topic, Partition: o.Partition}, o.At))
		}
	}
	return out, nil
}

// CheckAlterable refuses changes of offsets of a connector that is not stopped.
func CheckAlterable(c *ClusterConfig, name string) error {
	if !c.Contains(name) {
		return fault.NotFound.New("Connector " + name + " not found")
	}
	if c.TargetState(name) != Stopped || len(c.Tasks(name)) != 0 {
		return badRequest("Connectors must be in the STOPPED state before their offsets can be modified. This can be done for the specified connector by issuing a 'PUT' request to the '/connectors/%s/stop' endpoint", name)
	}
	return nil
}

// unreadable is the error for a part of an entry of offsets that cannot be taken.
func unreadable(part string, err error) error {
	var e *fault.Error
	if errors.As(err, &e) && e.Cause != nil {
		err = e.Cause // the converter's own text does not say what
	}
	return internal("Cannot deserialize value: the %s is no object of texts, numbers and booleans: %v", part, err)
}

// ParseOffsets reads the entries of a request.
func ParseOffsets(list []OffsetInfo) ([]PartitionOffset, error) {
	if len(list) == 0 {
		return nil, badRequest("Partitions / offsets need to be provided for an alter offsets request")
	}
	var out []PartitionOffset
	for _, o := range list {
		partition, err := ParseMapJSON(o.Partition)
		if err != nil {
			return nil, unreadable("partition", err)
		}
		offset, err := ParseMapJSON(o.Offset)
		if err != nil {
			return nil, unreadable("offset", err)
		}
		out = append(out, PartitionOffset{partition, offset})
	}
	return out, nil
}

// AlterOffsets changes offsets of a stopped connector; with none given all are reset. The result is the message of success.
func (h *Herder) AlterOffsets(ctx context.Context, name string, offsets []PartitionOffset, reset bool) (string, error) {
	if err := CheckAlterable(h.snapshot(), name); err != nil {
		return "", err
	}
	unlock, err := h.lockLeading(ctx, "modify connector offsets")
	if err != nil {
		return "", err
	}
	defer unlock()
	written := propsOf(h.snapshot().Connector(name))
	props, err := h.worker.resolve(written)
	if err != nil {
		return "", err
	}
	p, err := h.worker.Plugins.Connector(props.Or(classKey, ""))
	if err != nil {
		return "", err
	}
	defer h.Doing("modifying offsets for connector " + name)()
	h.awaitEnded(ctx, name)
	var external bool
	if p.Kind == connectors.KindSink {
		external, err = h.alterSink(ctx, p.Sink(), name, props, offsets, reset)
	} else {
		external, err = h.alterSource(ctx, p.Source(), name, props, offsets, reset)
	}
	if err != nil {
		return "", err
	}
	return AlteredMessage(external, reset), nil
}

// AlteredMessage is the text of success; known says that the connector itself has seen to its offsets.
func AlteredMessage(known, reset bool) string {
	verb := "altered"
	if reset {
		verb = "reset"
	}
	if known {
		return "The offsets for this connector have been " + verb + " successfully"
	}
	return "The Connect framework-managed offsets for this connector have been " + verb + " successfully. However, if this connector manages offsets externally, they will need to be manually " + verb + " in the system that the connector uses."
}

// awaitEnded waits for tasks of a stopped connector that are still ending here.
func (h *Herder) awaitEnded(ctx context.Context, name string) {
	for ctx.Err() == nil {
		h.mu.Lock()
		ending := false
		for key := range h.mu.stopping {
			id, ok := key.(TaskID)
			ending = ending || ok && id.Connector == name
		}
		h.mu.Unlock()
		if !ending || !h.worker.Clock.Sleep(ctx, 10*time.Millisecond) {
			return
		}
	}
}

func (h *Herder) alterSource(ctx context.Context, c connectors.SourceConnector, name string, props config.Props, offsets []PartitionOffset, reset bool) (known bool, err error) {
	store, err := h.worker.offsetsOf(ctx, name, props)
	if err != nil {
		return false, err
	}
	defer store.Close()
	if reset {
		all, err := store.All(ctx, name)
		if err != nil {
			return false, err
		}
		for _, o := range all {
			offsets = append(offsets, PartitionOffset{Partition: o.Partition})
		}
	}
	if a, ok := c.(connectors.SourceOffsetAlterer); ok {
		var list []connectors.SourceOffset
		for _, o := range offsets {
			list = append(list, connectors.SourceOffset{Partition: o.Partition, Offset: o.Offset})
		}
		if known, err = a.AlterOffsets(props, list); err != nil {
			return false, err
		}
	}
	// A partition that is null is one for the connector to judge; nobody could read its offset again.
	offsets = slices.DeleteFunc(offsets, func(o PartitionOffset) bool { return o.Partition == nil })
	if len(offsets) == 0 {
		return known, nil
	}
	return known, h.setOffsets(ctx, store, name, offsets)
}

func (h *Herder) alterSink(ctx context.Context, c connectors.SinkConnector, name string, props config.Props, offsets []PartitionOffset, reset bool) (known bool, err error) {
	wanted := map[connectors.TopicPartition]*int64{}
	for _, o := range offsets {
		tp, offset, err := ParseSinkOffset(o.Partition, o.Offset)
		if err != nil {
			return false, err
		}
		if offset != nil && *offset < 0 {
			return false, internal("Failed to modify offsets for sink connector %s", name)
		}
		wanted[tp] = offset
	}
	adm, err := h.admin.get()
	if err != nil {
		return false, err
	}
	group := sinkGroup(name, props)
	if reset {
		current, err := h.sinkOffsets(ctx, name, props)
		if err != nil {
			return false, err
		}
		for _, o := range current {
			tp, _, err := ParseSinkOffset(o.Partition, nil)
			if err != nil {
				return false, err
			}
			wanted[tp] = nil
		}
	}
	if a, ok := c.(connectors.SinkOffsetAlterer); ok {
		if known, err = a.AlterOffsets(props, wanted); err != nil {
			return false, err
		}
	}
	if err := h.groupIsEmpty(ctx, adm, group); err != nil {
		return false, zombieError(name, reset)
	}
	if reset {
		_, err := adm.DeleteGroup(ctx, group)
		switch {
		case errors.Is(err, kerr.GroupIDNotFound):
			err = nil
		case errors.Is(err, kerr.NonEmptyGroup):
			err = zombieError(name, reset)
		}
		return known, err
	}
	return known, commitGroup(ctx, adm, name, group, wanted)
}

// ZombieMessage is Kafka's text for a sink whose tasks have not ended.
func zombieError(name string, reset bool) error {
	verb, noun := "alter", "consumer group offsets"
	if reset {
		verb, noun = "reset", "consumer group offsets"
	}
	return internal("Failed to %s %s for connector %s either because its tasks haven't stopped completely yet or the connector was resumed before the request to %s its offsets could be successfully completed. If the connector is in a stopped state, this operation can be safely retried. If it doesn't eventually succeed, the Connect cluster may need to be restarted to get rid of the zombie sink tasks.", verb, noun, name, verb)
}

// errGroupBusy says that a group still has members.
var errGroupBusy = errors.New("the group has members")

// groupIsEmpty is an error while the group has members.
func (h *Herder) groupIsEmpty(ctx context.Context, adm *kadm.Client, group string) error {
	for try := 0; ; try++ {
		described, err := adm.DescribeGroups(ctx, group)
		if err != nil {
			return err
		}
		if len(described[group].Members) == 0 {
			return nil
		}
		if try == 10 || h.cfg.Compat || !h.worker.Clock.Sleep(ctx, 200*time.Millisecond) {
			return errGroupBusy
		}
	}
}

func commitGroup(ctx context.Context, adm *kadm.Client, name, group string, wanted map[connectors.TopicPartition]*int64) error {
	set, forget := kadm.Offsets{}, kadm.TopicsSet{}
	for tp, offset := range wanted {
		if offset == nil {
			forget.Add(tp.Topic, tp.Partition)
			continue
		}
		set.Add(kadm.Offset{Topic: tp.Topic, Partition: tp.Partition, At: *offset, LeaderEpoch: -1})
	}
	if len(set) > 0 {
		if err := adm.CommitAllOffsets(ctx, group, set); err != nil {
			return fault.Connect.New("Failed to alter consumer group offsets for topic partitions of connector " + name).Because(err)
		}
	}
	if len(forget) == 0 {
		return nil
	}
	done, err := adm.DeleteOffsets(ctx, group, forget)
	if err == nil {
		err = done.Error()
	}
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return fmt.Errorf("forgetting offsets of connector %s: %w", name, err)
	}
	return nil
}
