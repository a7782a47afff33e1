package apptest

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestAlignmentsAreWhole wants every record in exactly one step, in order, and as many equal pairs as there can be.
func TestAlignmentsAreWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfN(rapid.IntRange(0, 3), 0, 8).Draw(t, "want")
		got := rapid.SliceOfN(rapid.IntRange(0, 3), 0, 8).Draw(t, "got")
		i, j, equal := 0, 0, 0
		for _, p := range align(len(want), len(got), func(i, j int) bool { return want[i] == got[j] }) {
			if p.want >= 0 {
				if p.want != i {
					t.Fatalf("wanted %d out of order", p.want)
				}
				i++
			}
			if p.got >= 0 {
				if p.got != j {
					t.Fatalf("got %d out of order", p.got)
				}
				j++
			}
			if p.want >= 0 && p.got >= 0 && want[p.want] == got[p.got] {
				equal++
			}
		}
		if i != len(want) || j != len(got) {
			t.Fatalf("%d of %d and %d of %d are in the steps", i, len(want), j, len(got))
		}
		if most := longest(want, got); equal != most {
			t.Fatalf("%d equal pairs of %d", equal, most)
		}
	})
}

// longest is the length of the longest common subsequence, by its definition.
func longest(a, b []int) int {
	if len(a) == 0 || len(b) == 0 {
		return 0
	}
	if a[0] == b[0] {
		return 1 + longest(a[1:], b[1:])
	}
	return max(longest(a[1:], b), longest(a, b[1:]))
}

func TestJSONIsComparedByMeaning(t *testing.T) {
	for _, c := range []struct {
		a, b           string
		same, contains bool
	}{
		{`{"a":1,"b":[1,2]}`, `{"b":[1.0,2],"a":1e0}`, true, true},
		{`{"a":1,"b":2}`, `{"a":1}`, false, true},
		{`{"a":1}`, `{"a":1,"b":2}`, false, false},
		{`[1,2,3]`, `[1,2]`, false, true},
		{`[1,2]`, `[2]`, false, false},
		{`9007199254740993`, `9007199254740992`, false, false},
		{`1e999999999`, `1e999999998`, false, false},
		{`1 2`, `1`, false, false},
		{`null`, `null`, true, true},
		{`"1"`, `1`, false, false},
		{`{`, `{`, false, false},
	} {
		x, errX := decodeJSON([]byte(c.a))
		y, errY := decodeJSON([]byte(c.b))
		if got := errX == nil && errY == nil && sameJSON(x, y); got != c.same {
			t.Errorf("%s and %s: same is %v", c.a, c.b, got)
		}
		if got := containsJSON([]byte(c.a), []byte(c.b)); got != c.contains {
			t.Errorf("%s holds %s: %v", c.a, c.b, got)
		}
	}
}

func TestEditsAreMadeFromBelow(t *testing.T) {
	lines := []string{"a", "b", "c", "d"}
	for _, e := range []edit{{3, 4, []string{"x"}}, {2, 1, []string{"y", "z"}}} {
		lines = slices.Replace(lines, e.first-1, max(e.last, e.first-1), e.lines...)
	}
	if got := slices.Compare(lines, []string{"a", "y", "z", "b", "x"}); got != 0 {
		t.Errorf("got %q", lines)
	}
}
