package main

import (
	"os"
	"runtime/debug"
)

// gcPercent is how much an application's heap grows between two collections, in percent of what is alive. Records pass
// through without garbage of their own, so collections are few and memory is worth more than they cost.
const gcPercent = 50

// tuneGC sets the collector of a process that runs an application. GOGC of the environment wins.
func tuneGC() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}
