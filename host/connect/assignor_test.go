package connect

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// TestAssignorSettles has workers come and go at random, without waits for lost ones, and then leaves them alone: after a few
// rounds everything runs exactly once, and shares differ by one at most.
func TestAssignorSettles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := NewAssignor(0)
		configured := NewShare(nil, nil)
		for c := range rapid.IntRange(1, 4).Draw(t, "connectors") {
			name := fmt.Sprint("c", c)
			configured.Connectors[name] = true
			for i := range rapid.IntRange(0, 5).Draw(t, "tasks") {
				configured.Tasks[TaskID{name, i}] = true
			}
		}
		members := map[string]Share{"w0": NewShare(nil, nil)}
		generation := int32(-1)
		round := func() {
			r := a.Assign(0, configured, members, generation, generation+1)
			generation++
			for name, share := range members {
				share.remove(r.Revoked[name])
				share.add(r.Assigned[name])
			}
		}
		for i := range rapid.IntRange(0, 6).Draw(t, "changes") {
			name := fmt.Sprint("w", rapid.IntRange(0, 3).Draw(t, "worker"))
			if _, there := members[name]; there && len(members) > 1 && i%2 == 1 {
				delete(members, name)
			} else if !there {
				members[name] = NewShare(nil, nil)
			}
			round()
		}
		for range 6 {
			round()
		}
		seen := NewShare(nil, nil)
		least, most := 1<<30, 0
		for _, share := range members {
			if both := seen.common(share); !both.Empty() {
				t.Fatalf("runs twice: %v", both)
			}
			seen.add(share)
			least, most = min(least, len(share.Tasks)), max(most, len(share.Tasks))
		}
		if missing := configured.without(seen); !missing.Empty() {
			t.Fatalf("runs nowhere: %v", missing)
		}
		if most-least > 1 {
			t.Fatalf("shares of %d to %d tasks", least, most)
		}
	})
}

// TestRestartPolicyGivesUp counts restarts in a row and forgets them when a task has run for long.
func TestRestartPolicyGivesUp(t *testing.T) {
	p := DefaultRestartPolicy()
	var f Failures
	for i := range p.Limit {
		if wait, again := p.Next(&f, 0); !again || wait > p.Most || i == 0 && wait != p.First {
			t.Fatalf("restart %d: %s, %t", i, wait, again)
		}
	}
	if _, again := p.Next(&f, 0); again {
		t.Error("restarts never end")
	}
	if wait, again := p.Next(&f, p.Healthy); !again || wait != p.First {
		t.Errorf("after a healthy time: %s, %t", wait, again)
	}
}
