package wasm

import (
	"context"
	"encoding/binary"

	"github.com/wasmstream/wasmstream/abi"
)

// wasiModule is the import module of WASI preview 1. All of its functions exist, since toolchains import more than
// programs use; none reaches anything outside of the instance.
const wasiModule = "wasi_snapshot_preview1"

// Error numbers of WASI.
const (
	wasiSuccess  = 0
	wasiBadF     = 8
	wasiFault    = 21
	wasiInval    = 28
	wasiNotSup   = 58
	wasiSPipe    = 70
	wasiNoStream = wasiBadF
)

// wasiFunc is a function of preview 1: parameters in the letters of package abi.
type wasiFunc struct {
	name, params string
	call         hostFunc
}

// results: all answer an error number, but proc_exit, which does not return.
func (f *wasiFunc) results() string {
	if f.name == "proc_exit" {
		return ""
	}
	return "i"
}

// answering is a function that only ever answers e.
func answering(e uint64) hostFunc { return func(_ *Instance, s []uint64) { s[0] = e } }

// onStream answers success for the three standard streams and "bad descriptor" for all others: none can be opened.
func onStream(_ *Instance, s []uint64) {
	if isStream(s[0]) {
		s[0] = wasiSuccess
	} else {
		s[0] = wasiBadF
	}
}

func isStream(fd uint64) bool { return uint32(fd) <= 2 }

var wasiFunctions = []wasiFunc{
	{"args_get", "ii", answering(wasiSuccess)},
	{"args_sizes_get", "ii", (*Instance).wasiNothing},
	{"environ_get", "ii", answering(wasiSuccess)},
	{"environ_sizes_get", "ii", (*Instance).wasiNothing},
	{"clock_res_get", "ii", (*Instance).wasiClockRes},
	{"clock_time_get", "ili", (*Instance).wasiClockTime},
	{"fd_advise", "illi", answering(wasiBadF)},
	{"fd_allocate", "ill", answering(wasiBadF)},
	{"fd_close", "i", onStream},
	{"fd_datasync", "i", onStream},
	{"fd_fdstat_get", "ii", (*Instance).wasiFdstat},
	{"fd_fdstat_set_flags", "ii", onStream},
	{"fd_fdstat_set_rights", "ill", onStream},
	{"fd_filestat_get", "ii", (*Instance).wasiFilestat},
	{"fd_filestat_set_size", "il", answering(wasiBadF)},
	{"fd_filestat_set_times", "illi", answering(wasiBadF)},
	{"fd_pread", "iiili", answering(wasiBadF)},
	{"fd_prestat_get", "ii", answering(wasiBadF)},
	{"fd_prestat_dir_name", "iii", answering(wasiBadF)},
	{"fd_pwrite", "iiili", answering(wasiBadF)},
	{"fd_read", "iiii", (*Instance).wasiRead},
	{"fd_readdir", "iiili", answering(wasiBadF)},
	{"fd_renumber", "ii", answering(wasiBadF)},
	{"fd_seek", "ilii", (*Instance).wasiSeek},
	{"fd_sync", "i", onStream},
	{"fd_tell", "ii", (*Instance).wasiSeek},
	{"fd_write", "iiii", (*Instance).wasiWrite},
	{"path_create_directory", "iii", answering(wasiNotSup)},
	{"path_filestat_get", "iiiii", answering(wasiNotSup)},
	{"path_filestat_set_times", "iiiilli", answering(wasiNotSup)},
	{"path_link", "iiiiiii", answering(wasiNotSup)},
	{"path_open", "iiiiillii", answering(wasiNotSup)},
	{"path_readlink", "iiiiii", answering(wasiNotSup)},
	{"path_remove_directory", "iii", answering(wasiNotSup)},
	{"path_rename", "iiiiii", answering(wasiNotSup)},
	{"path_symlink", "iiiii", answering(wasiNotSup)},
	{"path_unlink_file", "iii", answering(wasiNotSup)},
	{"poll_oneoff", "iiii", (*Instance).wasiPoll},
	{"proc_exit", "i", (*Instance).wasiExit},
	{"proc_raise", "i", (*Instance).wasiRaise},
	{"sched_yield", "", (*Instance).wasiYield},
	{"random_get", "ii", (*Instance).wasiRandom},
	{"sock_accept", "iii", answering(wasiNotSup)},
	{"sock_recv", "iiiiii", answering(wasiNotSup)},
	{"sock_send", "iiiii", answering(wasiNotSup)},
	{"sock_shutdown", "ii", answering(wasiNotSup)},
}

func (e *Engine) instantiateWASI(ctx context.Context) error {
	b := e.runtime.NewHostModuleBuilder(wasiModule)
	for _, f := range wasiFunctions {
		b.NewFunctionBuilder().WithGoModuleFunction(goFunc(f.call), kinds(f.params), kinds(f.results())).Export(f.name)
	}
	_, err := b.Instantiate(ctx)
	return err
}

// clock is the guest's time: it begins a call at the host's wall time and moves when it is asked for or waited on, so
// that a guest that sleeps goes on at once and one that waits for time to pass sees it pass.
type clock struct {
	now     uint64 // nanoseconds since 1970; never goes back
	began   uint64 // of the instance
	newCall bool
}

// clockStep is how much each question moves the clock.
const clockStep = 1000

// read is the time after one more question.
func (in *Instance) readClock() uint64 {
	c := &in.clock
	if c.newCall {
		c.newCall = false
		const nanosPerMilli = 1_000_000
		c.now = max(c.now, uint64(max(in.host.Time(abi.TimeWall, -1), 0))*nanosPerMilli)
	}
	if c.began == 0 {
		c.began = c.now
	}
	c.now += clockStep
	return c.now
}

// Clocks of WASI.
const (
	clockRealtime = 0
	clockLast     = 3
)

func (in *Instance) clockTime(id uint32) uint64 {
	now := in.readClock()
	if id == clockRealtime {
		return now
	}
	return now - in.clock.began
}

// put64 and put32 write a number to the guest's memory, if the address is there.
func (in *Instance) put64(ptr, v uint64) bool {
	b, ok := in.bytes(ptr, 8)
	if ok {
		binary.LittleEndian.PutUint64(b, v)
	}
	return ok
}

func (in *Instance) put32(ptr uint64, v uint32) bool {
	b, ok := in.bytes(ptr, 4)
	if ok {
		binary.LittleEndian.PutUint32(b, v)
	}
	return ok
}

// faultUnless is the answer of a call that writes to memory.
func faultUnless(ok bool) uint64 {
	if ok {
		return wasiSuccess
	}
	return wasiFault
}

// wasiNothing: no arguments and no environment.
func (in *Instance) wasiNothing(s []uint64) {
	s[0] = faultUnless(in.put32(s[0], 0) && in.put32(s[1], 0))
}

func (in *Instance) wasiClockRes(s []uint64) {
	if uint32(s[0]) > clockLast {
		s[0] = wasiInval
		return
	}
	s[0] = faultUnless(in.put64(s[1], clockStep))
}

func (in *Instance) wasiClockTime(s []uint64) {
	if uint32(s[0]) > clockLast {
		s[0] = wasiInval
		return
	}
	s[0] = faultUnless(in.put64(s[2], in.clockTime(uint32(s[0]))))
}

const characterDevice = 2

// wasiFdstat: the standard streams are character devices.
func (in *Instance) wasiFdstat(s []uint64) {
	if !isStream(s[0]) {
		s[0] = wasiBadF
		return
	}
	const size, rightsAt = 24, 8
	b, ok := in.bytes(s[1], size)
	if ok {
		clear(b)
		b[0] = characterDevice
		const rightRead, rightWrite = 1 << 1, 1 << 6
		rights := uint64(rightWrite)
		if uint32(s[0]) == 0 {
			rights = rightRead
		}
		binary.LittleEndian.PutUint64(b[rightsAt:], rights)
	}
	s[0] = faultUnless(ok)
}

func (in *Instance) wasiFilestat(s []uint64) {
	if !isStream(s[0]) {
		s[0] = wasiBadF
		return
	}
	const size, typeAt = 64, 16
	b, ok := in.bytes(s[1], size)
	if ok {
		clear(b)
		b[typeAt] = characterDevice
	}
	s[0] = faultUnless(ok)
}

// wasiRead: standard input is at its end.
func (in *Instance) wasiRead(s []uint64) {
	if uint32(s[0]) != 0 {
		s[0] = wasiBadF
		return
	}
	s[0] = faultUnless(in.put32(s[3], 0))
}

func (in *Instance) wasiSeek(s []uint64) {
	if isStream(s[0]) {
		s[0] = wasiSPipe
	} else {
		s[0] = wasiBadF
	}
}

// wasiWrite: standard output and error go to the log, line by line.
func (in *Instance) wasiWrite(s []uint64) {
	fd := uint32(s[0])
	if fd != 1 && fd != 2 {
		s[0] = wasiNoStream
		return
	}
	const vectorSize, most = 8, 1024
	count := uint32(s[2])
	if count > most {
		s[0] = wasiInval
		return
	}
	vectors, ok := in.bytes(s[1], uint64(count)*vectorSize)
	if !ok {
		s[0] = wasiFault
		return
	}
	total := uint32(0)
	for ; len(vectors) > 0; vectors = vectors[vectorSize:] {
		ptr, n := binary.LittleEndian.Uint32(vectors), binary.LittleEndian.Uint32(vectors[4:])
		b, ok := in.bytes(uint64(ptr), uint64(n))
		if !ok {
			s[0] = wasiFault
			return
		}
		in.logs.write(in, fd, b)
		total += n
	}
	s[0] = faultUnless(in.put32(s[3], total))
}

func (in *Instance) wasiExit(s []uint64) {
	panic(&stop{ReasonExit, exitMessage(uint32(s[0]))})
}

func (in *Instance) wasiRaise(s []uint64) {
	panic(&stop{ReasonExit, exitMessage(uint32(s[0]) + 128)})
}

func (in *Instance) wasiYield(s []uint64) {
	in.readClock()
	s[0] = wasiSuccess
}

func (in *Instance) wasiRandom(s []uint64) {
	b, ok := in.bytes(s[0], s[1])
	if ok {
		in.budget.charge(uint64(len(b)))
		_, _ = in.chance.Read(b) // never fails
	}
	s[0] = faultUnless(ok)
}
