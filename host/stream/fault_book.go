package stream

import (
	"hash/maphash"
	"sync"

	"github.com/wasmstream/wasmstream/topology"
)

// FaultBook remembers what tasks have learned of records that cannot be processed, beyond the life of a Task: one that
// starts again from what is committed, because what its guests held in memory is gone, must not fail on the same record
// again. It is safe for concurrent use; a page belongs to the goroutine of its task.
type FaultBook struct {
	mu    sync.Mutex
	pages map[topology.TaskID]*FaultPage
}

// NewFaultBook returns an empty book.
func NewFaultBook() *FaultBook { return &FaultBook{pages: make(map[topology.TaskID]*FaultPage)} }

// Page is that of a task.
func (b *FaultBook) Page(id topology.TaskID) *FaultPage {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.pages[id] == nil {
		b.pages[id] = &FaultPage{}
	}
	return b.pages[id]
}

// FaultPage is what is known of the records since the last commit of one task. The zero value knows nothing.
type FaultPage struct {
	// records are the ones that a component of a node failed on when its failure could not be undone.
	records map[faultyRecord]*recordFault
	// widths are how many records a component may be given at once; those that are not here have no bound.
	widths map[functionName]int
	// flushes counts failures that belong to no record: of flushes and punctuators.
	flushes map[functionName]int
	// frame is how many source records the task takes at once, 0 is no bound. It doubles with each frame that goes well.
	frame int
	// alone is how many records more get a transaction of their own, because guests that hold records back lost some: so
	// the next fault finds them empty-handed.
	alone int
}

// functionName is a component as a node calls it.
type functionName struct{ node, component string }

// faultyRecord names an input record of a component. The sum of its bytes tells the records apart that come of the same
// source record.
type faultyRecord struct {
	functionName
	origin topology.TopicPartition
	offset int64
	sum    uint64
}

// recordFault is what happened at a record.
type recordFault struct {
	tries int
	err   *GuestError
}

var faultSeed = maphash.MakeSeed()

func (f *guestFunction) faultyRecord(r *topology.Record) faultyRecord {
	name := faultyRecord{functionName: f.name(), offset: r.Offset, sum: sumOf(r.Key, r.Value, r.Timestamp)}
	if r.Origin != nil {
		name.origin = *r.Origin
	}
	return name
}

// sumOf is a sum over the parts of a record, the same as long as the process lives.
func sumOf(key, value []byte, timestamp int64) uint64 {
	var h maphash.Hash
	h.SetSeed(faultSeed)
	maphash.WriteComparable(&h, [3]int64{int64(len(key)), int64(len(value)), timestamp})
	_, _ = h.Write(key) // a hash.Hash returns no error
	_, _ = h.Write(value)
	return h.Sum64()
}

// setApart notes that a component failed on a record, and returns how often it has by now.
func (p *FaultPage) setApart(name faultyRecord, err *GuestError) int {
	if p.records == nil {
		p.records = make(map[faultyRecord]*recordFault)
	}
	fault := p.records[name]
	if fault == nil {
		fault = &recordFault{}
		p.records[name] = fault
	}
	fault.tries++
	fault.err = err
	return fault.tries
}

// narrow bounds what a component is given at once, from its next life on too.
func (p *FaultPage) narrow(name functionName, width int) {
	if p.widths == nil {
		p.widths = make(map[functionName]int)
	}
	p.widths[name] = width
}

// failed counts a failure that belongs to no record.
func (p *FaultPage) failed(name functionName) int {
	if p.flushes == nil {
		p.flushes = make(map[functionName]int)
	}
	p.flushes[name]++
	return p.flushes[name]
}

// frameRecords is how many source records to take at once, at most limit.
func (p *FaultPage) frameRecords(limit int) int {
	switch {
	case p.alone > 0:
		return 1
	case p.frame == 0:
		return limit
	}
	return min(limit, p.frame)
}

// frameSucceeded lets frames grow again, and tells whether this one is to be committed at once.
func (p *FaultPage) frameSucceeded() (commit bool) {
	if p.alone > 0 {
		p.alone--
		return true
	}
	p.widen()
	return false
}

func (p *FaultPage) widen() {
	if p.frame == 0 {
		return
	}
	if p.frame *= 2; p.frame >= maxFrameRecords {
		p.frame = 0
	}
}

// committed forgets what was about records that are committed now.
func (p *FaultPage) committed() {
	clear(p.records)
	clear(p.flushes)
	clear(p.widths)
}
