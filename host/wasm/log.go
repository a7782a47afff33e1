package wasm

import (
	"bytes"
	"log/slog"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/wasmstream/wasmstream/abi"
)

// LogRate counts a guest's lines of log in the running second. Instances that take each other's place share one: a guest
// that traps after its last line of a second gets no further line by that. The zero value is ready, for any number of
// goroutines.
type LogRate struct {
	mu     sync.Mutex
	window time.Time // when the second began
	lines  int
}

// take tells whether one more line is allowed, and counts it then.
func (r *LogRate) take(perSecond int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if now.Sub(r.window) >= time.Second {
		r.window, r.lines = now, 0
	}
	if r.lines >= perSecond {
		return false
	}
	r.lines++
	return true
}

// logLines bounds and cleans what a guest writes: by import, on standard output and on standard error.
type logLines struct {
	clean        []byte
	rate         *LogRate
	dropped, cut uint64
	// out and err hold lines of stdout and stderr that have not ended yet.
	out, err []byte
}

// add hands one line to the host, if the rate allows.
func (l *logLines) add(in *Instance, level int32, line []byte) (kept bool) {
	if !in.host.LogEnabled(level) {
		return true
	}
	if !l.rate.take(in.limits.LogLinesPerSecond) {
		l.dropped++
		return false
	}
	whole := len(line) <= in.limits.LogLineBytes
	if !whole {
		line = line[:in.limits.LogLineBytes]
		l.cut++
	}
	l.clean = appendClean(l.clean[:0], line)
	in.host.Log(level, l.clean)
	return whole
}

// appendClean makes a line fit for a terminal and for one line of a log: what is not printable stands as an escape, so
// that a guest can neither forge lines nor control the terminal.
func appendClean(dst, line []byte) []byte {
	const hex = "0123456789abcdef"
	for len(line) > 0 {
		r, n := utf8.DecodeRune(line)
		switch {
		case r == '\t' || r >= ' ' && r < utf8.RuneSelf && r != 0x7f:
			dst = append(dst, byte(r))
		case r == utf8.RuneError && n == 1, r < ' ', r == 0x7f:
			dst = append(dst, '\\', 'x', hex[line[0]>>4], hex[line[0]&15])
		case unicode.IsPrint(r):
			dst = append(dst, line[:n]...)
		default:
			dst = append(dst, '\\', 'u', '{')
			for shift := 20; shift >= 0; shift -= 4 {
				dst = append(dst, hex[r>>shift&15])
			}
			dst = append(dst, '}')
		}
		line = line[n:]
	}
	return dst
}

// write takes bytes of stdout (1) or stderr (2) and hands on whole lines.
func (l *logLines) write(in *Instance, fd uint32, b []byte) {
	level, part := abi.LogInfo, &l.out
	if fd == 2 {
		level, part = abi.LogWarn, &l.err
	}
	for len(b) > 0 {
		in.budget.charge(fuelLine)
		line, rest, ended := bytes.Cut(b, []byte{'\n'})
		room := max(in.limits.LogLineBytes+1-len(*part), 0) // one more than is kept, so that the cut is noticed
		*part = append(*part, line[:min(len(line), room)]...)
		if ended {
			l.add(in, level, bytes.TrimSuffix(*part, []byte{'\r'}))
			*part = (*part)[:0]
		}
		b = rest
	}
}

// flush hands on lines that never ended.
func (l *logLines) flush(in *Instance) {
	for _, part := range []struct {
		level int32
		line  *[]byte
	}{{abi.LogInfo, &l.out}, {abi.LogWarn, &l.err}} {
		if len(*part.line) > 0 {
			l.add(in, part.level, *part.line)
			*part.line = nil
		}
	}
}

// levels are slog's for those of the ABI.
var levels = [...]slog.Level{abi.LogDebug: slog.LevelDebug, abi.LogInfo: slog.LevelInfo, abi.LogWarn: slog.LevelWarn, abi.LogError: slog.LevelError}

// LogLevel is slog's level for one of the ABI's; ok is false for a number that is none.
func LogLevel(level int32) (l slog.Level, ok bool) {
	if level < 0 || int(level) >= len(levels) {
		return 0, false
	}
	return levels[level], true
}
