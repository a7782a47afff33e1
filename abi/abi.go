// Package abi is the contract between the host and a guest module, version 1: the layout of frames and records, the
// names and signatures of exports and imports, error numbers, the open frame and the manifest. SPEC.md says it in
// full; this package is its form in Go, with encoders that append and decoders that do not allocate.
//
// It knows bytes and names only: no wasm runtime, no Kafka, no topology. It imports the standard library alone and
// builds for every platform, wasm included.
package abi

// Version is the major version of the contract that this package describes.
const Version = 1

// Exports of a guest. Those of the first group are required (SPEC.md, EXP-1).
const (
	ExportMemory  = "memory"
	ExportMarker  = "ws_abi_v1"
	ExportReserve = "ws_reserve"
	ExportOpen    = "ws_open"
	ExportProcess = "ws_process"

	ExportInitialize = "_initialize"
	ExportDescribe   = "ws_describe"
	ExportPunctuate  = "ws_punctuate"
	ExportFlush      = "ws_flush"
	ExportClose      = "ws_close"

	ExportPoll = "ws_poll" // of sources
	ExportAck  = "ws_ack"  // of sources
)

// Modules of imports: one for each capability.
const (
	ImportCore  = "ws1.core"
	ImportState = "ws1.state"
	// ImportConnect is what sources ask of the runtime, ImportEgress the way to the network.
	ImportConnect = "ws1.connect"
	ImportEgress  = "ws1.egress"
)

// ManifestSection is the name of the custom section that holds the manifest.
const ManifestSection = "ws.manifest"

// Functions of ws1.core.
const (
	FnFeatures      = "features"
	FnEmit          = "emit"
	FnSetError      = "set_error"
	FnLogEnabled    = "log_enabled"
	FnLog           = "log"
	FnMetric        = "metric"
	FnMetricAdd     = "metric_add"
	FnTime          = "time"
	FnRandom        = "random"
	FnConfigGet     = "config_get"
	FnChild         = "child"
	FnSchedule      = "schedule"
	FnCancel        = "cancel"
	FnRequestCommit = "request_commit"
)

// Functions of ws1.state.
const (
	FnStateOpen        = "state_open"
	FnStateGet         = "state_get"
	FnStatePut         = "state_put"
	FnStatePutIfAbsent = "state_put_if_absent"
	FnStateDelete      = "state_delete"
	FnStateGetMany     = "state_get_many"
	FnStateWriteMany   = "state_write_many"
	FnIterOpen         = "iter_open"
	FnIterNextMany     = "iter_next_many"
	FnIterClose        = "iter_close"
	// Of stores whose rows have times.
	FnStateOpenAs     = "state_open_as"
	FnStatePutVersion = "state_put_version"
	FnIterOpenSpan    = "iter_open_span"
)

// Functions of ws1.connect and ws1.egress.
const (
	FnOffsetGet    = "offset_get"
	FnHTTP         = "http"
	FnHTTPResponse = "http_response"
)

// Function is the signature of one export or import. Params and Results hold one letter for each value: 'i' for i32,
// 'l' for i64.
type Function struct {
	Module          string // "" for exports
	Name            string
	Params, Results string
	Required        bool // of exports: every guest has it
}

var exports = [...]Function{
	{Name: ExportMarker, Results: "i", Required: true},
	{Name: ExportReserve, Params: "i", Results: "i", Required: true},
	{Name: ExportOpen, Params: "ii", Results: "i", Required: true},
	{Name: ExportProcess, Params: "iii", Results: "l", Required: true},
	{Name: ExportInitialize},
	{Name: ExportDescribe, Params: "ii", Results: "i"},
	{Name: ExportPunctuate, Params: "iil", Results: "l"},
	{Name: ExportFlush, Params: "il", Results: "l"},
	{Name: ExportClose, Params: "ii", Results: "i"},
	{Name: ExportPoll, Params: "ii", Results: "l"},
	{Name: ExportAck, Params: "iii", Results: "i"},
}

var imports = [...]Function{
	{Module: ImportCore, Name: FnFeatures, Results: "l"},
	{Module: ImportCore, Name: FnEmit, Params: "ii", Results: "i"},
	{Module: ImportCore, Name: FnSetError, Params: "iiii", Results: "i"},
	{Module: ImportCore, Name: FnLogEnabled, Params: "i", Results: "i"},
	{Module: ImportCore, Name: FnLog, Params: "iii", Results: "i"},
	{Module: ImportCore, Name: FnMetric, Params: "iii", Results: "i"},
	{Module: ImportCore, Name: FnMetricAdd, Params: "il", Results: "i"},
	{Module: ImportCore, Name: FnTime, Params: "ii", Results: "l"},
	{Module: ImportCore, Name: FnRandom, Params: "iii", Results: "i"},
	{Module: ImportCore, Name: FnConfigGet, Params: "iiii", Results: "i"},
	{Module: ImportCore, Name: FnChild, Params: "ii", Results: "i"},
	{Module: ImportCore, Name: FnSchedule, Params: "lil", Results: "i"},
	{Module: ImportCore, Name: FnCancel, Params: "i", Results: "i"},
	{Module: ImportCore, Name: FnRequestCommit, Results: "i"},
	{Module: ImportState, Name: FnStateOpen, Params: "ii", Results: "i"},
	{Module: ImportState, Name: FnStateGet, Params: "iiiii", Results: "i"},
	{Module: ImportState, Name: FnStatePut, Params: "iiiii", Results: "i"},
	{Module: ImportState, Name: FnStatePutIfAbsent, Params: "iiiiiii", Results: "i"},
	{Module: ImportState, Name: FnStateDelete, Params: "iiiii", Results: "i"},
	{Module: ImportState, Name: FnStateGetMany, Params: "iiiii", Results: "i"},
	{Module: ImportState, Name: FnStateWriteMany, Params: "iii", Results: "i"},
	{Module: ImportState, Name: FnIterOpen, Params: "iiiiiii", Results: "i"},
	{Module: ImportState, Name: FnIterNextMany, Params: "iii", Results: "i"},
	{Module: ImportState, Name: FnIterClose, Params: "i", Results: "i"},
	{Module: ImportState, Name: FnStateOpenAs, Params: "iiii", Results: "i"},
	{Module: ImportState, Name: FnStatePutVersion, Params: "iiiiil", Results: "l"},
	{Module: ImportState, Name: FnIterOpenSpan, Params: "iiiiillii", Results: "i"},
	{Module: ImportConnect, Name: FnOffsetGet, Params: "iiii", Results: "i"},
	{Module: ImportEgress, Name: FnHTTP, Params: "ii", Results: "i"},
	{Module: ImportEgress, Name: FnHTTPResponse, Params: "ii", Results: "i"},
}

// Exports returns the functions that a guest may export to the host; the caller owns the slice.
func Exports() []Function { return append([]Function(nil), exports[:]...) }

// Imports returns the functions that a host offers; the caller owns the slice.
func Imports() []Function { return append([]Function(nil), imports[:]...) }

// Errno is an error number as it crosses the boundary: always negative.
type Errno int32

// Error numbers.
const (
	Unknown     Errno = -1
	InvalidArg  Errno = -2
	BufTooSmall Errno = -3
	NotFound    Errno = -4
	Denied      Errno = -5
	Limit       Errno = -6
	Closed      Errno = -7
	Unsupported Errno = -8
	Retry       Errno = -9
	Corrupt     Errno = -10
	Fatal       Errno = -11
	Fenced      Errno = -12
	Busy        Errno = -13
)

var errnoNames = [...]string{
	"OK", "UNKNOWN", "INVALID_ARG", "BUF_TOO_SMALL", "NOT_FOUND", "DENIED", "LIMIT", "CLOSED", "UNSUPPORTED", "RETRY",
	"CORRUPT", "FATAL", "FENCED", "BUSY",
}

// Error is the number's name in SPEC.md, or "UNKNOWN" for a number that has none.
func (e Errno) Error() string {
	if e <= 0 && int(-e) < len(errnoNames) && e != 0 {
		return errnoNames[-e]
	}
	return "UNKNOWN"
}

// Class says what becomes of an input record that a guest could not process.
type Class uint32

// Classes of set_error and of error records.
const (
	ClassSkip       Class = 0
	ClassDeadLetter Class = 1
	ClassFail       Class = 2
	ClassRetry      Class = 3
)

var classNames = [...]string{"skip", "dead-letter", "fail", "retry"}

// String is the class's name in SPEC.md.
func (c Class) String() string {
	if int64(c) < int64(len(classNames)) {
		return classNames[c]
	}
	return "unknown"
}

// Levels of log and log_enabled.
const (
	LogDebug int32 = 0
	LogInfo  int32 = 1
	LogWarn  int32 = 2
	LogError int32 = 3
)

// Kinds of metrics.
const (
	MetricCounter int32 = 0 // only grows
	MetricGauge   int32 = 1 // metric_add moves it up or down
)

// Clocks of time.
const (
	TimeWall   int32 = 0
	TimeStream int32 = 1
)

// Types of schedule.
const (
	PunctuateStream int32 = 0
	PunctuateWall   int32 = 1
)

// StartNone is the start_ms of a schedule that begins one interval from now.
const StartNone int64 = -1

// StoreKind says how a store is used, in state_open_as.
type StoreKind int32

// Kinds of stores, with the keys of their rows; times are 8 bytes, big-endian.
const (
	KeyValueStore  StoreKind = 0 // key
	WindowStore    StoreKind = 1 // key|start
	SessionStore   StoreKind = 2 // key|end|start
	VersionedStore StoreKind = 3 // key|timestamp
)

// StoreTimestamps is the flag of state_open_as for values that begin with their timestamp, 8 bytes, big-endian.
const StoreTimestamps int32 = 1

// What a row of a store adds to the bytes of its key and its value.
const (
	// TimeSize is the size of a time in a key and before a value.
	TimeSize = 8
	// VersionHeadSize is what stands before the value of a version: since when and until when it holds.
	VersionHeadSize = 2 * TimeSize
)

// HoldsForever is where a version ends that is the latest of its key, and the asOf that asks for that one.
const HoldsForever int64 = 1<<63 - 1

// IterReverse is the flag of iter_open and iter_open_span for descending order.
const IterReverse int32 = 1

// Reasons of ws_close.
const (
	CloseStop    int32 = 0 // the application stops
	CloseUpgrade int32 = 1 // another version of the module takes over
	CloseMoved   int32 = 2 // the task goes to another member
	CloseFailed  int32 = 3 // the task failed
)

// Bits of features.
const (
	// FeatureState: the imports of ws1.state are granted.
	FeatureState int64 = 1 << 0
	// FeatureEgress: http may reach the hosts that the configuration allows.
	FeatureEgress int64 = 1 << 1
	// FeatureStoreKinds: stores of windows, sessions and versions can be opened, and timestamps of values seen.
	FeatureStoreKinds int64 = 1 << 2
)

// Bounds that hold for every frame, in both directions.
const (
	MaxFrameBytes   = 64 << 20
	MaxFrameRecords = 100_000
	// MaxManifestBytes bounds a manifest.
	MaxManifestBytes = 256 << 10
)
