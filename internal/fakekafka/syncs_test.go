package fakekafka_test

import (
	"cmp"
	"context"
	"errors"
	"net"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/wasmstream/wasmstream/internal/fakekafka"
)

// TestAMemberThatEndsInItsSyncHoldsNobodyUp: a static member goes while it waits for the assignment, for good or to be
// replaced by its next life. The leader, or that life, is answered then, not after the rebalance timeout of five minutes.
func TestAMemberThatEndsInItsSyncHoldsNobodyUp(t *testing.T) {
	for _, way := range []string{"leaves", "is replaced"} {
		t.Run(way, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			addr, seen := watched(t)
			leader, follower := joined(ctx, t, addr, seen)
			third := client(t, addr)
			synced := inBackground(func() { follower.sync("") })
			seen(ctx, kmsg.SyncGroup, 2)
			var gone <-chan struct{}
			if way == "leaves" {
				gone = inBackground(func() { follower.leave(third) })
				seen(ctx, kmsg.LeaveGroup, 1)
			} else {
				next := member{ctx: ctx, t: t, cl: third, instance: "two"}
				gone = inBackground(next.join)
				seen(ctx, kmsg.JoinGroup, 4)
			}
			leader.sync("one")
			<-synced
			if way == "leaves" {
				leader.join()
			}
			<-gone
		})
	}
}

// TestAMemberThatSyncsBehindItsLeaderWaitsForNothing: it is answered at once, so that it may leave at once.
func TestAMemberThatSyncsBehindItsLeaderWaitsForNothing(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	addr, seen := watched(t)
	leader, follower := joined(ctx, t, addr, seen)
	leader.sync("one")
	follower.sync("")
	third := client(t, addr)
	gone := inBackground(func() { follower.leave(third) })
	seen(ctx, kmsg.LeaveGroup, 1)
	if err := leader.heartbeat(); !errors.Is(err, kerr.RebalanceInProgress) {
		t.Errorf("the leader hears %v once the follower has left", err)
	}
	<-gone
}

// TestTheLastLifeOfAStaticMemberHasItsPlace: a process dies while it waits for the place of its predecessor, which died in its
// sync, and comes again. What the dead one asked for is not to fence the one that lives.
func TestTheLastLifeOfAStaticMemberHasItsPlace(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	addr, seen := watched(t)
	leader, first := joined(ctx, t, addr, seen)
	synced := inBackground(func() { first.sync("") })
	seen(ctx, kmsg.SyncGroup, 2)
	const lives = 8
	var codes [lives]int16
	var answered [lives]<-chan struct{}
	for i := range lives {
		next := member{ctx: ctx, t: t, cl: client(t, addr), instance: "two"}
		answered[i] = inBackground(func() { codes[i] = next.ask().ErrorCode })
		seen(ctx, kmsg.JoinGroup, 4+int64(i))
	}
	leader.sync("one")
	<-synced
	for i := range lives {
		<-answered[i]
		if want := i < lives-1; (codes[i] == kerr.FencedInstanceID.Code) != want {
			t.Errorf("life %d of %d is answered %v", i, lives, kerr.ErrorForCode(codes[i]))
		}
	}
}

// TestAMemberThatDiesInItsJoinIsMissed: its session begins with the answer to the join, though nobody hears it.
func TestAMemberThatDiesInItsJoinIsMissed(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	addr, seen := watched(t)
	leader := &member{ctx: ctx, t: t, cl: client(t, addr), instance: "one"}
	leader.join()
	leader.sync("one")
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	dying := member{instance: "two", session: 200 * time.Millisecond}
	if _, err := conn.Write(kmsg.NewRequestFormatter().AppendRequest(nil, dying.joinRequest(), 1)); err != nil {
		t.Fatal(err)
	}
	seen(ctx, kmsg.JoinGroup, 2)
	conn.Close()
	leader.join()
	leader.sync("one")
	for err := error(nil); !errors.Is(err, kerr.RebalanceInProgress); err = leader.heartbeat() {
		if ctx.Err() != nil {
			t.Fatalf("nobody misses the member that died: the leader hears %v", err)
		}
	}
}

// watched is a cluster that tells when it has been sent so many requests of a kind.
func watched(t *testing.T) (addr string, seen func(ctx context.Context, key kmsg.Key, n int64)) {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.GroupMinSessionTimeout(0), kfake.ListenFn(fakekafka.Listener(net.Listen)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	counts := make(map[kmsg.Key]*atomic.Int64)
	for _, key := range []kmsg.Key{kmsg.JoinGroup, kmsg.SyncGroup, kmsg.LeaveGroup} {
		count := new(atomic.Int64)
		counts[key] = count
		cluster.ControlKey(int16(key), func(kmsg.Request) (kmsg.Response, error, bool) {
			count.Add(1)
			return nil, nil, false
		})
	}
	fakekafka.Mend(cluster)
	return cluster.ListenAddrs()[0], func(ctx context.Context, key kmsg.Key, n int64) {
		t.Helper()
		for counts[key].Load() < n {
			if ctx.Err() != nil {
				t.Fatalf("%d of %d requests %s have come", counts[key].Load(), n, key.Name())
			}
			runtime.Gosched()
		}
	}
}

func client(t *testing.T, addr string) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(addr))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

func inBackground(do func()) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	return done
}

// joined is a group of a leader and a follower that have joined, after three requests to, and have no assignment yet.
func joined(ctx context.Context, t *testing.T, addr string, seen func(context.Context, kmsg.Key, int64)) (leader, follower *member) {
	t.Helper()
	leader = &member{ctx: ctx, t: t, cl: client(t, addr), instance: "one"}
	follower = &member{ctx: ctx, t: t, cl: client(t, addr), instance: "two"}
	leader.join()
	leader.sync("one")
	done := inBackground(follower.join)
	seen(ctx, kmsg.JoinGroup, 2)
	leader.join()
	<-done
	return leader, follower
}

// member is one of a group of static members, by its requests.
type member struct {
	ctx        context.Context
	t          *testing.T
	cl         *kgo.Client
	instance   string
	id         string
	generation int32
	session    time.Duration // 0 is a minute
}

// ask sends a request to join, which is answered when all have joined.
func (m *member) ask() *kmsg.JoinGroupResponse {
	resp, err := m.joinRequest().RequestWith(m.ctx, m.cl)
	if err != nil {
		m.t.Errorf("%s joining: %v", m.instance, err)
		return kmsg.NewPtrJoinGroupResponse()
	}
	m.id, m.generation = resp.MemberID, resp.Generation
	return resp
}

func (m *member) joinRequest() *kmsg.JoinGroupRequest {
	req := kmsg.NewPtrJoinGroupRequest()
	req.Version = 5 // the first one with instances
	req.Group, req.MemberID, req.InstanceID, req.ProtocolType = "group", m.id, &m.instance, "wasmstream"
	req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = int32(cmp.Or(m.session, time.Minute).Milliseconds()), 300_000
	p := kmsg.NewJoinGroupRequestProtocol()
	p.Name, p.Metadata = "protocol", []byte(m.instance)
	req.Protocols = append(req.Protocols, p)
	return req
}

func (m *member) join() {
	if resp := m.ask(); resp.ErrorCode != 0 {
		m.t.Errorf("%s joining: %v", m.instance, kerr.ErrorForCode(resp.ErrorCode))
	}
}

// sync asks for the assignment, or, with a member to give it to, makes one. What comes is of no matter.
func (m *member) sync(to string) {
	req := kmsg.NewPtrSyncGroupRequest()
	req.Group, req.MemberID, req.InstanceID, req.Generation = "group", m.id, &m.instance, m.generation
	if to != "" {
		a := kmsg.NewSyncGroupRequestGroupAssignment()
		a.MemberID = m.id
		req.GroupAssignment = append(req.GroupAssignment, a)
	}
	if _, err := req.RequestWith(m.ctx, m.cl); err != nil {
		m.t.Errorf("%s syncing: %v", m.instance, err)
	}
}

func (m *member) heartbeat() error {
	req := kmsg.NewPtrHeartbeatRequest()
	req.Group, req.MemberID, req.InstanceID, req.Generation = "group", m.id, &m.instance, m.generation
	resp, err := req.RequestWith(m.ctx, m.cl)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(resp.ErrorCode)
}

func (m *member) leave(by *kgo.Client) {
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group = "group"
	l := kmsg.NewLeaveGroupRequestMember()
	l.InstanceID = &m.instance
	req.Members = append(req.Members, l)
	resp, err := req.RequestWith(m.ctx, by)
	if err != nil || resp.ErrorCode != 0 || resp.Members[0].ErrorCode != 0 {
		m.t.Errorf("%s leaving: %v, %+v", m.instance, err, resp)
	}
}
