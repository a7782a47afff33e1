//go:build failpoints && unix

package stream

import (
	"os"
	"os/signal"
	"syscall"
)

// standStill stops the process until a SIGCONT. The signal may reach another thread first: this one waits where it is.
func standStill() {
	awake := make(chan os.Signal, 1)
	signal.Notify(awake, syscall.SIGCONT)
	defer signal.Stop(awake)
	if err := syscall.Kill(os.Getpid(), syscall.SIGSTOP); err != nil {
		panic("stream: stopping the process: " + err.Error())
	}
	<-awake
}
