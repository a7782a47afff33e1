package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/internal/kafka"
	"github.com/wasmstream/wasmstream/internal/metrics"
	"github.com/wasmstream/wasmstream/internal/streamsconfig"
	"github.com/wasmstream/wasmstream/state"
	"github.com/wasmstream/wasmstream/topology"
)

// Defaults where Kafka's would cost memory that a process of tens of MiB does not have, or time. They hold unless the key
// is set.
const (
	defaultFetchMaxBytes = 256 << 10 // fetch.max.bytes, Kafka: 50 MiB; a fetch of words of 10 bytes is 30 MiB of records
	// defaultFetchMaxWait, Kafka: 500 ms. A broker answers one fetch after another, and one that waits for the empty
	// partitions of a repartition topic holds up the next for the full ones.
	defaultFetchMaxWait       = 10 * time.Millisecond
	defaultProducerBatchBytes = 256 << 10 // per partition; larger ones win nothing
	defaultBufferMemory       = 16 << 20  // buffer.memory, Kafka: 32 MiB
	producerBufferedRecords   = 20_000    // records waiting to be sent; Send waits above
)

const (
	// shutdownGrace is how long a clean stop may take before it gives up waiting for the cluster.
	shutdownGrace = 30 * time.Second
	// partitionRefresh is how often partition counts of written topics are looked up again (metadata.max.age.ms).
	partitionRefresh = 5 * time.Minute
	startTimeout     = 60 * time.Second
)

// State is Kafka's KafkaStreams.State.
type State int32

// The states of an application.
//
//	CREATED -> REBALANCING <-> RUNNING -> PENDING_SHUTDOWN -> NOT_RUNNING
//	                 \____________/-----> PENDING_ERROR ----> ERROR
const (
	Created State = iota
	Rebalancing
	Running
	PendingShutdown
	NotRunning
	PendingError
	Failed
)

// String is Kafka's name.
func (s State) String() string {
	return [...]string{"CREATED", "REBALANCING", "RUNNING", "PENDING_SHUTDOWN", "NOT_RUNNING", "PENDING_ERROR", "ERROR"}[s]
}

// Config is what an App is made of. Streams and Topology are required.
type Config struct {
	Streams  *streamsconfig.Config
	Topology *topology.Topology
	// Modules finds the guests of the topology; nil if it has none.
	Modules Modules
	// Guests are the limits and error policies of the guests; nil leaves them at the application's handler and the widest
	// limits.
	Guests GuestRules
	// Where names the place of the settings in errors, e.g. a file.
	Where string
	// Logger gets changes of state; nil discards.
	Logger *slog.Logger
	// Registerer gets the metrics; nil registers none.
	Registerer prometheus.Registerer
	// StateListener is called on each change of state, one call at a time, and must not block.
	StateListener func(now, before State)
	// RestoreListener hears how stores are restored, StandbyListener how standbys follow; nil for nobody.
	RestoreListener StateRestoreListener
	StandbyListener StandbyUpdateListener
	// UncaughtHandler is asked when a thread has failed, on that thread's goroutine; nil answers as the setting
	// uncaught.exception.response says.
	UncaughtHandler func(error) UncaughtAnswer
	// ApplicationServer is told to the other processes of the application as the place where this one answers queries,
	// HOST:PORT; the setting application.server is stronger.
	ApplicationServer string
	// ClientOptions are appended to the options of every client.
	ClientOptions []kgo.Opt
	// Clock is the wall clock, which may jump; nil is the real one. What takes time is measured without it.
	Clock func() time.Time
	// FrameRecords bounds the frames that run through a task; 0 is 500, which is also the most. It changes no result.
	FrameRecords int
}

// App runs a topology in this process: Kafka's KafkaStreams. It is safe for concurrent use.
type App struct {
	cfg      Config
	log      *slog.Logger
	clock    func() time.Time // measures
	wall     func() time.Time // says what time it is
	metrics  *metrics.Set
	state    atomic.Int32
	settings map[string]string // as given, for processors
	pool     threadPool
	global   atomic.Pointer[GlobalThread] // nil: there are no global stores
	ready    chan struct{}                // closed when threads are set
	over     chan struct{}                // closed when Run has ended
	// life is done when the application is to end, end makes it so and says why.
	life context.Context
	end  context.CancelCauseFunc
	// asksShutdown: this process tells the group to end, or was told and tells it on; remains: it does not leave when it ends.
	asksShutdown, remains atomic.Bool
	// damaged: the local state that threads run on now was found damaged, and is to be built again.
	damaged atomic.Pointer[atomic.Bool]

	tasks         runningTasks
	failedThreads atomic.Int64
	paused        atomic.Bool
	upgrading     sync.Mutex
	modules       atomic.Pointer[moduleSet]
	faults        *FaultBook
	reachability  *kafka.Reachability
	connections   *kafka.Connections
	guestModules  []string // in use by the topology
	db            atomic.Pointer[state.DB]
	plan          atomic.Pointer[topicPlan]
	client        atomic.Pointer[kgo.Client] // for requests of administration, while the application runs
	queries       queryables
	assigned      atomic.Pointer[assignmentInfo] // as last heard by a thread
	reloads       struct{ done, refused, failed atomic.Int64 }
	partitions    atomic.Pointer[map[string]int32]
	mu            struct {
		sync.Mutex
		listening sync.Mutex
		ran       bool
		purge     map[topology.TopicPartition]int64
	}
}

// New checks the configuration and registers the metrics. Nothing runs and no broker is asked until Run.
func New(cfg Config) (*App, error) {
	if cfg.Streams == nil || cfg.Topology == nil {
		panic("stream: New needs Streams and Topology")
	}
	a := &App{cfg: cfg, log: cfg.Logger, clock: time.Now, wall: cfg.Clock, ready: make(chan struct{}), over: make(chan struct{}), faults: NewFaultBook()}
	a.life, a.end = context.WithCancelCause(context.Background())
	a.damaged.Store(new(atomic.Bool))
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	a.reachability, a.connections = kafka.NewReachability(a.log), kafka.NewConnections()
	if a.wall == nil {
		a.wall = time.Now
	}
	if cfg.Modules == nil {
		cfg.Modules = noModules{}
	}
	a.modules.Store(&moduleSet{Modules: cfg.Modules})
	a.mu.purge = make(map[topology.TopicPartition]int64)
	a.settings = make(map[string]string)
	for _, e := range cfg.Streams.Entries() {
		a.settings[e.Key], _ = cfg.Streams.Lookup(e.Key)
	}
	if err := cfg.Topology.Validate(); err != nil {
		return nil, err
	}
	var err error
	if a.metrics, err = metrics.New(cfg.Registerer, cfg.Streams.ApplicationID); err != nil {
		return nil, fmt.Errorf("registering the metrics: %w", err)
	}
	a.metrics.AddSource(a.emit)
	return a, nil
}

// State can be asked at any time.
func (a *App) State() State { return State(a.state.Load()) }

func (a *App) setState(s State) {
	a.mu.listening.Lock()
	defer a.mu.listening.Unlock()
	before := a.State()
	if before == s || !mayFollow(before, s) {
		return
	}
	a.state.Store(int32(s))
	a.log.Info("application state", "state", s.String(), "before", before.String())
	if a.cfg.StateListener != nil {
		a.cfg.StateListener(s, before)
	}
}

// mayFollow holds the arrows above State: an application that is ending does not begin to run again.
func mayFollow(before, s State) bool {
	switch before {
	case PendingShutdown:
		return s == NotRunning || s == PendingError
	case PendingError:
		return s == Failed
	case NotRunning, Failed:
		return false
	}
	return true
}

// threadChanged derives the application's state from its threads: running when all of them run.
func (a *App) threadChanged(*Thread, ThreadState) {
	all := Running
	for _, t := range a.threadsNow() {
		switch t.State() {
		case ThreadRunning, ThreadDead:
		case ThreadPendingShutdown:
			return
		default:
			all = Rebalancing
		}
	}
	a.setState(all)
}

// Run works until ctx is done, commits, leaves the group and returns nil. If a thread fails, the others are stopped in
// the same way and Run returns the error, which has a code. An App runs once.
func (a *App) Run(ctx context.Context) (err error) {
	a.mu.Lock()
	ran := a.mu.ran
	a.mu.ran = true
	a.mu.Unlock()
	if ran {
		return errors.New("running the application: it has run already")
	}
	defer close(a.over)
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	defer context.AfterFunc(a.life, func() { stop(context.Cause(a.life)) })()
	defer a.metrics.Close()
	a.setState(Rebalancing)
	defer func() {
		if err == nil {
			a.setState(PendingShutdown)
			a.setState(NotRunning)
			return
		}
		a.setState(PendingError)
		a.setState(Failed)
	}()
	for _, w := range a.cfg.Streams.Warnings {
		a.log.Warn(w)
	}
	return a.run(ctx)
}

func (a *App) run(ctx context.Context) error {
	connecting, cancel := outlasting(ctx, leaveGrace)
	defer cancel()
	client, err := a.admin(connecting)
	if err != nil {
		return err
	}
	defer client.Close()
	dir, err := state.OpenDirectory(a.cfg.Streams.StateDir, a.cfg.Streams.ApplicationID)
	if err != nil {
		return err
	}
	err = a.runIn(ctx, client, dir)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = nil // stopped while it started
	}
	if a.leavesAfter(err) {
		a.leaveRest(client, dir.ProcessID())
	}
	return errors.Join(err, dir.Close())
}

// outlasting is a context that is done some time after ctx. With the cluster at hand, an application that is stopped
// while it starts can still tell the group that an earlier life of it, which was killed, is over.
func outlasting(ctx context.Context, by time.Duration) (context.Context, context.CancelFunc) {
	later, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(by, cancel) })
	return later, func() { stop(); cancel() }
}

func (a *App) runIn(ctx context.Context, client *kgo.Client, dir *state.Directory) error {
	admin := kadm.NewClient(client)
	plan, err := a.prepareTopics(ctx, admin)
	if err != nil {
		return err
	}
	a.plan.Store(plan)
	a.client.Store(client)
	defer a.client.Store(nil)
	a.guestModules = guestModulesOf(plan)
	numbers := make([]int, a.cfg.Streams.NumStreamThreads)
	for i := range numbers {
		numbers[i] = i + 1
	}
	for {
		err := a.runOn(ctx, client, plan, dir, numbers)
		if !a.buildsAgain(ctx, err) {
			return err
		}
		if err := a.dropState(dir, err); err != nil {
			return err
		}
		select {
		case <-a.ready:
			numbers = a.threadNumbers()
		default: // damaged before there were any threads
		}
	}
}

// runOn opens the local state and runs threads with these numbers on it, until ctx is done, a thread fails for good, or
// the state is found damaged.
func (a *App) runOn(ctx context.Context, client *kgo.Client, plan *topicPlan, dir *state.Directory, numbers []int) error {
	life, end := context.WithCancel(ctx)
	defer end()
	admin := kadm.NewClient(client)
	damaged := new(atomic.Bool)
	a.damaged.Store(damaged)
	db, err := a.openDB(plan, dir, func(error) {
		damaged.Store(true)
		end()
	})
	if err != nil {
		return err
	}
	global, err := a.startGlobal(life, admin, db)
	if err != nil {
		return errors.Join(err, db.Close())
	}
	a.global.Store(global)
	threads, err := a.makeThreads(ctx, client, plan, dir.ProcessID(), db, numbers)
	if err != nil {
		return errors.Join(err, global.close(), db.Close())
	}
	a.db.Store(db)
	a.setThreads(threads)
	select {
	case <-a.ready:
	default:
		close(a.ready)
		a.leaveStale(ctx, client, dir.ProcessID(), len(threads))
	}
	return errors.Join(a.runThreads(life, admin, db), global.close(), db.Close())
}

func (a *App) admin(ctx context.Context) (*kgo.Client, error) {
	return kafka.Connect(ctx, kafka.Admin, a.cfg.Streams.Client(streamsconfig.Admin), a.cfg.Where,
		append([]kgo.Opt{kgo.ClientID(a.clientID() + "-admin")}, a.cfg.ClientOptions...)...)
}

func (a *App) clientID() string {
	if id := a.cfg.Streams.ClientID; id != "" {
		return id
	}
	return a.cfg.Streams.ApplicationID
}

// prepareTopics checks the topics of the topology and makes the internal ones.
func (a *App) prepareTopics(ctx context.Context, admin *kadm.Client) (*topicPlan, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	m := &InternalTopicManager{admin: admin, replication: a.cfg.Streams.ReplicationFactor, log: a.log}
	existing, err := m.partitions(ctx)
	if err != nil {
		return nil, err
	}
	if topic := a.cfg.Streams.DeadLetterTopic; topic != "" && existing[topic] == 0 {
		return nil, errs.DeadLetter.New(topic, "the dead-letter topic does not exist", "create it: wasmstream topic create "+topic)
	}
	plan, err := planTopics(a.cfg.Topology.Subtopologies(a.cfg.Streams.ApplicationID), existing)
	if err = errors.Join(err, missingGlobal(a.cfg.Topology, existing)); err != nil {
		return nil, err
	}
	for i := range plan.internal {
		plan.internal[i].Configs = a.internalConfigs(plan.internal[i].Configs)
	}
	if err := m.ensure(ctx, plan, existing); err != nil {
		return nil, err
	}
	for name, n := range plan.Partitions {
		existing[name] = int32(n)
	}
	a.partitions.Store(&existing)
	return plan, nil
}

// internalConfigs puts the user's settings (prefix topic.) over Kafka's for internal topics.
func (a *App) internalConfigs(configs map[string]string) map[string]string {
	all := maps.Clone(configs)
	if all == nil {
		all = make(map[string]string)
	}
	maps.Copy(all, a.cfg.Streams.TopicConfigs())
	return all
}

func (a *App) partitionsOf(topic string) int32 { return (*a.partitions.Load())[topic] }

// openDB opens the database of the directory: on disk if any store outlives the process. Damaged state is thrown away,
// for the changelogs have it all; damage that shows later is told.
func (a *App) openDB(plan *topicPlan, dir *state.Directory, damaged func(error)) (*state.DB, error) {
	opts := state.DefaultOptions()
	opts.ApplicationID, opts.Logger, opts.InMemory = a.cfg.Streams.ApplicationID, a.log, !plan.persistent() && !keepsGlobal(a.cfg.Topology)
	opts.SetMemory(a.cfg.Streams.StateMemoryBytes)
	opts.OnDamage = damaged
	db, err := state.OpenDB(dir.DatabasePath(), opts)
	if errors.Is(err, state.ErrCorrupt) {
		a.log.Warn("local state cannot be used and is built again from the changelogs", "dir", dir.DatabasePath(), "err", err)
		if err = state.DropDB(dir.DatabasePath(), nil); err == nil {
			db, err = state.OpenDB(dir.DatabasePath(), opts)
		}
	}
	return db, err
}

// transactionVersion2 asks whether the cluster runs transactions of version 2, and warns if not.
func (a *App) transactionVersion2(ctx context.Context, client *kgo.Client) (bool, error) {
	req := kmsg.NewPtrApiVersionsRequest()
	req.ClientSoftwareName, req.ClientSoftwareVersion = "wasmstream", "1"
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return false, kafkaError("asking for the versions of the broker", err)
	}
	for _, f := range resp.FinalizedFeatures {
		if f.Name == "transaction.version" && f.MaxVersionLevel >= 2 {
			return true, nil
		}
	}
	if a.cfg.Streams.ExactlyOnce {
		a.log.Warn("the cluster runs transactions of a version below 2, in which a broker may add a late record to the next transaction (KIP-890); upgrade the feature transaction.version")
	}
	return false, nil
}

func (a *App) makeThreads(ctx context.Context, client *kgo.Client, plan *topicPlan, processID string, db *state.DB, numbers []int) ([]*Thread, error) {
	v2, err := a.transactionVersion2(ctx, client)
	if err != nil {
		return nil, err
	}
	shared, err := a.sharedThreadConfig(plan, processID, db)
	if err != nil {
		return nil, err
	}
	shared.transactionV2 = v2
	shared.newAssignor = a.assignors(shared, client)
	var threads []*Thread
	a.pool.shared, a.pool.db = shared, db
	for _, n := range numbers {
		t, err := a.newThread(n)
		if err != nil {
			return nil, err
		}
		threads = append(threads, t)
	}
	return threads, nil
}

func (a *App) sharedThreadConfig(plan *topicPlan, processID string, db *state.DB) (*threadConfig, error) {
	s := a.cfg.Streams
	consumer, err := s.Client(streamsconfig.MainConsumer).Check(kafka.Consumer, a.cfg.Where)
	if err != nil {
		return nil, err
	}
	producer, err := s.Client(streamsconfig.Producer).Check(kafka.Producer, a.cfg.Where)
	if err != nil {
		return nil, err
	}
	if timeout := millis(producer["transaction.timeout.ms"]); s.ExactlyOnce && timeout < s.CommitInterval {
		return nil, errs.ConfigInvalid.New(a.cfg.Where, fmt.Sprintf("transaction.timeout.ms (%s) is below commit.interval.ms (%s): the broker would end transactions before they are committed", timeout, s.CommitInterval),
			"set producer.transaction.timeout.ms to at least commit.interval.ms")
	}
	c := &threadConfig{
		applicationID: s.ApplicationID, processID: processID, exactlyOnce: s.ExactlyOnce,
		plan: plan, partitions: a.partitionsOf, positions: a.positionsIn(db), running: a.noteRunning,
		placement: placementOf(s), restores: a.cfg.RestoreListener, standbys: a.cfg.StandbyListener,
		sessionTimeout: millis(consumer["session.timeout.ms"]), rebalanceTimeout: millis(consumer["max.poll.interval.ms"]),
		transactionTimeout: millis(producer["transaction.timeout.ms"]),
		commitInterval:     s.CommitInterval, pollTimeout: s.PollTimeout, taskTimeout: s.TaskTimeout,
		bufferedRecords: s.BufferedRecords, bufferedBytes: number(consumer["max.partition.fetch.bytes"]), maxRecord: number(producer["max.request.size"]),
		caching: s.CacheBytes > 0, shutdownGrace: shutdownGrace, pollRecords: -1,
		clock: a.clock, wall: a.wall, log: a.log, changed: a.threadChanged, purge: a.notePurge,
		replan: a.replan, paused: a.IsPaused, remains: a.staysInGroup, stay: a.stay, settle: a.settle, queries: &a.queries,
	}
	if _, set := s.Client(streamsconfig.MainConsumer)["max.poll.records"]; set && a.isSet("max.poll.records") {
		c.pollRecords = consumer.MaxPollRecords()
	}
	c.reset = resetPolicy(plan, consumer["auto.offset.reset"], a.wall)
	c.newTask = a.newTask
	return c, nil
}

// isSet tells whether the user set a client property, with or without a prefix.
func (a *App) isSet(property string) bool {
	return slices.ContainsFunc(a.cfg.Streams.Entries(), func(e streamsconfig.Entry) bool {
		return e.Origin != "default" && (e.Key == property || e.Key == "consumer."+property || e.Key == "main.consumer."+property || e.Key == "producer."+property)
	})
}

func millis(v string) time.Duration {
	n, _ := strconv.ParseInt(v, 10, 64) // checked before
	return time.Duration(n) * time.Millisecond
}

func number(v string) int {
	n, _ := strconv.Atoi(v) // checked before
	return n
}

// finishThreadConfig adds what differs between threads: names, identities, clients.
func (a *App) finishThreadConfig(c *threadConfig, index int) error {
	c.index, c.name = index, a.clientID()+"-StreamThread-"+strconv.Itoa(index)
	c.instanceID = memberIdentity(c.applicationID, c.processID, index)
	if c.exactlyOnce {
		c.transactionalID = c.instanceID
	}
	c.metrics = newThreadMetrics(a.metrics, c.name)
	var err error
	if c.consumerOptions, err = a.consumerOptions(c.name); err != nil {
		return err
	}
	if c.producerOptions, err = a.producerOptions(c.name); err != nil {
		return err
	}
	c.restoreOptions, err = a.clientOptions(kafka.Admin, streamsconfig.Admin, c.name+"-restore-consumer")
	return err
}

// memberIdentity is the group.instance.id and transactional.id of a thread: the same after a restart.
func memberIdentity(application, process string, index int) string {
	return application + "-" + process + "-" + strconv.Itoa(index)
}

func (a *App) clientOptions(kind kafka.Kind, role streamsconfig.Role, id string) ([]kgo.Opt, error) {
	opts, err := a.connections.Options(kind, a.cfg.Streams.Client(role), a.cfg.Where)
	if err != nil {
		return nil, err
	}
	return append(append(opts, kgo.ClientID(id), kgo.WithHooks(a.reachability)), a.cfg.ClientOptions...), nil
}

func (a *App) consumerOptions(thread string) ([]kgo.Opt, error) {
	opts, err := a.clientOptions(kafka.Consumer, streamsconfig.MainConsumer, thread+"-consumer")
	if err != nil {
		return nil, err
	}
	group, err := kafka.GroupOptions(a.cfg.Streams.Client(streamsconfig.MainConsumer), a.cfg.Where)
	if err != nil {
		return nil, err
	}
	opts = append(opts, group...)
	if !a.isSet("fetch.max.bytes") {
		opts = append(opts, kgo.FetchMaxBytes(defaultFetchMaxBytes))
	}
	if !a.isSet("fetch.max.wait.ms") {
		opts = append(opts, kgo.FetchMaxWait(defaultFetchMaxWait))
	}
	return opts, nil
}

func (a *App) producerOptions(thread string) ([]kgo.Opt, error) {
	opts, err := a.clientOptions(kafka.Producer, streamsconfig.Producer, thread+"-producer")
	if err != nil {
		return nil, err
	}
	// kgo counts delivery.timeout.ms from a record's timestamp, which is event time here: old records would be given up
	// before they are sent. They are tried until the broker is back, or task.timeout.ms or a stop ends the wait.
	opts = append(opts, kgo.MaxBufferedRecords(producerBufferedRecords), kgo.RecordDeliveryTimeout(0))
	if !a.isSet("buffer.memory") {
		opts = append(opts, kgo.MaxBufferedBytes(defaultBufferMemory))
	}
	return opts, nil
}

// resetPolicy is where topics are read from without a committed offset: a source's own policy, else the application's;
// repartition topics from their start, always.
func resetPolicy(plan *topicPlan, application string, wall func() time.Time) func(string) (kgo.Offset, error) {
	return func(topic string) (kgo.Offset, error) {
		policy := application
		if n := plan.source(topic); n != nil && n.OffsetReset != "" {
			policy = n.OffsetReset
		}
		if plan.isRepartition(topic) {
			policy = "earliest"
		}
		if d, ok := strings.CutPrefix(policy, "by_duration:"); ok {
			back, err := kafka.ParseISODuration(d)
			if err != nil {
				return kgo.Offset{}, errs.ConfigInvalid.New("auto.offset.reset", err.Error(), "").WithCause(err)
			}
			return kgo.NewOffset().AfterMilli(wall().Add(-back).UnixMilli()), nil
		}
		switch policy {
		case "latest":
			return kgo.NewOffset().AtEnd(), nil
		case "none":
			return kgo.Offset{}, errs.KafkaRequest.New(topic, "the group has no committed offset for the topic, or one that the topic does not hold any more, and the reset policy is none",
				"set auto.offset.reset to earliest or latest, or set the offsets of the group (wasmstream reset)")
		}
		return kgo.NewOffset().AtStart(), nil
	}
}

// newTask adds the application's settings to what a thread knows of a task.
func (a *App) newTask(c TaskConfig) (*Task, *moduleSet, error) {
	s, set := a.cfg.Streams, a.modules.Load()
	c.ApplicationID, c.Modules, c.Settings = s.ApplicationID, set, a.settings
	c.KeySerde, c.ValueSerde = s.KeySerde, s.ValueSerde
	c.BufferedRecords, c.FrameRecords = s.BufferedRecords, a.cfg.FrameRecords
	var err error
	if c.TimestampExtractor, err = ParseTimestampExtractor(s.TimestampExtractor); err != nil {
		return nil, nil, err
	}
	if s.ContinueOnDeserialization {
		c.Deserialization = LogAndContinue
	}
	if s.ContinueOnProduction {
		c.Production = LogAndContinue
	}
	if s.ContinueOnProcessing && c.ID.Subtopology != topology.GlobalID { // processing.exception.handler.global.enabled is false
		c.Processing = LogAndContinue
	}
	if global := a.global.Load(); global != nil {
		c.GlobalStores = global.shared
	}
	c.Guests, c.DeadLetterTopic, c.Faults = a.cfg.Guests, s.DeadLetterTopic, a.faults.Page(c.ID)
	if idle, ok := s.Lookup("max.task.idle.ms"); ok && c.MaxTaskIdle == 0 {
		c.MaxTaskIdle = millis(idle)
	}
	t, err := NewTask(c)
	return t, set, err
}
