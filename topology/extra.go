package topology

// Extra is what only some records carry beside key and value: changes of tables on their way between the nodes of a
// table, and the further arguments of user functions that take several. It is as immutable as the bytes of a record;
// take one from Arena.Extra.
type Extra struct {
	// Old is the value before a change of a table, whose Value is the new one. HasOld tells whether the node before
	// sends old values at all: without it Old is nil whatever there was.
	Old    []byte
	HasOld bool
	// NotLatest marks the change of a versioned table that lies before the latest version of its key.
	NotLatest bool
	// Second is the second value that a function is asked about: the right one of a joiner, the aggregate of an
	// aggregator, adder or subtractor, the new value of a reducer, the second aggregate of a merger.
	Second []byte
	// MappedKey is the key by which a joiner's right value was found in a global table.
	MappedKey []byte
	// Partition is one more than the partition that a sink writes the record to; 0 leaves it to the key.
	Partition int32
}

// Old is the value before a change of a table, nil if there was none or the node before does not send it.
func (r *Record) Old() []byte {
	if r.Extra == nil {
		return nil
	}
	return r.Extra.Old
}

// IsLatest is false of changes of versioned tables that lie before the latest version of their key.
func (r *Record) IsLatest() bool { return r.Extra == nil || !r.Extra.NotLatest }

// extraChunk is how many Extras are made at once.
const extraChunk = 256

// Extra returns a zero Extra for the caller to fill before it hands it on.
func (a *Arena) Extra() *Extra {
	if len(a.extras) == 0 {
		a.extras = make([]Extra, extraChunk)
	}
	x := &a.extras[0]
	a.extras = a.extras[1:]
	return x
}
