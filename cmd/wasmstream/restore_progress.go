package main

import (
	"fmt"
	"io"
	"time"

	"github.com/wasmstream/wasmstream/host"
)

// restoreRefresh is how often the line about restoring is written anew.
const restoreRefresh = 250 * time.Millisecond

// showRestoring keeps a line about what is restored on a terminal, until the returned function is called.
func showRestoring(w io.Writer, restoring func() host.RestoreSummary) (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(restoreRefresh)
		defer tick.Stop()
		shown := false
		for {
			select {
			case <-done:
				if shown {
					fmt.Fprint(w, clearLine)
				}
				return
			case <-tick.C:
				shown = writeRestoring(w, restoring(), shown)
			}
		}
	}()
	return func() { close(done); <-ended }
}

// clearLine goes back to the begin of a terminal's line and empties it.
const clearLine = "\r\x1b[K"

// writeRestoring writes the line over the one before, and takes it away when nothing is restored any more. It returns
// whether a line is there.
func writeRestoring(w io.Writer, s host.RestoreSummary, shown bool) bool {
	if s.Stores == 0 {
		if shown {
			fmt.Fprint(w, clearLine)
		}
		return false
	}
	fmt.Fprint(w, clearLine+restoringLine(s))
	return true
}

func restoringLine(s host.RestoreSummary) string {
	line := fmt.Sprintf("restoring %d stores: %d records, %d left", s.Stores, s.Records, s.Remaining)
	if s.Stores == 1 {
		line = fmt.Sprintf("restoring a store: %d records, %d left", s.Records, s.Remaining)
	}
	if s.Rate > 0 {
		line += fmt.Sprintf(", %.0f a second, about %s", s.Rate, max(time.Second, s.Left.Round(time.Second)))
	}
	return line
}
