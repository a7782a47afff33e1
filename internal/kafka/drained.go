package kafka

import (
	"context"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
)

// Drained tells whether an application has committed everything in its input topics and its repartition topics. The
// latter are written in transactions and may end in a marker of each thread, which is no record.
//
// Offsets are asked for before ends: ends only grow, so what the offsets say is done is done. The other way round a
// commit in between moves the input's offset to its end and fills a repartition topic whose end was still the old one.
func Drained(ctx context.Context, adm *kadm.Client, applicationID string, threads int, inputs ...string) (bool, error) {
	group, err := adm.FetchOffsets(ctx, applicationID)
	if err != nil {
		return false, nil // there is no group before the first member
	}
	topics, err := adm.ListTopics(ctx)
	if err != nil {
		return false, err
	}
	sources := append([]string{}, inputs...)
	for _, name := range topics.Names() {
		if strings.HasPrefix(name, applicationID+"-") && strings.HasSuffix(name, "-repartition") {
			sources = append(sources, name)
		}
	}
	ends, err := adm.ListEndOffsets(ctx, sources...)
	if err != nil {
		return false, err
	}
	drained := true
	ends.Each(func(end kadm.ListedOffset) {
		markers := int64(0)
		if strings.HasSuffix(end.Topic, "-repartition") {
			markers = int64(threads)
		}
		at, ok := group.Lookup(end.Topic, end.Partition)
		if end.Err != nil || end.Offset > 0 && (!ok || at.At < end.Offset-markers) {
			drained = false
		}
	})
	return drained, nil
}
