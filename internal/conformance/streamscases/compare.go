package streamscases

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// String is the record in one line.
func (o output) String() string {
	return fmt.Sprintf("%s %s=%s ts %d after input %d", o.Topic, text(o.Key), text(o.Value), o.Timestamp, o.AfterInput)
}

func text(s *string) string {
	if s == nil {
		return "null"
	}
	return fmt.Sprintf("%q", *s)
}

// compare returns an error that shows the first difference and what came around it.
func compare(want, got []output, free bool) error {
	if free {
		want, got = withinInput(want), withinInput(got)
	}
	for i := range max(len(want), len(got)) {
		if i < len(want) && i < len(got) && want[i].String() == got[i].String() {
			continue
		}
		return fmt.Errorf("  output %d (of %d, got %d)\n  expected %s\n  got      %s", i, len(want), len(got), around(want, i), around(got, i))
	}
	return nil
}

// withinInput sorts what came after the same input.
func withinInput(list []output) []output {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b output) int {
		return cmp.Or(a.AfterInput-b.AfterInput, strings.Compare(a.String(), b.String()))
	})
	return list
}

// shown is how many outputs a difference shows from the first that differs.
const shown = 4

func around(list []output, i int) string {
	if i >= len(list) {
		return "nothing"
	}
	var lines []string
	for _, o := range list[i:min(len(list), i+shown)] {
		lines = append(lines, o.String())
	}
	return strings.Join(lines, "\n           ")
}
