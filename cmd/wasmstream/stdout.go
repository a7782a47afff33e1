package main

import (
	"io"
	"sync"

	"github.com/wasmstream/wasmstream/internal/errs"
)

// checkedWriter remembers the first write that failed, so that no command has to look at each of its lines and none
// ends with status 0 when what it printed is lost.
type checkedWriter struct {
	w  io.Writer
	mu struct {
		sync.Mutex
		err error
	}
}

// Write implements io.Writer.
func (c *checkedWriter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	if err != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.mu.err == nil {
			c.mu.err = err
		}
	}
	return n, err
}

// fault is the error of a command whose output is lost, or nil.
func (c *checkedWriter) fault() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.err == nil {
		return nil
	}
	return errs.CLIOutput.New("standard output", "what the command prints cannot be written", "").WithCause(withoutPath(c.mu.err))
}
