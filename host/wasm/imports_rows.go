package wasm

import "github.com/wasmstream/wasmstream/abi"

// Imports of ws1.state for stores whose rows have times: windows, sessions and versions.

func (in *Instance) stateOpenAs(s []uint64) {
	name, ok := in.bytes(s[0], s[1])
	kind, flags := abi.StoreKind(s[2]), int32(s[3])
	if !ok || kind < abi.KeyValueStore || kind > abi.VersionedStore || flags&^abi.StoreTimestamps != 0 {
		s[0] = errno(abi.InvalidArg)
		return
	}
	s[0] = i32(in.host.StateOpenAs(name, kind, flags))
}

func (in *Instance) statePutVersion(s []uint64) {
	key, e := in.key(s[1], s[2])
	if e != 0 {
		s[0] = uint64(int64(e))
		return
	}
	value, e := in.value(s[3], s[4])
	if e != 0 {
		s[0] = uint64(int64(e))
		return
	}
	in.wrote()
	s[0] = uint64(in.host.StatePutVersion(int32(s[0]), key, value, int64(s[5])))
}

func (in *Instance) iterOpenSpan(s []uint64) {
	keyFrom, keyTo, it, e := in.newIterator(s, 7)
	if e != 0 {
		s[0] = errno(e)
		return
	}
	s[0] = it.opened(in.host.IterOpenSpan(int32(s[0]), keyFrom, keyTo, int64(s[5]), int64(s[6]), int32(s[7]), int32(s[8])))
}
