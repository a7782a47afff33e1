package state

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/gofrs/flock"

	"github.com/wasmstream/wasmstream/internal/errs"
)

// The files of a Directory.
const (
	subfolder    = "wasmstream" // Kafka's own applications keep their tasks beside it
	lockFile     = ".lock"
	pidFile      = "pid"
	identityFile = "process-metadata"
	databaseDir  = "db"
)

// dirMode lets no one but the owner in: state is data.
const dirMode = 0o700

// Directory is the folder of one application in one process, <state.dir>/<application.id>/wasmstream, locked:
//
//	.lock             held as long as the process lives, however it ends
//	pid               the holder, for the message of another who wants it
//	process-metadata  {"processId": "<uuid>"}: who this process is to its group and its broker, over restarts
//	db/               the DB
type Directory struct {
	path      string
	processID string
	lock      *flock.Flock
}

// identity is the content of process-metadata, as in Kafka's file kafka-streams-process-metadata.
type identity struct {
	ProcessID string `json:"processId"`
}

// OpenDirectory makes the folder if it is not there, locks it and reads or makes the process id. If another process
// holds it the error is errs.StateLocked and names the folder and the process; errs.StateUnusable if the file system
// refuses.
func OpenDirectory(stateDir, applicationID string) (*Directory, error) {
	d, err := lockDirectory(stateDir, applicationID)
	if err != nil {
		return nil, err
	}
	if d.processID, err = d.readIdentity(); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// CleanDirectory deletes all local state of an application. Another process that uses it is errs.StateLocked. Without
// a folder there is nothing to do.
func CleanDirectory(stateDir, applicationID string) error {
	path, err := directoryPath(stateDir, applicationID)
	if err != nil {
		return err
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	d, err := lockDirectory(stateDir, applicationID)
	if err != nil {
		return err
	}
	return errors.Join(d.Clean(), d.Close())
}

// HasState tells whether CleanDirectory would delete anything.
func HasState(stateDir, applicationID string) bool {
	path, err := directoryPath(stateDir, applicationID)
	if err != nil {
		return false
	}
	entries, err := os.ReadDir(path)
	return err == nil && slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() != lockFile && e.Name() != pidFile })
}

var applicationIDs = regexp.MustCompile(`^[a-zA-Z0-9._-]+$`)

func directoryPath(stateDir, applicationID string) (string, error) {
	if !applicationIDs.MatchString(applicationID) || strings.Trim(applicationID, ".") == "" {
		what := fmt.Sprintf("the id cannot name a folder (got %q)", applicationID)
		return "", errs.ConfigInvalid.New("application.id", what, "use letters, digits, '.', '_' and '-'")
	}
	path, err := filepath.Abs(filepath.Join(stateDir, applicationID, subfolder))
	if err != nil {
		return "", errs.StateUnusable.New(stateDir, "cannot tell where it is", "").WithCause(err)
	}
	return path, nil
}

func lockDirectory(stateDir, applicationID string) (*Directory, error) {
	path, err := directoryPath(stateDir, applicationID)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(path, dirMode); err != nil {
		return nil, errs.StateUnusable.New(path, "cannot make the directory", "").WithCause(err)
	}
	d := &Directory{path: path, lock: flock.New(filepath.Join(path, lockFile), flock.SetPermissions(0o600))}
	locked, err := d.lock.TryLock()
	if err != nil {
		return nil, errs.StateUnusable.New(path, "cannot lock the directory", "").WithCause(err)
	}
	if !locked {
		return nil, d.lockedError()
	}
	if err := d.writeFile(pidFile, []byte(strconv.Itoa(os.Getpid())+"\n")); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// lockedError names the holder, if it has got round to leaving its id.
func (d *Directory) lockedError() error {
	holder := "another process"
	if b, err := os.ReadFile(filepath.Join(d.path, pidFile)); err == nil {
		if pid, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil {
			holder = fmt.Sprintf("process %d", pid)
		}
	}
	return errs.StateLocked.New(d.path, "the state directory is in use by "+holder, "")
}

// readIdentity returns the process id, a new one if there is none or it cannot be read: then the process is a stranger
// to its group, no worse.
func (d *Directory) readIdentity() (string, error) {
	b, err := os.ReadFile(filepath.Join(d.path, identityFile))
	if err == nil {
		var id identity
		if json.Unmarshal(b, &id) == nil && isUUID(id.ProcessID) {
			return id.ProcessID, nil
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return "", errs.StateUnusable.New(d.path, "cannot read the process id", "").WithCause(err)
	}
	id := identity{ProcessID: newUUID()}
	b, err = json.Marshal(id)
	if err != nil {
		return "", fmt.Errorf("encoding the process id: %w", err)
	}
	return id.ProcessID, d.writeFile(identityFile, append(b, '\n'))
}

// writeFile replaces a file so that a crash leaves the old one or the new one.
func (d *Directory) writeFile(name string, content []byte) error {
	path := filepath.Join(d.path, name)
	f, err := os.OpenFile(path+".tmp", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return errs.StateUnusable.New(d.path, "cannot write to the directory", "").WithCause(err)
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(path+".tmp", path)
	}
	if err != nil {
		return errs.StateUnusable.New(d.path, "cannot write to the directory", "").WithCause(err)
	}
	return nil
}

// Path is the folder.
func (d *Directory) Path() string { return d.path }

// DatabasePath is where the application's DB belongs.
func (d *Directory) DatabasePath() string { return filepath.Join(d.path, databaseDir) }

// ProcessID is the identity of this process, the same after a restart.
func (d *Directory) ProcessID() string { return d.processID }

// Clean deletes everything but the lock. The DB must be closed.
func (d *Directory) Clean() error {
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return errs.StateUnusable.New(d.path, "cannot read the directory", "").WithCause(err)
	}
	for _, e := range entries {
		// A lock file that is deleted while it is held lets two processes hold "the" lock.
		if e.Name() == lockFile || e.Name() == pidFile {
			continue
		}
		if err := os.RemoveAll(filepath.Join(d.path, e.Name())); err != nil {
			return errs.StateUnusable.New(d.path, "cannot delete the state", "").WithCause(err)
		}
	}
	return nil
}

// Close releases the lock. It can be called twice.
func (d *Directory) Close() error {
	if err := d.lock.Unlock(); err != nil {
		return fmt.Errorf("unlocking %s: %w", d.path, err)
	}
	return nil
}

var uuids = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

func isUUID(s string) bool { return uuids.MatchString(s) }

// newUUID returns a random UUID (version 4).
func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
