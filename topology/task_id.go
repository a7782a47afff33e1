package topology

import (
	"fmt"
	"strconv"
	"strings"
)

// ParseTaskID reads the form that TaskID.String writes.
func ParseTaskID(s string) (TaskID, error) {
	sub, part, ok := strings.Cut(s, "_")
	n, err := strconv.ParseUint(sub, 10, 31)
	p, perr := strconv.ParseUint(part, 10, 31)
	if !ok || err != nil || perr != nil {
		return TaskID{}, fmt.Errorf("parsing task id %q: want <subtopology>_<partition>", s)
	}
	return TaskID{Subtopology: int(n), Partition: int32(p)}, nil
}
