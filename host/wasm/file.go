package wasm

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"github.com/wasmstream/wasmstream/internal/errs"
)

// ReadFile reads a module's file. It answers for every path at once: only regular files are opened, no more is read
// than a module may have, and nothing where there is nothing by its size.
func ReadFile(path string) ([]byte, error) { return readFileAs(path, path) }

// readFileAs calls the file name in messages.
func readFileAs(path, name string) ([]byte, error) {
	f, size, err := openModule(path, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if size == 0 {
		return nil, nil // a file of the system may say so too, and block whoever reads it
	}
	return readBounded(f, name, size)
}

// openModule opens a regular file that is not larger than a module may be.
func openModule(path, name string) (f *os.File, size int64, err error) {
	info, err := os.Stat(path) // before it is opened: opening a device may do something
	if err == nil {
		err = regular(info)
	}
	if err != nil {
		return nil, 0, fileFault(name, err)
	}
	if f, err = os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0); err != nil {
		return nil, 0, fileFault(name, err)
	}
	if info, err = f.Stat(); err == nil {
		err = regular(info)
	}
	switch {
	case err != nil:
		err = fileFault(name, err)
	case info.Size() > MaxModuleBytes:
		err = tooManyBytes(name, info.Size())
	default:
		return f, info.Size(), nil
	}
	_ = f.Close() // it was only read
	return nil, 0, err
}

func readBounded(r io.Reader, name string, size int64) ([]byte, error) {
	b := make([]byte, size+1) // one more, to see whether it grew
	n, err := io.ReadFull(r, b)
	switch {
	case err == nil:
		return nil, errs.ModuleMissing.New(name, "the file grew while it was read", "wait until it is written and try again")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return b[:n], nil
	}
	return nil, fileFault(name, err)
}

// notRegular is what a path is instead of a regular file.
type notRegular struct{ what, fix string }

func (e *notRegular) Error() string { return e.what }

func regular(info fs.FileInfo) error {
	switch {
	case info.Mode().IsRegular():
		return nil
	case info.IsDir():
		return &notRegular{"it is a folder, not a file", "name the .wasm file in it; wasmstream build compiles a folder"}
	}
	return &notRegular{"it is a pipe or a device, not a file", "write the module to a file first"}
}

// fileFault leaves out the path that the error of package os repeats.
func fileFault(name string, err error) error {
	if other, ok := errors.AsType[*notRegular](err); ok {
		return errs.ModuleMissing.New(name, other.what, other.fix)
	}
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		err = path.Err
	}
	return errs.ModuleMissing.New(name, "the file cannot be read", "").WithCause(err)
}

func tooManyBytes(name string, n int64) error {
	return errs.ModuleTooLarge.New(name, fmt.Sprintf("the module is larger than a module may be (got %d bytes, at most %d)", n, MaxModuleBytes), "")
}
