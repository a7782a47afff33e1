package connect

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/wasmstream/wasmstream/internal/kafka"
)

// topicPoll is the wait before a topic that was just made is looked for again, leaveTimeout bounds the farewell to the group: the
// session of a worker whose farewell is not heard ends by itself.
const (
	topicPoll    = 20 * time.Millisecond
	leaveTimeout = 3 * time.Second
)

// GroupMember is a worker's membership in its group: join, sync, heartbeat, leave, and, while it leads, the assignment
// (Kafka's WorkerCoordinator). Run does it all on one goroutine; heartbeats have one of their own, so that a worker stays a
// member while its tasks end.
//
//	join -> sync -> (revoke) -> assigned -> heartbeat ... -> join
//	                   |                        |
//	                   +-- joins again at once  +-- rebalance, a config change, a delay that is over
type GroupMember struct {
	cfg    *WorkerConfig
	herder *Herder
	client *kgo.Client
	log    *slog.Logger
	rejoin chan struct{}

	// of Run's goroutine
	id         string
	generation int32
	completed  int32 // the last generation whose assignment came
	share      Share // what is assigned here
	current    *Assignment
	assignor   *Assignor

	mu struct {
		sync.Mutex
		leads      bool
		url        string
		id         string // and generation: of the last assignment
		generation int32
		owners     map[TaskID]string // of the leader: who runs what
		settled    chan struct{}     // closed while a leader is known
		changed    chan struct{}     // closed by the next setLeader
		unsettled  time.Time         // when there was none
	}
	leaving chan struct{} // closed when the worker is to leave the group
}

// NewGroupMember makes the membership of a worker.
func NewGroupMember(h *Herder) (*GroupMember, error) {
	opts, err := kafka.Options(kafka.Admin, h.cfg.ClientProperties(kafka.Admin, nil), "worker")
	if err != nil {
		return nil, err
	}
	cl, err := kgo.NewClient(append(opts, kgo.ClientID("connect-"+h.cfg.WorkerID()), kgo.WithHooks(kafka.NewReachability(h.log)))...)
	if err != nil {
		return nil, err
	}
	m := &GroupMember{
		cfg: h.cfg, herder: h, client: cl, log: h.log.With("group", h.cfg.Group), rejoin: make(chan struct{}, 1), generation: -1, completed: -1,
		share: NewShare(nil, nil), leaving: make(chan struct{}),
	}
	m.mu.settled, m.mu.unsettled, m.mu.changed = make(chan struct{}), time.Now(), make(chan struct{})
	return m, nil
}

// Leader implements Member.
func (m *GroupMember) Leader() (bool, string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mu.leads, m.mu.url
}

// errShuttingDown is what requests hear that wait when the worker ends.
var errShuttingDown = &StatusError{500, "Worker is shutting down"}

// AwaitLeader implements Member.
func (m *GroupMember) AwaitLeader(ctx context.Context) error {
	m.mu.Lock()
	settled, since := m.mu.settled, m.mu.unsettled
	m.mu.Unlock()
	select {
	case <-settled:
		return nil
	case <-m.leaving:
		return errShuttingDown
	case <-ctx.Done():
		return &TimeoutError{Stages{"ensuring membership in the cluster", since}}
	}
}

// Owner implements Member.
func (m *GroupMember) Owner(id TaskID) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mu.owners[id]
}

// Changed implements Member.
func (m *GroupMember) Changed() <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mu.changed
}

// Close ends the connections, after Run.
func (m *GroupMember) Close() { m.client.Close() }

// Rejoin implements Member.
func (m *GroupMember) Rejoin() {
	select {
	case m.rejoin <- struct{}{}:
	default:
	}
}

// Run keeps the worker in its group until ctx is done, and leaves.
func (m *GroupMember) Run(ctx context.Context) {
	for ctx.Err() == nil {
		err := m.round(ctx)
		if err == nil || ctx.Err() != nil {
			continue
		}
		switch {
		case errors.Is(err, kerr.RebalanceInProgress), errors.Is(err, kerr.MemberIDRequired):
		case errors.Is(err, kerr.UnknownMemberID), errors.Is(err, kerr.IllegalGeneration), errors.Is(err, kerr.FencedInstanceID):
			m.lost(err)
		default:
			m.log.Warn("the group could not be joined; it is tried again", "error", err)
			(realClock{}).Sleep(ctx, time.Second)
		}
	}
	close(m.leaving)
	m.herder.Revoke(m.share.clone()) // nobody else starts what still runs here
	m.leave()
}

// lost gives everything up: the group has gone on without this worker.
func (m *GroupMember) lost(cause error) {
	m.log.Warn("the worker is no member any more and stops its connectors and tasks", "error", cause)
	m.setLeader(false, "")
	m.herder.Revoke(m.share.clone())
	m.id, m.generation, m.completed, m.share, m.current = "", -1, -1, NewShare(nil, nil), nil
}

func (m *GroupMember) setLeader(leads bool, url string) {
	m.mu.Lock()
	known := m.mu.url != ""
	m.mu.leads, m.mu.url, m.mu.id, m.mu.generation = leads, url, m.id, m.generation
	switch {
	case url != "" && !known:
		close(m.mu.settled)
	case url == "" && known:
		m.mu.settled, m.mu.unsettled = make(chan struct{}), time.Now()
	}
	close(m.mu.changed)
	m.mu.changed = make(chan struct{})
	m.mu.Unlock()
	if !leads {
		m.herder.configs.Relinquish()
	}
}

// confirmations bounds how often the group is asked while this worker is about to hear of a new generation.
const confirmations = 100

// Confirm implements Member: a worker that was stopped for a while may have been replaced without knowing, and is not to write
// over what the new leader wrote.
func (m *GroupMember) Confirm(ctx context.Context) error {
	for range confirmations {
		m.mu.Lock()
		leads, url := m.mu.leads, m.mu.url
		req := kmsg.NewPtrHeartbeatRequest()
		req.Group, req.Generation, req.MemberID = m.cfg.Group, m.mu.generation, m.mu.id
		m.mu.Unlock()
		if !leads {
			return &NotLeader{URL: url, Message: "Only the leader can do that."}
		}
		resp, err := req.RequestWith(ctx, m.client)
		if err != nil {
			return fmt.Errorf("asking the group whether this worker leads: %w", err)
		}
		switch err := kerr.ErrorForCode(resp.ErrorCode); {
		case err == nil, errors.Is(err, kerr.RebalanceInProgress):
			return nil
		case !errors.Is(err, kerr.IllegalGeneration) || !(realClock{}).Sleep(ctx, topicPoll):
			return &NotLeader{Message: "This worker is not the leader any more."}
		}
	}
	return &NotLeader{Message: "This worker is not the leader any more."}
}

// round joins, takes the assignment, and stays until the next rebalance.
func (m *GroupMember) round(ctx context.Context) error {
	select {
	case <-m.rejoin:
	default:
	}
	if m.current != nil && m.current.Version == versionEager {
		m.herder.Revoke(m.share.clone()) // the eager protocol: everything stops for a rebalance
		m.share = NewShare(nil, nil)
	}
	joined, err := m.join(ctx)
	if err != nil {
		return err
	}
	assignment, err := m.sync(ctx, joined)
	if err != nil {
		return err
	}
	m.completed = m.generation
	beats, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	beat := m.heartbeat()
	go func() { ended <- m.heartbeats(beats, beat) }()
	again, err := m.assigned(ctx, assignment)
	if err == nil && !again {
		err = m.stay(ctx, assignment, ended)
	}
	stop()
	if last := <-ended; err == nil && last != nil && ctx.Err() == nil && !errors.Is(last, context.Canceled) {
		err = last
	}
	return err
}

func (m *GroupMember) protocols() []string {
	switch m.cfg.Protocol {
	case "eager":
		return []string{ProtocolEager}
	case ProtocolCoop:
		return []string{ProtocolCoop, ProtocolEager}
	}
	return []string{ProtocolSession, ProtocolCoop, ProtocolEager}
}

func versionOf(protocol string) int16 {
	return int16(slices.Index([]string{ProtocolEager, ProtocolCoop, ProtocolSession}, protocol))
}

func (m *GroupMember) join(ctx context.Context) (*kmsg.JoinGroupResponse, error) {
	req := kmsg.NewPtrJoinGroupRequest()
	req.Group, req.MemberID, req.ProtocolType = m.cfg.Group, m.id, ProtocolType
	req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = int32(m.cfg.SessionTimeout.Milliseconds()), int32(m.cfg.RebalanceTimeout.Milliseconds())
	state := WorkerState{URL: m.cfg.AdvertisedURL, Offset: m.herder.snapshot().Offset()}
	if m.current != nil {
		own := *m.current
		own.Connectors, own.Tasks = m.share.ConnectorList(), m.share.TaskList()
		own.RevokedConnectors, own.RevokedTasks = nil, nil
		state.Assignment = &own
	}
	for _, name := range m.protocols() {
		p := kmsg.NewJoinGroupRequestProtocol()
		p.Name, p.Metadata = name, AppendWorkerState(nil, versionOf(name), &state)
		req.Protocols = append(req.Protocols, p)
	}
	resp, err := req.RequestWith(ctx, m.client)
	if err != nil {
		return nil, err
	}
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		if errors.Is(err, kerr.MemberIDRequired) {
			m.id = resp.MemberID
		}
		return nil, err
	}
	m.id, m.generation = resp.MemberID, resp.Generation
	return resp, nil
}

func (m *GroupMember) sync(ctx context.Context, joined *kmsg.JoinGroupResponse) (*Assignment, error) {
	req := kmsg.NewPtrSyncGroupRequest()
	req.Group, req.Generation, req.MemberID = m.cfg.Group, m.generation, m.id
	typ := ProtocolType
	req.ProtocolType, req.Protocol = &typ, joined.Protocol
	protocol := ProtocolEager
	if joined.Protocol != nil {
		protocol = *joined.Protocol
	}
	if joined.LeaderID == m.id {
		all, err := m.lead(ctx, joined, versionOf(protocol))
		if err != nil {
			return nil, err
		}
		for member, a := range all {
			g := kmsg.NewSyncGroupRequestGroupAssignment()
			g.MemberID, g.MemberAssignment = member, AppendAssignment(nil, versionOf(protocol), a)
			req.GroupAssignment = append(req.GroupAssignment, g)
		}
	}
	resp, err := req.RequestWith(ctx, m.client)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if err != nil {
		return nil, err
	}
	a, err := ParseAssignment(resp.MemberAssignment)
	if err == nil && a == nil {
		err = errors.New("the assignment is empty")
	}
	if err == nil {
		m.herder.unsigned.Store(versionOf(protocol) < versionSession)
	}
	return a, err
}

// lead works the assignment of all members out.
func (m *GroupMember) lead(ctx context.Context, joined *kmsg.JoinGroupResponse, version int16) (map[string]*Assignment, error) {
	members, urls, furthest := map[string]Share{}, map[string]string{}, int64(0)
	for _, member := range joined.Members {
		s, err := ParseWorkerState(member.ProtocolMetadata)
		if err != nil {
			return nil, err
		}
		members[member.MemberID], urls[member.MemberID] = NewShare(nil, nil), s.URL
		if s.Assignment != nil {
			members[member.MemberID] = NewShare(s.Assignment.Connectors, s.Assignment.Tasks)
		}
		furthest = max(furthest, s.Offset)
	}
	out := map[string]*Assignment{}
	for id := range members {
		out[id] = &Assignment{Version: version, Leader: m.id, LeaderURL: urls[m.id], Offset: furthest}
	}
	if m.herder.snapshot().Offset() < furthest {
		m.catchUp(ctx)
	}
	config := m.herder.snapshot()
	if config.Offset() < furthest {
		for _, a := range out {
			a.Error = assignmentConfigMismatch
		}
		return out, nil
	}
	furthest = config.Offset()
	configured := NewShare(config.Connectors(), nil)
	for name := range configured.Connectors {
		for _, id := range config.Tasks(name) {
			configured.Tasks[id] = true
		}
	}
	if m.assignor == nil {
		m.assignor = NewAssignor(m.cfg.MaxDelay.Milliseconds())
	}
	if version == versionEager {
		for id := range members {
			members[id] = NewShare(nil, nil)
		}
		m.assignor = NewAssignor(0)
	}
	round := m.assignor.Assign(time.Now().UnixMilli(), configured, members, m.completed, m.generation)
	m.owners(round, members, urls)
	for id, a := range out {
		a.Offset, a.Delay = furthest, int32(round.Delay)
		a.Connectors, a.Tasks = round.Assigned[id].ConnectorList(), round.Assigned[id].TaskList()
		a.RevokedConnectors, a.RevokedTasks = round.Revoked[id].ConnectorList(), round.Revoked[id].TaskList()
	}
	return out, nil
}

// owners notes who runs what after a round.
func (m *GroupMember) owners(round Round, members map[string]Share, urls map[string]string) {
	owners := map[TaskID]string{}
	for id, share := range members {
		kept := share.clone()
		kept.remove(round.Revoked[id])
		kept.add(round.Assigned[id])
		for c := range kept.Connectors {
			owners[TaskID{c, -1}] = urls[id]
		}
		for t := range kept.Tasks {
			owners[t] = urls[id]
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mu.owners = owners
}

// catchUp reads the config topic to its end; false if that takes too long.
func (m *GroupMember) catchUp(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, max(m.cfg.SyncTimeout, time.Millisecond))
	defer cancel()
	err := m.herder.configs.ReadToEnd(ctx)
	if err != nil {
		m.log.Warn("the worker is behind the config topic", "error", err)
	}
	return err == nil
}

// stayAway leaves the group for a while: a worker that cannot read the configuration would have the others rebalance again and again.
func (m *GroupMember) stayAway(ctx context.Context) {
	m.log.Warn("the worker leaves its group until it may have read the config topic", "for", m.cfg.UnsyncBackoff)
	m.leave()
	m.lost(errors.New("it could not read the config topic in time"))
	(realClock{}).Sleep(ctx, m.cfg.UnsyncBackoff)
}

// assigned carries an assignment out. again asks for another round at once.
func (m *GroupMember) assigned(ctx context.Context, a *Assignment) (again bool, err error) {
	if a.Leader == m.id {
		if err := m.herder.configs.Claim(ctx); err != nil {
			return false, err
		}
	}
	m.setLeader(a.Leader == m.id, a.LeaderURL)
	if a.Failed() || m.herder.snapshot().Offset() < a.Offset {
		if !m.catchUp(ctx) {
			m.stayAway(ctx)
			return true, nil
		}
		if a.Failed() || m.herder.snapshot().Offset() < a.Offset {
			return true, nil
		}
	}
	revoked := NewShare(a.RevokedConnectors, a.RevokedTasks)
	if a.Version == versionEager {
		m.share = NewShare(nil, nil)
	}
	m.share.remove(revoked)
	m.share.add(NewShare(a.Connectors, a.Tasks))
	m.current = a
	m.log.Info("assigned", "leader", a.LeaderURL, "generation", m.generation, "connectors", len(m.share.Connectors), "tasks", len(m.share.Tasks), "revoked", len(revoked.Connectors)+len(revoked.Tasks), "delay_ms", a.Delay)
	if !revoked.Empty() {
		m.herder.Revoke(revoked)
	}
	m.herder.Assign(m.share.clone(), a.Offset, m.generation)
	if a.Leader == m.id {
		m.renewKey(ctx)
		m.replan()
	} else {
		m.assignor = nil
	}
	return !revoked.Empty(), nil
}

// replan has connectors without a complete set of tasks make one: a leader before may have died over it.
func (m *GroupMember) replan() {
	for name := range m.share.Connectors {
		m.herder.plan(name)
	}
}

// renewKey distributes a session key where there is none or an old one (KIP-507).
func (m *GroupMember) renewKey(ctx context.Context) {
	if !m.herder.Signs() {
		return
	}
	known := m.herder.snapshot().SessionKey()
	if known != nil && time.Since(time.UnixMilli(known.Created)) < m.cfg.KeyTTL {
		return
	}
	key := SessionKey{Key: make([]byte, 32), Algorithm: m.cfg.KeyAlgorithm, Created: time.Now().UnixMilli()}
	if _, err := rand.Read(key.Key); err != nil {
		m.log.Error("a session key could not be made", "error", err)
		return
	}
	if err := m.herder.writeLeading(ctx, "distributing a session key", SessionKeyRecord(key)); err != nil {
		m.log.Error("the session key could not be distributed", "error", err)
	}
}

// stay returns when another rebalance is due.
func (m *GroupMember) stay(ctx context.Context, a *Assignment, ended chan error) error {
	var due <-chan time.Time
	if a.Delay > 0 {
		timer := time.NewTimer(time.Duration(a.Delay) * time.Millisecond)
		defer timer.Stop()
		due = timer.C
	}
	keys := time.NewTicker(max(m.cfg.KeyTTL/4, time.Second))
	defer keys.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-m.rejoin:
			return nil
		case <-due:
			return nil
		case <-keys.C:
			if leads, _ := m.Leader(); leads {
				m.renewKey(ctx)
			}
		case err := <-ended:
			ended <- err
			return err
		}
	}
}

// heartbeat is that of the membership as it is.
func (m *GroupMember) heartbeat() *kmsg.HeartbeatRequest {
	req := kmsg.NewPtrHeartbeatRequest()
	req.Group, req.Generation, req.MemberID = m.cfg.Group, m.generation, m.id
	return req
}

// heartbeats keeps the membership until ctx is done or the group wants something else. A worker that could not reach the
// group for a session is out of it.
func (m *GroupMember) heartbeats(ctx context.Context, req *kmsg.HeartbeatRequest) error {
	for last := time.Now(); ; {
		if !(realClock{}).Sleep(ctx, m.cfg.Heartbeat) {
			return ctx.Err()
		}
		resp, err := req.RequestWith(ctx, m.client)
		if err == nil {
			if err = kerr.ErrorForCode(resp.ErrorCode); err != nil {
				return err
			}
			last = time.Now()
			continue
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if time.Since(last) > m.cfg.SessionTimeout {
			return fmt.Errorf("%w: no heartbeat for %s", kerr.UnknownMemberID, time.Since(last))
		}
	}
}

// leave tells the group that the worker goes, so that its share moves at once.
func (m *GroupMember) leave() {
	if m.id == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), leaveTimeout)
	defer cancel()
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group, req.MemberID = m.cfg.Group, m.id
	member := kmsg.NewLeaveGroupRequestMember()
	member.MemberID = m.id
	req.Members = append(req.Members, member)
	if _, err := req.RequestWith(ctx, m.client); err != nil {
		m.log.Warn("the group could not be left", "error", err)
	}
}
