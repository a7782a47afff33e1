package errs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// Render writes err for people, for each joined error one line with all that matters, and what explains it below:
//
//	✗ CODE where: what: cause -> what to do
//	  detail, then what the cause says beyond its first line
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
	line, below := e.text()
	fmt.Fprintf(w, "%s %s%s", mark, code, strings.TrimPrefix(line, e.Code))
	if e.Fix != "" {
		fmt.Fprintf(w, " %s %s", arrow, e.Fix)
	}
	fmt.Fprintln(w)
	for _, line := range below {
		fmt.Fprintf(w, "  %s\n", line)
	}
}

// text is the first line of e without the remedy, and the lines below it. The remedies of causes are left out: the
// outermost error says what to do.
func (e *Error) text() (line string, below []string) {
	line, more, _ := strings.Cut(e.headline(), "\n")
	below = slices.Concat(lines(more), lines(e.Detail))
	if e.Cause == nil {
		return line, below
	}
	cause, more2 := causeText(e.Cause)
	return line + ": " + cause, append(below, more2...)
}

func causeText(err error) (line string, below []string) {
	var e *Error
	if !errors.As(err, &e) {
		line, more, _ := strings.Cut(strings.TrimSpace(err.Error()), "\n")
		return line, lines(more)
	}
	line, below = e.text()
	return strings.TrimSuffix(err.Error(), e.Error()) + line, below
}

// lines are the lines of a text that hold something.
func lines(text string) []string {
	var all []string
	for _, line := range strings.Split(strings.Trim(text, "\n"), "\n") {
		if line != "" {
			all = append(all, line)
		}
	}
	return all
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
