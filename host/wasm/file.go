package wasm

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/wasmstream/wasmstream/internal/errs"
)

// ReadFile reads the file of a module, at most as much of it as a module may have. Pipes and devices are refused: the
// one may never answer, the other never end.
func ReadFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	if info.IsDir() {
		return nil, errs.ModuleMissing.New(path, "it is a folder, not a file", "name the .wasm file in it; wasmstream build compiles a folder")
	}
	if !info.Mode().IsRegular() {
		return nil, errs.ModuleMissing.New(path, "it is a pipe or a device, not a file", "write the module to a file first")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxModuleBytes+1))
	if err != nil {
		return nil, unreadable(path, err)
	}
	if len(data) > MaxModuleBytes {
		return nil, errs.ModuleTooLarge.New(path, fmt.Sprintf("the file is larger than a module may be (at most %d bytes)", MaxModuleBytes), "")
	}
	return data, nil
}

// unreadable leaves out the path that the error of package os repeats.
func unreadable(path string, err error) error {
	var inPath *fs.PathError
	if errors.As(err, &inPath) {
		err = inPath.Err
	}
	return errs.ModuleMissing.New(path, "the file cannot be read", "").WithCause(err)
}
