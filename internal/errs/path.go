package errs

import (
	"errors"
	"io/fs"
)

// WithoutPath is err without the operation and the path that the errors of package os begin with, for messages that name
// the place themselves.
func WithoutPath(err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return path.Err
	}
	return err
}
