package errs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// Render writes err for people, one block for each joined error:
//
//	✗ CODE where: what
//	  detail, then the cause
//	  -> what to do
//
// An error without a code gets E-RUNTIME-ERROR. Never a Go stack trace.
func Render(w io.Writer, err error, colour bool) {
	for _, e := range Flatten(err) {
		renderOne(w, e, colour)
	}
}

func renderOne(w io.Writer, err error, colour bool) {
	e := coded(err)
	mark, code, arrow := "✗", e.Code, "->"
	if colour {
		mark, code, arrow = "\x1b[31m✗\x1b[0m", "\x1b[1m"+e.Code+"\x1b[0m", "\x1b[36m->\x1b[0m"
	}
	fmt.Fprintf(w, "%s %s%s\n", mark, code, strings.TrimPrefix(e.headline(), e.Code))
	for _, line := range strings.Split(strings.Trim(e.Detail, "\n"), "\n") {
		if line != "" {
			fmt.Fprintf(w, "  %s\n", line)
		}
	}
	if e.Cause != nil {
		for _, line := range strings.Split(strings.TrimSpace(causeText(e.Cause)), "\n") {
			fmt.Fprintf(w, "  %s\n", line)
		}
	}
	if e.Fix != "" {
		fmt.Fprintf(w, "  %s %s\n", arrow, e.Fix)
	}
}

// causeText is the cause without the remedies in it: the outermost error says what to do.
func causeText(err error) string {
	var e *Error
	if !errors.As(err, &e) {
		return err.Error()
	}
	text := strings.TrimSuffix(err.Error(), e.Error()) + e.headline()
	if e.Detail != "" {
		text += "\n" + strings.Trim(e.Detail, "\n")
	}
	if e.Cause != nil {
		text += "\n" + causeText(e.Cause)
	}
	return text
}

// coded returns err as an *Error. Text that was wrapped around the *Error is not lost: it leads the place.
func coded(err error) *Error {
	var e *Error
	if !errors.As(err, &e) {
		if errors.Is(err, context.DeadlineExceeded) {
			return RuntimeTimeout.New("", err.Error(), "")
		}
		return RuntimeError.New("", err.Error(), "")
	}
	around, ok := strings.CutSuffix(err.Error(), e.Error())
	around = strings.TrimSuffix(strings.TrimSpace(around), ":")
	if !ok || around == "" {
		return e
	}
	with := *e
	with.What = around + ": " + e.What
	return &with
}

// Colour tells whether text to f may carry colours: f is a terminal, NO_COLOR is unset or empty, TERM is not dumb.
func Colour(f *os.File, getenv func(string) string) bool {
	return getenv("NO_COLOR") == "" && getenv("TERM") != "dumb" && IsTerminal(f)
}

// IsTerminal tells whether f is a character device.
func IsTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && f.Name() != os.DevNull
}
