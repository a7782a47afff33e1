//go:build failpoints && linux

package main_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/state"
)

// stateFaults are those of what lies on the disk.
func (p *programme) stateFaults() []fault {
	return []fault{
		{name: "state deleted", do: func() { p.lose(p.one()) }, limit: lostLimit},
		{name: "state cut off", do: func() { p.damage(p.one(), p.cutOff) }},
		{name: "bits of the state flipped", do: func() { p.damage(p.one(), p.flipBits) }},
		{name: "bits of the state flipped while it is in use", do: func() { p.damageAlive(p.one()) }},
		{name: "a file of the state missing", do: func() { p.damage(p.one(), os.Remove) }},
		{name: "state of another application", do: func() { p.foreign(p.one()) }},
		{name: "disk full", do: func() { p.fillDisk(p.one().name) }, limit: lostLimit},
	}
}

// lose kills a process and takes its state away.
func (p *programme) lose(one *process) {
	p.t.Helper()
	p.kill(one)
	if err := os.RemoveAll(filepath.Join(p.dir, "state-"+one.name)); err != nil {
		p.t.Fatal(err)
	}
	p.start(one.name)
}

// database is the folder of a process that has ended.
func (p *programme) database(name string) string {
	p.t.Helper()
	dirs, err := filepath.Glob(filepath.Join(p.dir, "state-"+name, "*", "*", "db"))
	if err != nil || len(dirs) != 1 {
		p.t.Fatalf("looking for the database of process %s: %v %v", name, dirs, err)
	}
	return dirs[0]
}

// damage kills a process and hurts a file of its database.
func (p *programme) damage(one *process, hurt func(file string) error) {
	p.t.Helper()
	p.feedUntil(one.isRunning)
	p.kill(one)
	files, err := filepath.Glob(filepath.Join(p.database(one.name), "*"))
	if err != nil || len(files) == 0 {
		p.t.Fatalf("no files of a database: %v", err)
	}
	file := files[p.rng.IntN(len(files))]
	p.note("hurting %s", filepath.Base(file))
	if err := hurt(file); err != nil {
		p.t.Fatal(err)
	}
	p.start(one.name)
}

func (p *programme) cutOff(file string) error {
	info, err := os.Stat(file)
	if err == nil && info.Size() > 0 {
		err = os.Truncate(file, p.rng.Int64N(info.Size()))
	}
	return err
}

// flipBits changes up to 16 bits anywhere in a file.
func (p *programme) flipBits(file string) error {
	content, err := os.ReadFile(file)
	if err != nil || len(content) == 0 {
		return err
	}
	for range 1 + p.rng.IntN(16) {
		content[p.rng.IntN(len(content))] ^= 1 << p.rng.IntN(8)
	}
	f, err := os.OpenFile(file, os.O_WRONLY, 0) // a table that is gone meanwhile stays away
	if err == nil {
		_, err = f.Write(content)
		err = errors.Join(err, f.Close())
	}
	return err
}

// damageAlive hurts tables of a process that goes on, which has to notice when it reads them.
func (p *programme) damageAlive(one *process) {
	p.t.Helper()
	p.feedUntil(one.isRunning)
	tables, _ := filepath.Glob(filepath.Join(p.database(one.name), "*.sst"))
	for _, table := range tables {
		if err := p.flipBits(table); err != nil && !errors.Is(err, fs.ErrNotExist) { // compactions remove tables
			p.t.Fatal(err)
		}
	}
	p.note("hurting %d tables", len(tables))
}

// foreign kills a process and puts the database of another application into the place of its own.
func (p *programme) foreign(one *process) {
	p.t.Helper()
	p.feedUntil(one.isRunning)
	p.kill(one)
	path := p.database(one.name)
	err := os.RemoveAll(path)
	if err == nil {
		var db *state.DB
		if db, err = state.OpenDB(path, state.Options{ApplicationID: "another"}); err == nil {
			err = db.Close()
		}
	}
	if err != nil {
		p.t.Fatal(err)
	}
	p.start(one.name)
}

// diskBytes is the size of the disk that is full soon.
const diskBytes = 512 << 10

// fillDisk has a process keep its state on a disk that is too small for it. It must say so with a code, whether it ends
// or waits, and what is on the disk must not hurt the one that comes after it, on a disk that has room.
func (p *programme) fillDisk(name string) {
	p.t.Helper()
	p.stop(p.other(p.procs[name])) // all of the state is to go to the small disk
	p.kill(p.procs[name])
	dir := filepath.Join(p.dir, "state-"+name)
	if err := os.RemoveAll(dir); err != nil {
		p.t.Fatal(err)
	}
	unmount, wrapped := p.smallDisk(dir)
	defer unmount()
	one := p.startAs(name, wrapped)
	one.mayExit = errs.StateUnusable.Exit
	// It has to wait for the session of its predecessor first, whose identity is gone.
	late := time.Now().Add(2 * faultStall)
	p.feedUntil(func() bool {
		return one.isDead() || strings.Contains(one.out.String(), errs.StateUnusable.ID) || time.Now().After(late)
	})
	soon := time.Now().Add(time.Second)
	p.feedUntil(func() bool { return one.isDead() || time.Now().After(soon) })
	switch {
	case !one.isDead():
		p.note("it waits for room")
		p.kill(one)
	case one.cmd.ProcessState.ExitCode() != one.mayExit:
		p.t.Errorf("on a full disk a process ended with %d", one.cmd.ProcessState.ExitCode())
	}
	if said := one.out.String(); !strings.Contains(said, errs.StateUnusable.ID) {
		p.t.Errorf("on a full disk a process did not say %s:\n%s", errs.StateUnusable.ID, tail(said))
	}
	p.bury(one, "full disk")
	unmount()
	p.start(name)
}

// smallDisk makes the folder a file system of diskBytes. Where mounting is not allowed it returns a command that bounds
// the size of the files of the process after it instead.
func (p *programme) smallDisk(dir string) (unmount func(), wrapped []string) {
	p.t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		p.t.Fatal(err)
	}
	err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", diskBytes))
	if err != nil {
		p.note("no small disk (%v): files are bounded instead", err)
		return func() {}, []string{"bash", "-c", fmt.Sprintf(`ulimit -f %d; exec "$0" "$@"`, diskBytes>>10)}
	}
	mounted := true
	return func() {
		if mounted {
			mounted = false
			if err := syscall.Unmount(dir, 0); err != nil {
				p.t.Errorf("unmounting a small disk: %v", err)
			}
		}
	}, nil
}
