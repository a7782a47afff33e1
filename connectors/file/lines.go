package file

import (
	"bytes"
	"io"
)

// readSize is how much is read at once.
const readSize = 64 << 10

// lines cuts what is read into lines, which end with \n, \r or \r\n.
type lines struct {
	buf   []byte
	start int
	// scanned is how far buf was searched for the end of a line in vain.
	scanned int
}

// fill reads once and returns how many bytes came.
func (l *lines) fill(r io.Reader) (int, error) {
	if l.start > 0 {
		l.buf = append(l.buf[:0], l.buf[l.start:]...)
		l.scanned -= l.start
		l.start = 0
	}
	have := len(l.buf)
	if cap(l.buf)-have < readSize {
		l.buf = append(make([]byte, 0, max(2*cap(l.buf), 2*readSize)), l.buf...)
	}
	n, err := r.Read(l.buf[have : have+readSize])
	l.buf = l.buf[:have+n]
	return n, err
}

// next is the next complete line and how many bytes it takes with its end. A \r at the very end may be half of a \r\n, so it
// waits for the next byte.
func (l *lines) next() (line string, used int, ok bool) {
	rest := l.buf[l.start:]
	from := max(0, l.scanned-l.start)
	i := bytes.IndexAny(rest[from:], "\r\n")
	if i < 0 {
		l.scanned = len(l.buf)
		return "", 0, false
	}
	i += from
	used = i + 1
	if rest[i] == '\r' {
		if i+1 == len(rest) {
			l.scanned = l.start + i
			return "", 0, false
		}
		if rest[i+1] == '\n' {
			used++
		}
	}
	l.start += used
	l.scanned = l.start
	return string(rest[:i]), used, true
}

// pending is how many bytes wait for the end of their line.
func (l *lines) pending() int { return len(l.buf) - l.start }

// stdin reads the standard input in a goroutine of its own, since such a read cannot be ended; Read returns at once with what
// has come.
type stdin struct{ chunks chan []byte }

func newStdin(r io.Reader) *stdin {
	s := &stdin{chunks: make(chan []byte)}
	go func() {
		defer close(s.chunks)
		for {
			b := make([]byte, readSize/4)
			n, err := r.Read(b)
			if n > 0 {
				s.chunks <- b[:n]
			}
			if err != nil {
				return
			}
		}
	}()
	return s
}

// Read never waits. p has room for a chunk.
func (s *stdin) Read(p []byte) (int, error) {
	select {
	case b, ok := <-s.chunks:
		if !ok {
			return 0, io.EOF
		}
		return copy(p, b), nil
	default:
		return 0, nil
	}
}
