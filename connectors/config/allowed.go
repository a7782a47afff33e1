package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// AllowedPaths restricts which paths a provider reads; without any all are allowed.
type AllowedPaths struct{ paths []string }

const allowedPaths = "allowed.paths"

func allowedPathsKey() Key {
	return Key{Name: allowedPaths, Type: String, Nullable: true, Importance: Low, Doc: "Comma-separated absolute paths below which files may be read. All, if it is not set."}
}

func newAllowedPaths(v Values) (AllowedPaths, error) {
	var a AllowedPaths
	for _, p := range strings.Split(v.String(allowedPaths), ",") {
		if p = strings.TrimSpace(p); p == "" {
			continue
		}
		if !filepath.IsAbs(p) {
			return a, Exception("Path " + p + " is not absolute")
		}
		if _, err := os.Stat(p); err != nil {
			return a, Exception("Path " + p + " does not exist")
		}
		a.paths = append(a.paths, filepath.Clean(p))
	}
	return a, nil
}

// permits tells whether a path lies below one that is allowed, as it is written.
func (a AllowedPaths) permits(path string) bool {
	_, _, ok := a.split(path)
	return len(a.paths) == 0 || ok
}

// split takes a path apart into one that is allowed and what lies below it.
func (a AllowedPaths) split(path string) (allowed, below string, ok bool) {
	path = filepath.Clean(path)
	for _, allowed := range a.paths {
		if below, err := filepath.Rel(allowed, path); err == nil && filepath.IsLocal(below) {
			return allowed, below, true
		}
	}
	return "", "", false
}

// errNoFile says that something is no file: a directory, a pipe, a device.
var errNoFile = errors.New("it is no regular file")

// mostOfFile bounds what is read: settings and secrets are small.
const mostOfFile = 16 << 20

// open opens what a path names. Below paths that are allowed links are followed as long as they do not lead out, as those of Kubernetes'
// volumes; whoever changes a link at the same moment gains nothing, since the system follows it from directory to directory. A pipe
// does not hold the caller up.
func (a AllowedPaths) open(path string) (*os.File, error) {
	const how = os.O_RDONLY | syscall.O_NONBLOCK
	allowed, below, ok := a.split(path)
	if len(a.paths) == 0 || below == "." {
		return os.OpenFile(path, how, 0)
	}
	if !ok {
		return nil, fs.ErrPermission
	}
	root, err := os.OpenRoot(allowed)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return root.OpenFile(below, how, 0)
}

// read reads a regular file.
func (a AllowedPaths) read(path string) ([]byte, error) {
	f, err := a.open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errNoFile
	case info.Size() > mostOfFile:
		return nil, fmt.Errorf("it has %d bytes, of which %d may be read", info.Size(), mostOfFile)
	}
	return io.ReadAll(io.LimitReader(f, mostOfFile))
}

// list reads the names in a directory, in order.
func (a AllowedPaths) list(path string) ([]fs.DirEntry, error) {
	f, err := a.open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	entries, err := f.ReadDir(-1)
	slices.SortFunc(entries, func(x, y fs.DirEntry) int { return strings.Compare(x.Name(), y.Name()) })
	return entries, err
}
