//go:build failpoints && !unix

package stream

// standStill needs signals.
func standStill() { panic("stream: this system cannot stop a process") }
