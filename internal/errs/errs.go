// Package errs is what a user sees when something goes wrong: a code, the place, what happened, and what can be done.
//
// It knows every code of the program, its exit status and its page (docs/errors.md, `wasmstream explain CODE`), and how
// an error looks on a terminal. It knows nothing of the rooms that return the errors, and imports the standard library
// only. A code is declared once, in codes_<area>.go, and listed by the function of its area; All joins those lists.
package errs

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Exit statuses of the program.
const (
	ExitOK           = 0
	ExitRuntime      = 1 // it ran and then failed
	ExitInput        = 2 // what the user gave cannot be right: files, flags, modules
	ExitEnvironment  = 3 // what the program needs around it is not there: broker, port, directory, toolchain
	ExitVerification = 4 // a test or a check said no
)

// Code is one way in which things go wrong. Its page is Title, Explanation and Remedy.
type Code struct {
	// ID is the stable name, E-<AREA>-<WHAT>.
	ID string
	// Exit is the exit status of a command that ends with this error.
	Exit int
	// Title is one line without a full stop.
	Title string
	// Explanation says when this happens and what the program did about it.
	Explanation string
	// Remedy says what the user can do, most likely help first.
	Remedy string
	// Exception is the class that Kafka Streams throws in most of these cases, without its package; "" for none.
	Exception string
}

// New makes an error of this code. where is a file:line:col, topic-partition@offset, flag or address; what says what
// happened ("... (got ...)"); fix what to do now, or "" for the first sentence of the code's Remedy.
func (c Code) New(where, what, fix string) *Error {
	if fix == "" {
		fix, _, _ = strings.Cut(c.Remedy, ". ")
		fix = strings.TrimSuffix(fix, ".")
	}
	return &Error{Code: c.ID, Where: where, What: what, Fix: fix, Exception: c.Exception}
}

// Is tells whether err, or an error that it wraps or joins, has this code.
func (c Code) Is(err error) bool {
	return slices.ContainsFunc(Flatten(err), func(e error) bool {
		var coded *Error
		return errors.As(e, &coded) && coded.Code == c.ID
	})
}

// Error is an error that a user can act on.
type Error struct {
	Code, Where, What, Fix string
	// Detail is shown below the first line as it is: the line of a file with a caret, a guest's stack. May be empty.
	Detail string
	// Exception is the class that Kafka Streams throws here, which people search for; "" for none.
	Exception string
	// Cause is the error behind this one, or nil. Its text is shown below What.
	Cause error
	// Subject is what in the user's text the error is about: a name that stands there, or the key of a field. It is not
	// shown; who knows the text finds the place by it. May be empty.
	Subject string
}

// New makes an error by the code's ID. Prefer the New of a declared Code.
func New(code, where, what, fix string) *Error {
	return &Error{Code: code, Where: where, What: what, Fix: fix}
}

// WithCause sets the error behind e and returns e.
func (e *Error) WithCause(err error) *Error {
	e.Cause = err
	return e
}

// InKafka names the exception that Kafka Streams throws here and returns e.
func (e *Error) InKafka(exception string) *Error {
	e.Exception = exception
	return e
}

// Of sets the subject of e and returns e.
func (e *Error) Of(subject string) *Error {
	e.Subject = subject
	return e
}

// WithDetail sets the lines shown below the error and returns e.
func (e *Error) WithDetail(lines string) *Error {
	e.Detail = lines
	return e
}

// Error is "CODE where: what: cause -> fix" on one line, for logs. Render is the form for people.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.headline())
	if e.Cause != nil {
		fmt.Fprintf(&b, ": %v", e.Cause)
	}
	if e.Fix != "" {
		b.WriteString(" -> " + e.Fix)
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

func (e *Error) headline() string {
	what := e.What
	if e.Exception != "" && !strings.Contains(what, "\n") {
		what += " (Kafka: " + e.Exception + ")"
	}
	switch {
	case e.Where == "":
		return e.Code + " " + what
	case e.What == "":
		return e.Code + " " + e.Where
	}
	return e.Code + " " + e.Where + ": " + what
}

// Flatten returns the errors joined in err (errors.Join, at any depth above the first *Error), or err alone.
func Flatten(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, Flatten(e)...)
	}
	return all
}

// Place takes a place apart that is written as file:line:col. line is 0 for any other.
func Place(where string) (file string, line, col int) {
	file, c, ok := cutLast(where)
	if !ok {
		return where, 0, 0
	}
	file, l, ok := cutLast(file)
	if !ok {
		return where, 0, 0
	}
	return file, l, c
}

// cutLast takes a number behind the last colon off.
func cutLast(text string) (before string, n int, ok bool) {
	i := strings.LastIndexByte(text, ':')
	if i < 0 {
		return text, 0, false
	}
	n, err := strconv.Atoi(text[i+1:])
	return text[:i], n, err == nil && n > 0
}

// Exit is the exit status for err: 0 for nil, that of the outermost code in it, else ExitRuntime. Of several joined
// errors the first with a code decides.
func Exit(err error) int {
	if err == nil {
		return ExitOK
	}
	for _, e := range Flatten(err) {
		var coded *Error
		if !errors.As(e, &coded) {
			continue
		}
		if c, ok := Lookup(coded.Code); ok {
			return c.Exit
		}
	}
	return ExitRuntime
}

// All lists every declared code by ID.
func All() []Code {
	all := slices.Concat(
		configCodes(), yamlCodes(), topologyCodes(), moduleCodes(), guestCodes(), kafkaCodes(), topicCodes(),
		stateCodes(), queryCodes(), streamCodes(), recordCodes(), cliCodes(), buildCodes(), reloadCodes(), runtimeCodes(), connectCodes(), caseCodes(), tlsCodes(),
	)
	slices.SortFunc(all, func(a, b Code) int { return strings.Compare(a.ID, b.ID) })
	return all
}

// Lookup finds a code by its ID, in any case and with or without the leading "E-".
func Lookup(id string) (Code, bool) {
	id = strings.ToUpper(strings.TrimSpace(id))
	if !strings.HasPrefix(id, "E-") {
		id = "E-" + id
	}
	all := All()
	i := slices.IndexFunc(all, func(c Code) bool { return c.ID == id })
	if i < 0 {
		return Code{}, false
	}
	return all[i], true
}

// Text is the page of a code for a terminal.
func (c Code) Text() string {
	return fmt.Sprintf("%s: %s\n\n%s\n\nWhat helps: %s\n\nExit status %d (%s).\n", c.ID, c.Title, c.Explanation, c.Remedy, c.Exit, exitName(c.Exit))
}

func exitName(status int) string {
	return [...]string{"no error", "it failed while running", "the input is wrong", "the environment lacks something", "a check said no"}[status]
}

// Markdown is docs/errors.md: the pages of all codes.
func Markdown() string {
	var b strings.Builder
	b.WriteString("# Errors\n\nEvery error has a code. `wasmstream explain CODE` prints the same text offline. This page is generated from\n`internal/errs`.\n\n" +
		"Exit status: 0 no error (also after Ctrl-C), 1 it failed while running, 2 the input is wrong, 3 the environment lacks\nsomething, 4 a check said no, 130 or 143 ended by a second signal.\n")
	for _, c := range All() {
		fmt.Fprintf(&b, "\n## %s\n\n%s (exit status %d).\n\n%s\n\n**What helps:** %s\n", c.ID, c.Title, c.Exit, c.Explanation, c.Remedy)
	}
	return b.String()
}
