package wasmstream

// Kinds and flags of state_open_as.
const (
	kindKeyValue  = 0
	kindWindow    = 1
	kindSession   = 2
	kindVersioned = 3

	storeTimestamps = 1
	iterReverse     = 1
)

// timeSize is the size of a time in a row's key and before a value.
const timeSize = 8

// forever is the last time there is.
const forever = 1<<63 - 1

// timeBefore is the time in the 8 bytes of b that end at end.
func timeBefore(b []byte, end int) int64 {
	n, _ := Long(b[end-timeSize : end])
	return n
}

// rows is what stores have whose rows have times. The store under it takes whole rows.
type rows struct {
	KeyValueStore
	row   []byte
	value []byte
	// stamped: values cross with their timestamps before them.
	stamped bool
}

// open opens the store of a context as one of kind.
func (c *Context) open(name string, kind, flags int32) (rows, error) {
	id := hostStateOpenAs(name, kind, flags)
	if id < 0 {
		return rows{}, &StoreError{Store: name, Errno: Errno(id)}
	}
	return rows{
		KeyValueStore: KeyValueStore{name: name, id: id, buf: make([]byte, 256)}, stamped: flags&storeTimestamps != 0,
	}, nil
}

// at is the key of a row with one time.
func (r *rows) at(key []byte, time int64) []byte {
	r.row = AppendLong(append(r.row[:0], key...), time)
	return r.row
}

// within is the key of a session.
func (r *rows) within(key []byte, start, end int64) []byte {
	r.row = AppendLong(AppendLong(append(r.row[:0], key...), end), start)
	return r.row
}

// withTime is a value as it crosses; nil stays nil.
func (r *rows) withTime(value []byte, timestamp int64) []byte {
	if value == nil || !r.stamped {
		return value
	}
	r.value = append(AppendLong(r.value[:0], timestamp), value...)
	return r.value
}

// split takes the timestamp off a value that crossed; -1 if it has none.
func (r *rows) split(value []byte) ([]byte, int64) {
	if !r.stamped || len(value) < timeSize {
		return value, -1
	}
	return value[timeSize:], timeBefore(value, timeSize)
}

func (r *rows) span(keyFrom, keyTo []byte, from, to int64, flags int32) (*Iterator, error) {
	return r.iterator(hostIterOpenSpan(r.id, keyFrom, keyTo, from, to, flags, 0))
}

// some is key, not nil: nil would be an open end.
func some(key []byte) []byte {
	if key == nil {
		return []byte{}
	}
	return key
}
