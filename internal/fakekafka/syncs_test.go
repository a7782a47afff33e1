package fakekafka_test

import (
	"context"
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
			one, two, third := client(t, addr), client(t, addr), client(t, addr)
			leader := member{ctx: ctx, t: t, cl: one, instance: "one"}
			follower := member{ctx: ctx, t: t, cl: two, instance: "two"}
			leader.join()
			leader.sync("one")
			joined := inBackground(follower.join)
			seen(ctx, kmsg.JoinGroup, 2)
			leader.join()
			<-joined
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

// watched is a cluster that tells when it has been sent so many requests of a kind.
func watched(t *testing.T) (addr string, seen func(ctx context.Context, key kmsg.Key, n int64)) {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
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

// member is one of a group of static members, by its requests.
type member struct {
	ctx        context.Context
	t          *testing.T
	cl         *kgo.Client
	instance   string
	id         string
	generation int32
}

func (m *member) join() {
	req := kmsg.NewPtrJoinGroupRequest()
	req.Group, req.MemberID, req.InstanceID, req.ProtocolType = "group", m.id, &m.instance, "wasmstream"
	req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = 60_000, 300_000
	p := kmsg.NewJoinGroupRequestProtocol()
	p.Name, p.Metadata = "protocol", []byte(m.instance)
	req.Protocols = append(req.Protocols, p)
	resp, err := req.RequestWith(m.ctx, m.cl)
	switch {
	case err != nil:
		m.t.Errorf("%s joining: %v", m.instance, err)
	case resp.ErrorCode != 0:
		m.t.Errorf("%s joining: %v", m.instance, kerr.ErrorForCode(resp.ErrorCode))
	default:
		m.id, m.generation = resp.MemberID, resp.Generation
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
