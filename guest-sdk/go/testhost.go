//go:build !wasm

package wasmstream

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
)

// TestHost is an in-memory host for tests of components by plain `go test`. It runs the components that the guest
// registers, through the same frames as the real host. The host made last is the one that components reach, so tests
// that use it do not run in parallel.
type TestHost struct {
	// LogLevel is the lowest level that is kept in Logs; all lines are kept by default.
	LogLevel Level
	// Logs are the lines that components wrote.
	Logs []TestLog
	// Commits counts requests for a commit.
	Commits int
	// Topic is what Context.Topic gives.
	Topic string
	// Respond answers HTTP; without it every place is denied.
	Respond func(r *Request) (*Response, error)
	// Offsets are what Context.Offset finds, by the bytes of the partition's datum.
	Offsets map[string][]byte

	response []byte

	stores      []*TestStore
	timers      []*testTimer
	iterators   map[int32]*testIterator
	nextIter    int32
	metricNames []string
	metricSums  []int64

	node       *TestNode // the one that runs
	emitted    [][]byte
	discard    bool
	failure    string
	wallTime   int64
	streamTime int64
	seed       uint64
	epoch      int64
}

// TestLog is a line of a TestHost's log.
type TestLog struct {
	Level   Level
	Message string
}

// NewTestHost makes a host and lets it take the place of the one before, whose nodes end.
func NewTestHost() *TestHost {
	handles = nil
	testHost = &TestHost{iterators: make(map[int32]*testIterator), streamTime: -1, seed: 1}
	return testHost
}

// Manifest is what the module says of itself, as JSON.
func (h *TestHost) Manifest() string { return string(manifest()) }

// Store returns the store called name, made empty at the first call.
func (h *TestHost) Store(name string) *TestStore {
	i := slices.IndexFunc(h.stores, func(s *TestStore) bool { return s.name == name })
	if i >= 0 {
		return h.stores[i]
	}
	s := &TestStore{name: name, entries: make(map[string][]byte)}
	s.keep()
	h.stores = append(h.stores, s)
	return s
}

// Metric is the sum of what was added to the metric called name.
func (h *TestHost) Metric(name string) int64 {
	if i := slices.Index(h.metricNames, name); i >= 0 {
		return h.metricSums[i]
	}
	return 0
}

// TestHeader is a record header.
type TestHeader struct {
	Key   string
	Value []byte
}

// TestRecord is an input or output record.
type TestRecord struct {
	Key, Value []byte
	Headers    []TestHeader
	Timestamp  int64
	Offset     int64
	// Partition is that of the source; of a partitioner's answer the one that it chose.
	Partition int32
	// Second and Third are the arguments of an Aggregator (the aggregate), Reducer (the new value), Merger (the later
	// aggregate) and Joiner (the right value and the mapped key).
	Second, Third []byte
}

// TestOutput is an answer of a component; its bytes are copies.
type TestOutput struct {
	// Record is the answer with the parts that were kept by reference filled in. Offset is -1, and so is
	// Partition but for partitioners.
	Record TestRecord
	// Index is the number of the input record that the answer came from, -1 for none.
	Index int
	// Child is the number of the child that it goes to, counted from 1; 0 is every child.
	Child int
	// Err is set for a record that failed, with the class that its error has; Record is empty then.
	Err *RecordError
}

// TestConfig says how a node is opened.
type TestConfig struct {
	Node     string            // the component's name by default
	Children []string          // one child by default
	Config   map[string]string // what Context.Config gives
	// Partitions is how many a partitioner is told of; 0 is 1.
	Partitions int
}

// TestNode is an open component.
type TestNode struct {
	host      *TestHost
	component *component
	config    TestConfig
	handle    int32
	records   []TestRecord // of the frame that runs
}

// Open opens a component. An error of its Init is returned.
func (h *TestHost) Open(name string, configs ...TestConfig) (*TestNode, error) {
	config := TestConfig{Node: name, Children: []string{"child"}}
	if len(configs) > 0 {
		config = configs[0]
	}
	n := &TestNode{host: h, component: findComponent(name), config: config}
	frame := n.openFrame(name)
	h.node = n
	n.handle = openComponent(frame)
	if n.handle < 0 {
		return nil, h.refusal(n.handle)
	}
	return n, nil
}

// openFrame encodes what the real host tells a component.
func (n *TestNode) openFrame(name string) []byte {
	var pairs []byte
	count := 0
	add := func(key, value string) {
		pairs = appendPair(pairs, []byte(key), append([]byte{}, value...))
		count++
	}
	add("component", name)
	add("application.id", "test")
	add("task.id", "0_0")
	add("node", n.config.Node)
	add("mode", "normal")
	add("epoch", "0")
	add("features", "5")
	for _, c := range n.config.Children {
		add("child", c)
	}
	for k, v := range n.config.Config {
		add("config."+k, v)
	}
	frame := aligned(pairHdrSize + len(pairs))
	store32(ptr(frame), 0, openMagic)
	store32(ptr(frame), 4, uint32(count))
	copy(frame[pairHdrSize:], pairs)
	return frame
}

// refusal is the error of a call that failed as a whole.
func (h *TestHost) refusal(code int32) error {
	if h.failure == "" {
		return Errno(code)
	}
	return errors.New(h.failure)
}

// Process runs one frame of records and returns the answers in order. Stream time rises to the largest timestamp.
// A component that writes into its input is reported as an error.
func (n *TestNode) Process(records ...TestRecord) ([]TestOutput, error) {
	frame := n.encode(records)
	before := bytes.Clone(frame)
	h := n.host
	h.node, h.emitted, n.records = n, nil, records
	for _, r := range records {
		h.streamTime = max(h.streamTime, r.Timestamp)
	}
	answer, code := processFrame(n.handle, frame)
	if code < 0 {
		return nil, h.refusal(code)
	}
	if !bytes.Equal(before, frame) {
		return nil, fmt.Errorf("component %s writes into its input, which is read-only", n.component.name)
	}
	return n.outputs(answer), nil
}

// Prepare encodes records once and returns a function that runs them and throws the answers away. The function itself
// allocates nothing: use it for benchmarks and for testing.AllocsPerRun.
func (n *TestNode) Prepare(records ...TestRecord) (run func()) {
	frame := n.encode(records)
	return func() {
		n.host.node, n.host.discard = n, true
		if _, code := processFrame(n.handle, frame); code < 0 {
			panic(n.host.refusal(code))
		}
		n.host.discard = false
	}
}

// AdvanceTime moves a time forward to now and runs the node's schedules that are due, each once.
func (n *TestNode) AdvanceTime(typ PunctuationType, now int64) ([]TestOutput, error) {
	h := n.host
	h.node, h.emitted, n.records = n, nil, nil
	if typ == StreamTime {
		h.streamTime = max(h.streamTime, now)
	} else {
		h.wallTime = max(h.wallTime, now)
	}
	var all []TestOutput
	for id, t := range slices.Clone(h.timers) {
		if t == nil || t.node != n || t.typ != typ || now < t.next {
			continue
		}
		t.next += (now - t.next + t.interval) / t.interval * t.interval
		answer, code := punctuate(n.handle, int32(id), now)
		if code < 0 {
			return all, h.refusal(code)
		}
		all = append(all, n.outputs(answer)...)
		h.emitted = nil
	}
	return all, nil
}

// Flush tells the component that the epoch ends, as before a commit.
func (n *TestNode) Flush() ([]TestOutput, error) {
	h := n.host
	h.epoch++
	h.node, h.emitted, n.records = n, nil, nil
	answer, code := flush(n.handle, h.epoch)
	if code < 0 {
		return nil, h.refusal(code)
	}
	return n.outputs(answer), nil
}

// Close closes the component.
func (n *TestNode) Close() error {
	n.host.node = n
	if code := closeComponent(n.handle); code < 0 {
		return n.host.refusal(code)
	}
	return nil
}

// encode makes a frame of the parts that the component wants.
func (n *TestNode) encode(records []TestRecord) []byte {
	var body []byte
	streamTime := n.host.streamTime
	for i, r := range records {
		body = n.appendRecord(body, i, r)
		if n.component.kind != KindTimestampExtractor {
			streamTime = max(streamTime, r.Timestamp)
		}
	}
	aux := len(body)
	if n.host.Topic != "" {
		body = appendPair(body, []byte("topic"), []byte(n.host.Topic))
	}
	frame := aligned(frameHdrSize + len(body))
	copy(frame[frameHdrSize:], body)
	p := ptr(frame)
	store32(p, 0, frameMagic)
	flags, recHdr := uint32(0), uint32(recHdrSize)
	if n.component.kind.hasArguments() {
		flags, recHdr = frameHasArgs, callHdrSize
	}
	store32(p, 4, frameHdrSize|recHdr<<16)
	store32(p, frameLenAt, uint32(len(frame)))
	store32(p, frameCountAt, uint32(len(records)))
	store32(p, frameFlagsAt, flags)
	if aux < len(body) {
		store32(p, frameFlagsAt, flags|frameHasAux)
		store32(p, frameAuxOffAt, uint32(frameHdrSize+aux))
		store32(p, frameAuxLenAt, uint32(len(body)-aux))
	}
	store64(p, frameTimeAt, uint64(streamTime))
	return frame
}

func (n *TestNode) appendRecord(body []byte, index int, r TestRecord) []byte {
	wants := n.component.wants
	if wants&Key == 0 {
		r.Key = nil
	}
	if wants&Value == 0 {
		r.Value = nil
	}
	var headers HeaderBuilder
	if wants&RecordHeaders != 0 {
		for _, h := range r.Headers {
			headers.Add(h.Key, h.Value)
		}
	}
	recHdr, args := recHdrSize, 0
	if n.component.kind.hasArguments() {
		recHdr, args = callHdrSize, pad8(len(r.Second))+pad8(len(r.Third))
	}
	size := recHdr + pad8(len(r.Key)) + pad8(len(r.Value)) + len(headers.h.block) + args
	rec := aligned(size)
	p := ptr(rec)
	hl := uint32(len(headers.h.block))
	head(p, size, lenOf(r.Key), lenOf(r.Value), hl, r.Timestamp, uint32(index), uint32(headers.h.count), uint32(n.dest()))
	store64(p, recOffsetAt, uint64(r.Offset))
	store32(p, recPartitionAt, uint32(r.Partition))
	parts := [][]byte{r.Key, r.Value, headers.h.block}
	if recHdr == callHdrSize {
		store32(p, recSecondLenAt, lenOf(r.Second))
		store32(p, recThirdLenAt, lenOf(r.Third))
		parts = append(parts, r.Second, r.Third)
	}
	at := recHdr
	for _, part := range parts {
		at = pad8(at + copy(rec[at:], part))
	}
	return append(body, rec...)
}

// dest is what the host writes there: the number of partitions for a partitioner.
func (n *TestNode) dest() int {
	if n.component.kind != KindPartitioner {
		return 0
	}
	return max(n.config.Partitions, 1)
}

// outputs decodes all frames of a call in order.
func (n *TestNode) outputs(answer []byte) []TestOutput {
	var all []TestOutput
	for _, frame := range append(n.host.emitted, answer) {
		var r frameReader
		if len(frame) == 0 || !r.open(frame) {
			continue
		}
		for r.left > 0 {
			p := r.next
			var rec Record
			r.read(&rec)
			all = append(all, n.output(rec, load32(p, recIndexAt), load32(p, recDestAt), uint8(load16(p, recKindAt)), uint8(load16(p, recKindAt)>>8)))
		}
	}
	return all
}

func (n *TestNode) output(rec Record, index, dest uint32, kind, flags uint8) TestOutput {
	o := TestOutput{Index: int(int32(index)), Child: int(dest)}
	if kind == kindError {
		o.Child = 0
		o.Err = &RecordError{Class(dest), errors.New(string(rec.Value))}
		return o
	}
	o.Record = TestRecord{
		Key: bytes.Clone(rec.Key), Value: bytes.Clone(rec.Value), Timestamp: rec.Timestamp, Offset: -1, Partition: rec.partition,
	}
	rec.Headers.All(func(k, v []byte) bool {
		o.Record.Headers = append(o.Record.Headers, TestHeader{string(k), bytes.Clone(v)})
		return true
	})
	if flags&keepKey != 0 {
		o.Record.Key = n.records[index].Key
	}
	if flags&keepValue != 0 {
		o.Record.Value = n.records[index].Value
	}
	if flags&keepHeaders != 0 {
		o.Record.Headers = n.records[index].Headers
	}
	if flags&keepTimestamp != 0 {
		o.Record.Timestamp = n.records[index].Timestamp
	}
	return o
}

func (h *TestHost) emit(frame []byte) int32 {
	if !h.discard {
		kept := aligned(len(frame))
		copy(kept, frame)
		h.emitted = append(h.emitted, kept)
	}
	return 0
}

func (h *TestHost) metric(_ int32, name string) int32 {
	i := slices.Index(h.metricNames, name)
	if i < 0 {
		i = len(h.metricNames)
		h.metricNames = append(h.metricNames, name)
		h.metricSums = append(h.metricSums, 0)
	}
	return int32(i)
}

func (h *TestHost) metricAdd(handle int32, delta int64) int32 {
	if int(handle) >= len(h.metricSums) || handle < 0 {
		return int32(ErrInvalidArg)
	}
	h.metricSums[handle] += delta
	return 0
}

// random is splitmix64 from a fixed seed: the same in every run.
func (h *TestHost) random(p []byte) int32 {
	for i := range p {
		h.seed += 0x9E3779B97F4A7C15
		z := h.seed
		z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
		z = (z ^ z>>27) * 0x94D049BB133111EB
		p[i] = byte(z >> 56)
	}
	return 0
}

// testTimer is a schedule of a node.
type testTimer struct {
	node           *TestNode
	typ            PunctuationType
	interval, next int64
}

func (h *TestHost) schedule(interval int64, typ int32, start int64) int32 {
	if interval <= 0 {
		return int32(ErrInvalidArg)
	}
	next := start
	if start < 0 {
		// Kafka's grid: stream time from 0 on, wall-clock time one interval from now.
		next = 0
		if PunctuationType(typ) == WallClockTime {
			next = h.wallTime + interval
		}
	}
	h.timers = append(h.timers, &testTimer{h.node, PunctuationType(typ), interval, next})
	return int32(len(h.timers) - 1)
}

func (h *TestHost) cancel(timer int32) int32 {
	if timer < 0 || int(timer) >= len(h.timers) || h.timers[timer] == nil {
		return int32(ErrInvalidArg)
	}
	h.timers[timer] = nil
	return 0
}

func (h *TestHost) stateOpen(name string) int32 {
	if h.node == nil || h.node.component == nil || !slices.Contains(h.node.component.stores, name) {
		return int32(ErrDenied)
	}
	h.Store(name)
	return int32(slices.IndexFunc(h.stores, func(s *TestStore) bool { return s.name == name }))
}

func (h *TestHost) stateOpenAs(name string, kind int32) int32 {
	id := h.stateOpen(name)
	if id >= 0 {
		h.stores[id].openAs(kind)
	}
	return id
}

func (h *TestHost) iterOpenSpan(store int32, keyFrom, keyTo []byte, from, to int64, flags, limit int32) int32 {
	h.nextIter++
	h.iterators[h.nextIter] = h.state(store).span(keyFrom, keyTo, from, to, flags, limit)
	return h.nextIter
}

func (h *TestHost) state(id int32) *TestStore { return h.stores[id] }

func (h *TestHost) iterOpen(store int32, from, to []byte, flags, limit int32) int32 {
	h.nextIter++
	h.iterators[h.nextIter] = h.state(store).iterate(from, to, flags, limit)
	return h.nextIter
}

func (h *TestHost) iterNext(id int32, buf []byte) int32 {
	it, ok := h.iterators[id]
	if !ok {
		return int32(ErrClosed)
	}
	return it.next(buf)
}

func (h *TestHost) iterClose(id int32) int32 {
	if _, ok := h.iterators[id]; !ok {
		return int32(ErrClosed)
	}
	delete(h.iterators, id)
	return 0
}
