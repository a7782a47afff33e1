package wasm

import "github.com/wasmstream/wasmstream/abi"

// Bounds of what crosses to a store. Keys may be as large as values: a word of a line can be as long as the line.
const (
	maxKeyBytes   = 1 << 20
	maxValueBytes = 1 << 20
	// nullLen is the length that says "none": of a value to delete, of an open end.
	nullLen = 0xFFFFFFFF
)

var stateFunctions = map[string]hostFunc{
	abi.FnStateOpen:        (*Instance).stateOpen,
	abi.FnStateGet:         (*Instance).stateGet,
	abi.FnStatePut:         (*Instance).statePut,
	abi.FnStatePutIfAbsent: (*Instance).statePutIfAbsent,
	abi.FnStateDelete:      (*Instance).stateDelete,
	abi.FnStateGetMany:     (*Instance).stateGetMany,
	abi.FnStateWriteMany:   (*Instance).stateWriteMany,
	abi.FnIterOpen:         (*Instance).iterOpen,
	abi.FnIterNextMany:     (*Instance).iterNextMany,
	abi.FnIterClose:        (*Instance).iterClose,
	abi.FnStateOpenAs:      (*Instance).stateOpenAs,
	abi.FnStatePutVersion:  (*Instance).statePutVersion,
	abi.FnIterOpenSpan:     (*Instance).iterOpenSpan,
}

// iterator is one that the guest has open.
type iterator struct {
	id   int32
	open bool
	// held: key and value were taken from the host and did not fit; they come next. They are copies.
	held       bool
	key, value []byte
}

func (in *Instance) stateOpen(s []uint64) {
	name, ok := in.bytes(s[0], s[1])
	if !ok {
		s[0] = errno(abi.InvalidArg)
		return
	}
	s[0] = i32(in.host.StateOpen(name))
}

// key reads a key, or says why not.
func (in *Instance) key(ptr, n uint64) ([]byte, abi.Errno) {
	if uint32(n) != nullLen && uint32(n) > maxKeyBytes {
		return nil, abi.Limit
	}
	key, ok := in.bytes(ptr, n)
	if !ok {
		return nil, abi.InvalidArg
	}
	in.budget.charge(fuelStore)
	return key, 0
}

// value reads a value; nil is none.
func (in *Instance) value(ptr, n uint64) ([]byte, abi.Errno) {
	if uint32(n) == nullLen {
		return nil, 0
	}
	if uint32(n) > maxValueBytes {
		return nil, abi.Limit
	}
	value, ok := in.bytes(ptr, n)
	if !ok {
		return nil, abi.InvalidArg
	}
	if value == nil {
		value = []byte{}
	}
	return value, 0
}

func (in *Instance) stateGet(s []uint64) {
	key, e := in.key(s[1], s[2])
	if e == 0 && !in.fits(s[3], s[4]) {
		e = abi.InvalidArg
	}
	if e != 0 {
		s[0] = errno(e)
		return
	}
	value, code := in.host.StateGet(int32(s[0]), key)
	if code < 0 {
		s[0] = i32(code)
		return
	}
	in.crossed(len(value))
	s[0] = in.answer(value, s[3], s[4])
}

func (in *Instance) statePut(s []uint64) {
	key, e := in.key(s[1], s[2])
	if e != 0 {
		s[0] = errno(e)
		return
	}
	value, e := in.value(s[3], s[4])
	if e != 0 {
		s[0] = errno(e)
		return
	}
	in.wrote()
	s[0] = i32(in.host.StatePut(int32(s[0]), key, value))
}

// wrote charges for a write that is put in the order of those before it.
func (in *Instance) wrote() {
	in.writes++
	if in.ordered {
		in.budget.charge(in.writes >> fuelOrderShift)
	}
}

func (in *Instance) statePutIfAbsent(s []uint64) {
	key, e := in.key(s[1], s[2])
	if e != 0 {
		s[0] = errno(e)
		return
	}
	value, e := in.value(s[3], s[4])
	if e == 0 && (value == nil || !in.fits(s[5], s[6])) {
		e = abi.InvalidArg
	}
	if e != 0 {
		s[0] = errno(e)
		return
	}
	in.wrote()
	old, code := in.host.StatePutIfAbsent(int32(s[0]), key, value)
	if code < 0 {
		s[0] = i32(code)
		return
	}
	in.crossed(len(old))
	s[0] = in.answer(old, s[5], s[6])
}

// stateDelete gives the old value; when that does not fit, nothing is deleted.
func (in *Instance) stateDelete(s []uint64) {
	key, e := in.key(s[1], s[2])
	if e == 0 && !in.fits(s[3], s[4]) {
		e = abi.InvalidArg
	}
	if e != 0 {
		s[0] = errno(e)
		return
	}
	store := int32(s[0])
	old, code := in.host.StateGet(store, key)
	if code < 0 {
		s[0] = i32(code)
		return
	}
	in.crossed(len(old))
	n := in.answer(old, s[3], s[4])
	if n <= uint64(uint32(s[4])) {
		in.wrote()
		if code := in.host.StatePut(store, key, nil); code < 0 {
			n = i32(code)
		}
	}
	s[0] = n
}

// pairs reads a block of pairs, each key checked before anything is done.
func (in *Instance) pairs(ptr, n uint64) (abi.PairReader, abi.Errno) {
	block, ok := in.bytes(ptr, n)
	if !ok {
		return abi.PairReader{}, abi.InvalidArg
	}
	check := abi.ReadPairs(block)
	for key, value, ok := check.Next(); ok; key, value, ok = check.Next() {
		if key == nil || len(key) > maxKeyBytes || len(value) > maxValueBytes {
			return abi.PairReader{}, abi.Limit
		}
		in.budget.charge(fuelStore)
	}
	if check.Err() != nil {
		return abi.PairReader{}, abi.InvalidArg
	}
	return abi.ReadPairs(block), 0
}

func (in *Instance) stateGetMany(s []uint64) {
	keys, e := in.pairs(s[1], s[2])
	if e == 0 && !in.fits(s[3], s[4]) {
		e = abi.InvalidArg
	}
	if e != 0 {
		s[0] = errno(e)
		return
	}
	out := in.scratch[:0]
	for key, _, ok := keys.Next(); ok; key, _, ok = keys.Next() {
		value, code := in.host.StateGet(int32(s[0]), key)
		in.crossed(len(value))
		switch {
		case code == int32(abi.NotFound):
			out = abi.AppendNullPair(out, "")
		case code < 0:
			s[0] = i32(code)
			return
		default:
			out = abi.AppendPair(out, "", value)
		}
		if len(out) > abi.MaxFrameBytes {
			s[0] = errno(abi.Limit)
			return
		}
	}
	in.keep(out)
	s[0] = in.answer(out, s[3], s[4])
}

func (in *Instance) stateWriteMany(s []uint64) {
	pairs, e := in.pairs(s[1], s[2])
	if e != 0 {
		s[0] = errno(e)
		return
	}
	for key, value, ok := pairs.Next(); ok; key, value, ok = pairs.Next() {
		in.wrote()
		if code := in.host.StatePut(int32(s[0]), key, value); code < 0 {
			s[0] = i32(code)
			return
		}
	}
	s[0] = 0
}

// bound reads an end of a range; nil is open.
func (in *Instance) bound(ptr, n uint64) ([]byte, abi.Errno) {
	if uint32(n) == nullLen {
		return nil, 0
	}
	key, e := in.key(ptr, n)
	if e == 0 && key == nil {
		key = []byte{}
	}
	return key, e
}

func (in *Instance) iterOpen(s []uint64) {
	from, to, it, e := in.newIterator(s, 5)
	if e != 0 {
		s[0] = errno(e)
		return
	}
	s[0] = it.opened(in.host.IterOpen(int32(s[0]), from, to, int32(s[5]), int32(s[6])))
}

// newIterator reads the operands of an import that opens an iterator, ends of a range from s[1] on, flags and limit from s[flags] on, and
// finds a place for it.
func (in *Instance) newIterator(s []uint64, flags int) (from, to []byte, it *iterator, e abi.Errno) {
	if from, e = in.bound(s[1], s[2]); e != 0 {
		return nil, nil, nil, e
	}
	if to, e = in.bound(s[3], s[4]); e != 0 {
		return nil, nil, nil, e
	}
	if int32(s[flags])&^abi.IterReverse != 0 || int32(s[flags+1]) < 0 {
		return nil, nil, nil, abi.InvalidArg
	}
	if it = in.freeIterator(); it == nil {
		return nil, nil, nil, abi.Limit
	}
	return from, to, it, 0
}

// freeIterator is a place for one more iterator, nil if too many are open. It charges for opening one.
func (in *Instance) freeIterator() *iterator {
	in.ordered = true
	in.budget.charge(fuelIterator + in.writes<<fuelPerWriteShift)
	for i := range in.iters {
		if !in.iters[i].open {
			return &in.iters[i]
		}
	}
	return nil
}

// opened notes the host's answer to an iterator that was to be opened, and makes it the guest's.
func (it *iterator) opened(id int32) uint64 {
	if id >= 0 {
		it.id, it.open, it.held = id, true, false
	}
	return i32(id)
}

func (in *Instance) iterator(id int32) *iterator {
	for i := range in.iters {
		if in.iters[i].open && in.iters[i].id == id {
			return &in.iters[i]
		}
	}
	return nil
}

// iterNextMany fills the guest's buffer with as many whole pairs as fit. The first that does not fit is kept for the
// next call.
func (in *Instance) iterNextMany(s []uint64) {
	it := in.iterator(int32(s[0]))
	if it == nil || !in.fits(s[1], s[2]) {
		s[0] = errno(abi.InvalidArg)
		return
	}
	room := uint64(uint32(s[2]))
	out := in.scratch[:0]
	for {
		key, value, code := in.nextPair(it)
		if code == int32(abi.NotFound) {
			break
		}
		if code < 0 {
			s[0] = i32(code)
			return
		}
		if size := abi.PairSize(len(key), len(value)); uint64(len(out)+size) > room {
			it.keep(key, value)
			if len(out) == 0 {
				s[0] = uint64(uint32(size))
				return
			}
			break
		}
		it.held = false
		out = abi.AppendPair(out, key, value)
	}
	in.keep(out)
	s[0] = in.answer(out, s[1], s[2])
}

func (in *Instance) nextPair(it *iterator) (key, value []byte, code int32) {
	if it.held {
		return it.key, it.value, 0
	}
	in.budget.charge(fuelPerPair)
	key, value, code = in.host.IterNext(it.id)
	in.crossed(len(key) + len(value))
	return key, value, code
}

func (it *iterator) keep(key, value []byte) {
	if !it.held {
		it.key = append(it.key[:0], key...)
		it.value = append(it.value[:0], value...)
		it.held = true
	}
}

func (in *Instance) iterClose(s []uint64) {
	it := in.iterator(int32(s[0]))
	if it == nil {
		s[0] = errno(abi.InvalidArg)
		return
	}
	it.open = false
	s[0] = i32(in.host.IterClose(it.id))
}
