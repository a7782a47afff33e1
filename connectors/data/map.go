package data

// Entry is one entry of a Map.
type Entry struct{ Key, Value Value }

// indexFrom is the number of entries from which a Map keeps an index. Looking at 128 keys takes a tenth of the time in which
// an index of them is made, and a record's map is looked into a few times.
const indexFrom = 128

// Map holds entries in the order in which they came in, each key once.
// It may be filled until it is part of a record; from then on it is not to be changed.
type Map struct {
	entries []Entry
	index   map[string]int // of string keys, from indexFrom entries on
}

// NewMap makes an empty map with room for n entries.
func NewMap(n int) *Map { return &Map{entries: make([]Entry, 0, n)} }

// MapOf makes a map of entries with distinct keys, which it takes over.
func MapOf(entries []Entry) *Map { return &Map{entries: entries} }

// Len is the number of entries.
func (m *Map) Len() int {
	if m == nil {
		return 0
	}
	return len(m.entries)
}

// Entries are all entries in order. They are not to be changed.
func (m *Map) Entries() []Entry {
	if m == nil {
		return nil
	}
	return m.entries
}

// Lookup is the value of a string key and whether there is one.
func (m *Map) Lookup(key string) (Value, bool) {
	if i := m.find(key); i >= 0 {
		return m.entries[i].Value, true
	}
	return Null, false
}

// Get is the value of a string key, or null.
func (m *Map) Get(key string) Value {
	v, _ := m.Lookup(key)
	return v
}

// GetKey is the value of any key and whether there is one.
func (m *Map) GetKey(key Value) (Value, bool) {
	if i := m.findKey(key); i >= 0 {
		return m.entries[i].Value, true
	}
	return Null, false
}

// Put sets the value of a string key. A key that is there already keeps its place.
func (m *Map) Put(key string, v Value) {
	if i := m.find(key); i >= 0 {
		m.entries[i].Value = v
		return
	}
	m.append(Entry{Key: StringValue(key), Value: v})
	m.grown()
}

// PutKey sets the value of any key.
func (m *Map) PutKey(key, v Value) {
	if i := m.findKey(key); i >= 0 {
		m.entries[i].Value = v
		return
	}
	m.append(Entry{Key: key, Value: v})
	m.grown()
}

// grown has a map that is filled key by key looked into by an index before that gets slow.
func (m *Map) grown() {
	if len(m.entries) == indexFrom {
		m.Index()
	}
}

func (m *Map) append(e Entry) {
	m.entries = append(m.entries, e)
	if m.index != nil && e.Key.t == TypeString {
		m.index[e.Key.Str()] = len(m.entries) - 1
	}
}

// Remove takes a string key out.
func (m *Map) Remove(key string) {
	i := m.find(key)
	if i < 0 {
		return
	}
	m.entries = append(m.entries[:i], m.entries[i+1:]...)
	m.index = nil
}

// Rename gives an entry another string key, in its place. False is that there is no such entry, or one of the new key.
func (m *Map) Rename(from, to string) bool {
	i := m.find(from)
	if i < 0 || m.find(to) >= 0 {
		return false
	}
	m.entries[i].Key = StringValue(to)
	m.index = nil
	return true
}

// Add is PutKey for a key that is known not to be there.
func (m *Map) Add(key, v Value) { m.append(Entry{Key: key, Value: v}) }

// Copy is a map of the same entries, with room for extra ones, that may be changed.
func (m *Map) Copy(extra int) *Map {
	out := &Map{entries: make([]Entry, len(m.entries), len(m.entries)+extra)}
	copy(out.entries, m.entries)
	return out
}

// Equal compares without regard to order.
func (m *Map) Equal(o *Map) bool {
	if m == o {
		return true
	}
	if m == nil || o == nil || len(m.entries) != len(o.entries) {
		return false
	}
	for _, e := range m.entries {
		if v, ok := o.GetKey(e.Key); !ok || !v.Equal(e.Value) {
			return false
		}
	}
	return true
}

// Of makes a map of string keys, key and value in turn: Of("filename", StringValue("/a")).
func Of(pairs ...any) *Map {
	m := NewMap(len(pairs) / 2)
	for i := 0; i+1 < len(pairs); i += 2 {
		m.Put(pairs[i].(string), pairs[i+1].(Value))
	}
	return m
}

func (m *Map) findKey(key Value) int {
	if key.t == TypeString {
		return m.find(key.Str())
	}
	if m == nil {
		return -1
	}
	for i := range m.entries {
		if m.entries[i].Key.Equal(key) {
			return i
		}
	}
	return -1
}

// find never builds the index on a read: maps in records are read by several goroutines.
func (m *Map) find(key string) int {
	if m == nil {
		return -1
	}
	if m.index != nil {
		if i, ok := m.index[key]; ok {
			return i
		}
		return -1
	}
	for i := range m.entries {
		if e := &m.entries[i]; e.Key.t == TypeString && e.Key.Str() == key {
			return i
		}
	}
	return -1
}

// Index prepares a map that was filled by MapOf or Put for many look-ups. It is for the one who fills the map.
func (m *Map) Index() {
	if len(m.entries) < indexFrom || m.index != nil {
		return
	}
	m.index = make(map[string]int, len(m.entries))
	for i := range m.entries {
		if m.entries[i].Key.t == TypeString {
			m.index[m.entries[i].Key.Str()] = i
		}
	}
}
