package state

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"github.com/wasmstream/wasmstream/internal/errs"
)

// ledgerApp is the application of the databases that are hurt.
func ledgerApp(fs vfs.FS) Options {
	return Options{ApplicationID: "app", MemTableBytes: minMemTableBytes, FS: fs}
}

// fill makes a database whose pairs lie in tables and in logs, and returns it as a process leaves it that dies, and as
// one does that ends well.
func fill(t testing.TB, commits int) (dead, closed vfs.FS) {
	t.Helper()
	fs := vfs.NewCrashableMem()
	db, err := OpenDB("db", ledgerApp(fs))
	if err != nil {
		t.Fatal(err)
	}
	store, err := db.KeyValue(ledgerStore, Plain)
	if err != nil {
		t.Fatal(err)
	}
	batch := db.NewBatch()
	for i := range commits {
		for k := range ledgerPairs {
			if err := store.Put(fmt.Appendf(nil, "%d-%d", i, k), make([]byte, 100)); err != nil {
				t.Fatal(err)
			}
		}
		if err := store.Stage(batch); err != nil {
			t.Fatal(err)
		}
		batch.SetOffset(ledgerStore, int64(i+1))
		if err := batch.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	dead = fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))})
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return dead, fs
}

const ledgerPairs = 200 // in each commit

var ledgerStore = StoreID{Task: "0_0", Store: "counts"}

// complete tells whether a database has all the pairs of the commits that it says it has.
func complete(fs vfs.FS) error {
	db, err := OpenDB("db", ledgerApp(fs))
	if err != nil {
		return err
	}
	defer db.Close()
	store, err := db.KeyValue(ledgerStore, Plain)
	if err != nil {
		return err
	}
	offset, _ := db.Offset(ledgerStore)
	for i := range offset {
		for k := range ledgerPairs {
			value, err := store.Get(fmt.Appendf(nil, "%d-%d", i, k))
			if err != nil {
				return err
			}
			if value == nil {
				return fmt.Errorf("pair %d-%d is lost of %d commits", i, k, offset)
			}
		}
	}
	return nil
}

// TestDamagedFilesAreNoticed hurts any file of a database, of a process that died or that ended well, in any way. It is
// refused, or it has all of some number of commits: never some pairs without those from before them.
func TestDamagedFilesAreNoticed(t *testing.T) {
	dead, closed := fill(t, 40)
	refused := 0
	rapid.Check(t, func(t *rapid.T) {
		from := rapid.SampledFrom([]vfs.FS{closed, dead}).Draw(t, "from")
		fs := vfs.NewMem()
		if ok, err := vfs.Clone(from, fs, "db", "db"); !ok || err != nil {
			t.Fatal(ok, err)
		}
		damage(t, fs)
		switch err := complete(fs); {
		case err == nil:
		case errors.Is(err, ErrCorrupt) || isDamage(err):
			refused++
		default:
			t.Fatal(err)
		}
	})
	if refused == 0 {
		t.Error("nothing was noticed")
	}
}

// failer is what *testing.T and *rapid.T have in common here.
type failer interface {
	Helper()
	Fatal(args ...any)
}

func readFile(t failer, fs vfs.FS, name string) []byte {
	t.Helper()
	f, err := fs.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	content, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func writeFile(t failer, fs vfs.FS, name string, content []byte) {
	t.Helper()
	f, err := fs.Create(name, vfs.WriteCategoryUnspecified)
	if err == nil {
		_, err = f.Write(content)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestManifestThatWasCutOff: Pebble would open it as of some time ago.
func TestManifestThatWasCutOff(t *testing.T) {
	fs, _ := fill(t, 20)
	names, err := fs.List("db")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasPrefix(name, manifestFiles) {
			content := readFile(t, fs, "db/"+name)
			writeFile(t, fs, "db/"+name, content[:len(content)/2])
		}
	}
	_, err = OpenDB("db", ledgerApp(fs))
	if !errs.StateCorrupt.Is(err) || !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), manifestFiles) {
		t.Errorf("a manifest that was cut off gives %v", err)
	}
}

// TestDatabaseWithoutLedger: what it had to say is not known any more, also by the next one who asks.
func TestDatabaseWithoutLedger(t *testing.T) {
	fs, _ := fill(t, 5)
	if err := fs.Remove("db/" + ledgerFile); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := OpenDB("db", ledgerApp(fs)); !errs.StateCorrupt.Is(err) || !errors.Is(err, ErrCorrupt) {
			t.Errorf("a database without a ledger gives %v", err)
		}
	}
}
