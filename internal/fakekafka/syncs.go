package fakekafka

import (
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// syncPatience bounds how long a member's end waits for its leader, which has its assignment ready in milliseconds unless
// it is dead.
const syncPatience = 3 * time.Second

// syncs knows which members of groups wait in SyncGroup for what their leader assigns. kfake counts a member that is
// removed from there as one that had joined the next generation and did not: the others then join one short, for ever, and
// are answered after the rebalance timeout. So nobody is removed from there: who leaves, or takes a static member's place,
// waits until the leader has spoken. Those who wait for one place may be lives of one process, all but the last of them dead:
// the place is the last one's.
type syncs struct {
	mu     sync.Mutex
	groups map[string]*syncRound
	spoken map[string]int32     // the generation that waits for nothing more: its leader has spoken, or another one begins
	lives  map[staticMember]int // how often a static member has come without an id
}

// staticMember is an instance of a group.
type staticMember struct{ group, instance string }

// syncRound is one generation of a group between its joins and its leader's word.
type syncRound struct {
	generation int32
	members    map[string]bool // that wait, by id and by instance
	over       chan struct{}   // closed when they have been answered
}

func mendSyncs(cluster *kfake.Cluster) {
	s := &syncs{groups: make(map[string]*syncRound), spoken: make(map[string]int32), lives: make(map[staticMember]int)}
	control := func(key kmsg.Key, look func(kmsg.Request)) {
		cluster.ControlKey(int16(key), func(r kmsg.Request) (kmsg.Response, error, bool) {
			look(r)
			return nil, nil, false
		})
	}
	control(kmsg.SyncGroup, func(r kmsg.Request) { s.sync(r.(*kmsg.SyncGroupRequest)) })
	cluster.ControlKey(int16(kmsg.JoinGroup), func(r kmsg.Request) (kmsg.Response, error, bool) {
		join := r.(*kmsg.JoinGroupRequest)
		if join.InstanceID != nil && join.MemberID == "" && !s.isLast(cluster, staticMember{join.Group, *join.InstanceID}) {
			fenced := join.ResponseKind().(*kmsg.JoinGroupResponse)
			fenced.ErrorCode = kerr.FencedInstanceID.Code
			return fenced, nil, true
		}
		s.end(join.Group) // a join begins another generation, and whoever waits is told
		return nil, nil, false
	})
	control(kmsg.LeaveGroup, func(r kmsg.Request) {
		leave := r.(*kmsg.LeaveGroupRequest)
		s.await(cluster, leave.Group, leave.MemberID)
		for _, m := range leave.Members {
			s.await(cluster, leave.Group, m.MemberID)
			if m.InstanceID != nil {
				s.await(cluster, leave.Group, *m.InstanceID)
			}
		}
	})
}

// isLast waits until the place of a static member may be taken, and tells whether nobody else has come for it meanwhile.
func (s *syncs) isLast(cluster *kfake.Cluster, m staticMember) bool {
	s.mu.Lock()
	s.lives[m]++
	mine := s.lives[m]
	s.mu.Unlock()
	s.await(cluster, m.group, m.instance)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lives[m] == mine
}

// sync notes a member that begins to wait; the leader does not, and ends the wait of all. Who comes later is answered at once.
func (s *syncs) sync(r *kmsg.SyncGroupRequest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(r.GroupAssignment) > 0 {
		s.spoken[r.Group] = r.Generation
		s.over(r.Group)
		return
	}
	if spoken, any := s.spoken[r.Group]; any && spoken == r.Generation {
		return
	}
	round := s.groups[r.Group]
	if round == nil {
		round = &syncRound{generation: r.Generation, members: make(map[string]bool), over: make(chan struct{})}
		s.groups[r.Group] = round
	}
	round.members[r.MemberID] = true
	if r.InstanceID != nil {
		round.members[*r.InstanceID] = true
	}
}

// end ends the wait in a group that begins another generation.
func (s *syncs) end(group string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if round := s.groups[group]; round != nil {
		s.spoken[group] = round.generation
	}
	s.over(group)
}

func (s *syncs) over(group string) {
	if round := s.groups[group]; round != nil {
		close(round.over)
		delete(s.groups, group)
	}
}

// await lets other requests go first as long as the member waits.
func (s *syncs) await(cluster *kfake.Cluster, group, member string) {
	s.mu.Lock()
	round := s.groups[group]
	waits := round != nil && round.members[member]
	s.mu.Unlock()
	if !waits {
		return
	}
	cluster.SleepControl(func() {
		patience := time.NewTimer(syncPatience)
		defer patience.Stop()
		select {
		case <-round.over:
		case <-patience.C:
		}
	})
}
