//go:build failpoints && unix

package stream

import (
	"os"
	"syscall"
)

// standStill is SIGSTOP: all threads of the process stop, and its connections stay open.
func standStill() {
	if err := syscall.Kill(os.Getpid(), syscall.SIGSTOP); err != nil {
		panic("stream: stopping the process: " + err.Error())
	}
}
