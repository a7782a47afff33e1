package wasmstream

import "errors"

// Class says what becomes of a record that could not be processed.
type Class uint32

// The classes of a failed record.
const (
	ClassSkip       Class = 0 // drop it and count it
	ClassDeadLetter Class = 1 // hand it to the dead letter queue, if there is one
	ClassFail       Class = 2 // stop the task; what a plain error means
	ClassRetry      Class = 3 // run it again later
)

// RecordError is an error with the class that it gives to the record.
type RecordError struct {
	Class Class
	Err   error
}

// Error is the text of the error behind it.
func (e *RecordError) Error() string { return e.Err.Error() }

// Unwrap returns the error behind it.
func (e *RecordError) Unwrap() error { return e.Err }

// Skip makes err drop the record that it is returned for.
func Skip(err error) error { return &RecordError{ClassSkip, err} }

// DeadLetter makes err send the record that it is returned for to the dead letter queue.
func DeadLetter(err error) error { return &RecordError{ClassDeadLetter, err} }

// Retry makes err run the record that it is returned for again.
func Retry(err error) error { return &RecordError{ClassRetry, err} }

// classOf is the class that err gives to a record.
func classOf(err error) Class {
	var r *RecordError
	if errors.As(err, &r) {
		return r.Class
	}
	return ClassFail
}

// Errno is a refusal of the host, always negative.
type Errno int32

// Error numbers of the host.
const (
	ErrUnknown     Errno = -1
	ErrInvalidArg  Errno = -2
	ErrBufTooSmall Errno = -3
	ErrNotFound    Errno = -4
	ErrDenied      Errno = -5
	ErrLimit       Errno = -6
	ErrClosed      Errno = -7
	ErrUnsupported Errno = -8
	ErrRetry       Errno = -9
	ErrCorrupt     Errno = -10
	ErrFatal       Errno = -11
	ErrFenced      Errno = -12
	ErrBusy        Errno = -13
)

var errnoTexts = [...]string{
	"no error", "unknown error", "invalid argument", "buffer too small", "not found", "denied", "limit exceeded", "closed",
	"not supported", "try again", "corrupt", "fatal", "fenced", "busy",
}

// Error says in words what the number means.
func (e Errno) Error() string {
	if e <= 0 && int(-e) < len(errnoTexts) {
		return "host: " + errnoTexts[-e]
	}
	return "host: unknown error"
}

// errnoOf is nil for codes from 0 on.
func errnoOf(code int32) error {
	if code >= 0 {
		return nil
	}
	return Errno(code)
}
