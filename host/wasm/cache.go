package wasm

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/tetratelabs/wazero"

	"github.com/wasmstream/wasmstream/internal/errs"
)

// codeKey names compiled code: wazero makes it of the metered bytes and of what the processor can do.
type codeKey = [sha256.Size]byte

// codeStore keeps compiled code for wazero, which calls Get and Add from within CompileModule. What it gives back is
// machine code that will be run, so an entry is given only if its checksum, its key and its versions are right; any
// other is removed, and the module is compiled again.
//
// An entry: magic, the version of wazero, the version of metering, key, length, code, SHA-256 of all before.
type codeStore struct {
	dir string // "" keeps nothing beyond the compilation at hand
	log *slog.Logger

	mu struct {
		sync.Mutex
		// ready is code that was checked, for a compilation that is about to ask for it.
		ready map[codeKey][]byte
		// seen is the key that was asked for last; it is read while nothing else compiles, at the start.
		seen codeKey
	}
}

// codeMagic begins an entry.
const codeMagic = "wasmstream code 1\n"

// codeDir is the part of the cache directory for code that this metering pass and this wazero wrote.
func codeDir(dir string) string {
	return filepath.Join(dir, fmt.Sprintf("metered-v%d", meterVersion), "wazero-"+wazeroVersion()+"-"+runtime.GOOS+"-"+runtime.GOARCH)
}

// openStore makes the store of a configuration, or nil if it needs none.
func openStore(config Config) (*codeStore, error) {
	if config.Interpreter || config.CacheDir == "" && len(config.Compiler.Command) == 0 {
		return nil, nil
	}
	s := &codeStore{log: config.Logger}
	s.mu.ready = map[codeKey][]byte{}
	if config.CacheDir == "" {
		return s, nil
	}
	s.dir = codeDir(config.CacheDir)
	for _, d := range []string{config.CacheDir, filepath.Dir(s.dir), s.dir} {
		if err := ownDir(d); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// ownDir makes a directory that only its owner may enter, and refuses one that others may write to: what lies there is
// run as machine code.
func ownDir(dir string) error {
	err := os.MkdirAll(dir, 0o700)
	var info fs.FileInfo
	if err == nil {
		info, err = os.Stat(dir)
	}
	if err != nil {
		return errs.ModuleCache.New(dir, "the folder cannot be made", "").WithCause(errs.WithoutPath(err))
	}
	const writableByOthers = 0o022
	if runtime.GOOS != "windows" && info.Mode().Perm()&writableByOthers != 0 {
		return errs.ModuleCache.New(dir, fmt.Sprintf("others may write to the folder of compiled modules (mode %#o)", info.Mode().Perm()), "chmod go-w "+dir)
	}
	return nil
}

// compilationCache makes wazero keep its code in store, which has Get, Add and Delete. wazero has a directory of files for it and no way to bring a store
// of one's own, so the field is set by reflection; a wazero that has no such field compiles without a store.
func compilationCache(store any) (cache wazero.CompilationCache, ok bool) {
	cache = wazero.NewCompilationCache()
	v := reflect.ValueOf(cache)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		return cache, false
	}
	field := v.Elem().FieldByName("fileCache")
	if !field.IsValid() || field.Kind() != reflect.Interface || !reflect.TypeOf(store).Implements(field.Type()) {
		return cache, false
	}
	reflect.NewAt(field.Type(), field.Addr().UnsafePointer()).Elem().Set(reflect.ValueOf(store))
	return cache, true
}

func (s *codeStore) path(key codeKey) string {
	return filepath.Join(s.dir, hex.EncodeToString(key[:])+".code")
}

// Get implements the cache of wazero. An entry that is not right is no error: the module is compiled again.
func (s *codeStore) Get(key codeKey) (content io.ReadCloser, ok bool, err error) {
	s.mu.Lock()
	code := s.mu.ready[key]
	s.mu.seen = key
	s.mu.Unlock()
	if code == nil {
		code = s.load(key)
	}
	return io.NopCloser(bytes.NewReader(code)), code != nil, nil
}

// Add implements the cache of wazero.
func (s *codeStore) Add(key codeKey, content io.Reader) error {
	code, err := io.ReadAll(content)
	if err != nil {
		return err
	}
	s.save(key, code)
	return nil
}

// Delete implements the cache of wazero.
func (s *codeStore) Delete(key codeKey) error {
	s.forget(key)
	if s.dir == "" {
		return nil
	}
	if err := os.Remove(s.path(key)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// hold keeps code at hand until forget.
func (s *codeStore) hold(key codeKey, code []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.ready[key] = code
}

func (s *codeStore) forget(key codeKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.mu.ready, key)
}

// load reads an entry and removes it if it is not right.
func (s *codeStore) load(key codeKey) []byte {
	if s.dir == "" {
		return nil
	}
	entry, err := os.ReadFile(s.path(key))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var code []byte
	if err == nil {
		code, err = readEntry(key, entry)
	}
	if err != nil {
		s.log.Warn("compiled code is not used", slog.String("file", s.path(key)), slog.Any("error", err))
		if err := os.Remove(s.path(key)); err != nil {
			s.log.Warn("removing compiled code", slog.Any("error", err))
		}
		return nil
	}
	return code
}

// save writes the entry of code.
func (s *codeStore) save(key codeKey, code []byte) {
	if s.dir != "" {
		s.saveEntry(key, appendEntry(nil, key, code))
	}
}

// saveEntry writes an entry, whole or not at all. That it cannot be written costs time at the next start and nothing
// else.
func (s *codeStore) saveEntry(key codeKey, entry []byte) {
	if s.dir == "" {
		return
	}
	if err := writeFile(s.path(key), entry); err != nil {
		s.log.Warn("keeping compiled code", slog.Any("error", err))
	}
}

// writeFile writes a file beside its place and then moves it there.
func writeFile(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

func appendEntry(dst []byte, key codeKey, code []byte) []byte {
	start := len(dst)
	dst = append(appendEntryHead(dst, key, len(code)), code...)
	sum := sha256.Sum256(dst[start:])
	return append(dst, sum[:]...)
}

// writeEntry writes what appendEntry appends; size is the length of code.
func writeEntry(w io.Writer, key codeKey, size int, code io.Reader) error {
	sum := sha256.New()
	summed := io.MultiWriter(w, sum)
	if _, err := summed.Write(appendEntryHead(nil, key, size)); err != nil {
		return err
	}
	if _, err := io.CopyN(summed, code, int64(size)); err != nil {
		return err
	}
	_, err := w.Write(sum.Sum(nil))
	return err
}

func appendEntryHead(dst []byte, key codeKey, size int) []byte {
	dst = append(append(dst, codeHead()...), key[:]...)
	return binary.LittleEndian.AppendUint64(dst, uint64(size))
}

// codeHead is what every entry of this program begins with.
func codeHead() []byte {
	head := append([]byte(codeMagic), wazeroVersion()...)
	return binary.LittleEndian.AppendUint32(append(head, '\n'), meterVersion)
}

// readEntry checks an entry and returns its code, a view.
func readEntry(key codeKey, entry []byte) ([]byte, error) {
	head := codeHead()
	least := len(head) + len(key) + 8 + sha256.Size
	if len(entry) < least {
		return nil, fmt.Errorf("it is cut off (%d bytes)", len(entry))
	}
	body, sum := entry[:len(entry)-sha256.Size], entry[len(entry)-sha256.Size:]
	if want := sha256.Sum256(body); !bytes.Equal(sum, want[:]) {
		return nil, errors.New("its checksum is wrong")
	}
	if !bytes.Equal(body[:len(head)], head) {
		return nil, errors.New("another version wrote it")
	}
	body = body[len(head):]
	if !bytes.Equal(body[:len(key)], key[:]) {
		return nil, errors.New("it belongs to another module")
	}
	body = body[len(key):]
	if code := body[8:]; binary.LittleEndian.Uint64(body) == uint64(len(code)) {
		return code, nil
	}
	return nil, errors.New("its length is wrong")
}

// codeNote is beside the code of a module and says which that is. Processor is a key that depends on nothing but the
// processor, so that a cache that moves to another machine is not taken for its own.
type codeNote struct {
	Digest    string    `json:"digest"`
	Name      string    `json:"name,omitempty"`
	Size      int       `json:"size"`
	Wazero    string    `json:"wazero"`
	Metering  int       `json:"metering"`
	Metered   string    `json:"metered"`
	Key       string    `json:"key"`
	Processor string    `json:"processor"`
	Compiled  time.Time `json:"compiled"`
}

func (s *codeStore) notePath(digest string) string {
	return filepath.Join(s.dir, digest[len("sha256:"):]+".json")
}

// note returns what is known of the code of a module, if its code was made of these metered bytes and is there, right
// and held ready.
func (s *codeStore) note(digest, metered, processor string) (key codeKey, ok bool) {
	if s.dir == "" {
		return key, false
	}
	text, err := os.ReadFile(s.notePath(digest))
	if err != nil {
		return key, false
	}
	var note codeNote
	if err := json.Unmarshal(text, &note); err != nil || note.Metered != metered || note.Processor != processor {
		return key, false
	}
	n, err := hex.Decode(key[:], []byte(note.Key)[:min(len(note.Key), hex.EncodedLen(len(key)))])
	if err != nil || n != len(key) {
		return key, false
	}
	code := s.load(key)
	if code == nil {
		return key, false
	}
	s.hold(key, code)
	return key, true
}

// writeNote writes a note. That it cannot be written costs time at the next start and nothing else.
func (s *codeStore) writeNote(note *codeNote) {
	if s.dir == "" {
		return
	}
	text, err := json.Marshal(note)
	if err == nil {
		err = writeFile(s.notePath(note.Digest), append(text, '\n'))
	}
	if err != nil {
		s.log.Warn("noting a cached module", slog.String("digest", note.Digest), slog.Any("error", err))
	}
}

// lastSeen is the key that was asked for last.
func (s *codeStore) lastSeen() codeKey {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.seen
}

var wazeroVersion = sync.OnceValue(func() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range info.Deps {
			if dep.Path == "github.com/tetratelabs/wazero" {
				return dep.Version
			}
		}
	}
	return "unknown"
})

// CacheDir is where compiled modules are kept between processes: in the user's cache folder unless the setting names
// another, nowhere if it is "off" or there is no such folder.
func CacheDir(setting string) string {
	switch setting {
	case "off":
		return ""
	case "":
		base, err := os.UserCacheDir()
		if err != nil {
			return ""
		}
		return filepath.Join(base, "wasmstream", "modules")
	}
	return setting
}
