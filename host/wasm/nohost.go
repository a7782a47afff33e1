package wasm

import "github.com/wasmstream/wasmstream/abi"

// noHost answers a module that is only asked for its manifest: nothing is there.
type noHost struct{}

func (noHost) Features() int64                        { return 0 }
func (noHost) Emit([]byte) int32                      { return int32(abi.Denied) }
func (noHost) SetError(int32, int32, []byte) int32    { return 0 }
func (noHost) LogEnabled(int32) bool                  { return false }
func (noHost) Log(int32, []byte)                      {}
func (noHost) LogRate() *LogRate                      { return nil }
func (noHost) Metric(int32, []byte) int32             { return int32(abi.Denied) }
func (noHost) MetricAdd(int32, int64) int32           { return int32(abi.Denied) }
func (noHost) Time(int32, int32) int64                { return 0 }
func (noHost) Random(int32, []byte) int32             { return 0 }
func (noHost) ConfigGet([]byte) ([]byte, bool)        { return nil, false }
func (noHost) Child([]byte) int32                     { return int32(abi.NotFound) }
func (noHost) Schedule(int64, int32, int64) int32     { return int32(abi.Denied) }
func (noHost) Cancel(int32) int32                     { return int32(abi.NotFound) }
func (noHost) RequestCommit() int32                   { return int32(abi.Denied) }
func (noHost) StateOpen([]byte) int32                 { return int32(abi.Denied) }
func (noHost) StateGet(int32, []byte) ([]byte, int32) { return nil, int32(abi.InvalidArg) }
func (noHost) StatePut(int32, []byte, []byte) int32   { return int32(abi.InvalidArg) }
func (noHost) StatePutIfAbsent(int32, []byte, []byte) ([]byte, int32) {
	return nil, int32(abi.InvalidArg)
}
func (noHost) IterOpen(int32, []byte, []byte, int32, int32) int32 { return int32(abi.InvalidArg) }
func (noHost) StateOpenAs([]byte, abi.StoreKind, int32) int32     { return int32(abi.Denied) }
func (noHost) StatePutVersion(int32, []byte, []byte, int64) int64 { return int64(abi.InvalidArg) }
func (noHost) IterOpenSpan(int32, []byte, []byte, int64, int64, int32, int32) int32 {
	return int32(abi.InvalidArg)
}

func (noHost) IterNext(int32) ([]byte, []byte, int32) { return nil, nil, int32(abi.InvalidArg) }
func (noHost) IterClose(int32) int32                  { return int32(abi.InvalidArg) }
