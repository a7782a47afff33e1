//go:build failpoints && linux

package main_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/twmb/franz-go/pkg/kadm"
)

// dumpGroup writes who is in the group and has which partitions, and how far each partition is: its start, what is
// committed by the group, the last stable offset, the end.
func (c *crash) dumpGroup(dir string) error {
	adm, ctx, group := kadm.NewClient(c.consumer), context.Background(), c.b.Name("crash")
	var b bytes.Buffer
	groups, err := adm.DescribeGroups(ctx, group)
	if err != nil {
		return err
	}
	fmt.Fprintf(&b, "group %s\n", groups[group].State)
	for _, m := range groups[group].Members {
		fmt.Fprintf(&b, "member %s %s\n", m.MemberID, *m.InstanceID)
		if assigned, ok := m.Assigned.AsConsumer(); ok {
			for _, t := range assigned.Topics {
				fmt.Fprintf(&b, "  %s %v\n", t.Topic, t.Partitions)
			}
		}
	}
	starts, err1 := adm.ListStartOffsets(ctx)
	stable, err2 := adm.ListCommittedOffsets(ctx)
	ends, err3 := adm.ListEndOffsets(ctx)
	committed, err4 := adm.FetchOffsets(ctx, group)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return err
	}
	for _, end := range ends.Offsets().Sorted() {
		start, _ := starts.Lookup(end.Topic, end.Partition)
		lso, _ := stable.Lookup(end.Topic, end.Partition)
		at, _ := committed.Lookup(end.Topic, end.Partition)
		fmt.Fprintf(&b, "%s-%d start %d committed %d stable %d end %d\n", end.Topic, end.Partition, start.Offset, at.At, lso.Offset, end.At)
	}
	return os.WriteFile(filepath.Join(dir, "group.txt"), b.Bytes(), 0o600)
}
