package connect

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/data"
)

// SourceOffsets is what the offset topic says: the fold of its records. It is for one goroutine. Partitions are told apart
// by what they hold, not by their bytes, and the bytes of a key are kept, so that a partition that Java wrote with its
// fields in another order is updated under its own key.
type SourceOffsets struct {
	byConnector map[string]map[string]sourceOffset
}

type sourceOffset struct {
	key               []byte
	partition, offset *data.Map
}

// NewSourceOffsets is the fold of an empty topic.
func NewSourceOffsets() *SourceOffsets {
	return &SourceOffsets{byConnector: map[string]map[string]sourceOffset{}}
}

// Apply adds a record. An error is about one that is to be ignored.
func (s *SourceOffsets) Apply(key, value []byte) error {
	connector, raw, err := ParseOffsetKey(key)
	if err != nil {
		return err
	}
	partition, err := ParseMapJSON(raw)
	if err != nil {
		return &OffsetKeyError{What: "Ignoring offset partition key with " + err.Error()}
	}
	offset, err := ParseMapJSON(value)
	if err != nil {
		return &OffsetKeyError{What: "Ignoring the offset of a partition of " + connector + ": " + err.Error()}
	}
	text := mapText(partition)
	if offset == nil {
		delete(s.byConnector[connector], text)
		return nil
	}
	if s.byConnector[connector] == nil {
		s.byConnector[connector] = map[string]sourceOffset{}
	}
	s.byConnector[connector][text] = sourceOffset{bytes.Clone(key), partition, offset}
	return nil
}

// Offset is the offset of a partition, nil if there is none.
func (s *SourceOffsets) Offset(connector string, partition *data.Map) *data.Map {
	return s.byConnector[connector][mapText(partition)].offset
}

// All are the offsets of a connector, in the order of their partitions' text.
func (s *SourceOffsets) All(connector string) (out []PartitionOffset) {
	known := s.byConnector[connector]
	var texts []string
	for text := range known {
		texts = append(texts, text)
	}
	slices.Sort(texts)
	for _, text := range texts {
		out = append(out, PartitionOffset{known[text].partition, known[text].offset})
	}
	return out
}

// Records are what has to be written for offsets to be known; a nil offset is a tombstone.
func (s *SourceOffsets) Records(connector string, offsets []PartitionOffset) ([]Record, error) {
	out := make([]Record, 0, len(offsets))
	for _, o := range offsets {
		partition, err := MapJSON(o.Partition)
		if err != nil {
			return nil, err
		}
		r := OffsetRecord(connector, partition, nil)
		if known, ok := s.byConnector[connector][string(partition)]; ok {
			r.Key = known.key
		}
		if o.Offset != nil {
			if r.Value, err = MapJSON(o.Offset); err != nil {
				return nil, err
			}
		}
		out = append(out, r)
	}
	return out, nil
}

// OffsetStore keeps the offsets of sources. Several goroutines may use it.
type OffsetStore interface {
	// Offset is that of a partition, nil if there is none.
	Offset(connector string, partition *data.Map) (*data.Map, error)
	// All are the offsets of a connector, after what others have written.
	All(ctx context.Context, connector string) ([]PartitionOffset, error)
	// Set writes offsets and returns when they are safe; a nil offset forgets the partition.
	Set(ctx context.Context, connector string, offsets []PartitionOffset) error
	Close() error
}

// offsetReader reads for a connector and its tasks.
type offsetReader struct {
	store     OffsetStore
	connector string
}

// Offset implements connectors.OffsetReader.
func (r offsetReader) Offset(partition *data.Map) (*data.Map, error) {
	return r.store.Offset(r.connector, partition)
}

// Offsets implements connectors.OffsetReader.
func (r offsetReader) Offsets(partitions []*data.Map) ([]*data.Map, error) {
	out := make([]*data.Map, len(partitions))
	for i, p := range partitions {
		var err error
		if out[i], err = r.store.Offset(r.connector, p); err != nil {
			return nil, err
		}
	}
	return out, nil
}

var _ connectors.OffsetReader = offsetReader{}

// FileOffsets keeps offsets in a file of a standalone worker: a line of JSON for each partition, [key,value], as they would
// lie in the offset topic. Kafka writes a Java-serialised map instead, which only a JVM reads.
type FileOffsets struct {
	path string
	mu   struct {
		sync.Mutex
		fold *SourceOffsets
	}
}

// OpenFileOffsets reads the file, if it is there. With path "" offsets live in memory.
func OpenFileOffsets(path string) (*FileOffsets, error) {
	f := &FileOffsets{path: path}
	f.mu.fold = NewSourceOffsets()
	if path == "" {
		return f, nil
	}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err = os.Stat(filepath.Dir(path)); err == nil {
			return f, nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("reading the offsets: %w", err)
	}
	if bytes.HasPrefix(b, []byte{0xac, 0xed}) {
		return nil, fmt.Errorf("reading the offsets: %s was written by Java; give offset.storage.file.filename another name", path)
	}
	lines := bufio.NewScanner(bytes.NewReader(b))
	lines.Buffer(nil, len(b)+1)
	for n := 1; lines.Scan(); n++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		var pair [2]json.RawMessage
		if err := json.Unmarshal(lines.Bytes(), &pair); err != nil {
			return nil, fmt.Errorf("%s:%d:1: reading the offsets: %w", path, n, err)
		}
		if err := f.mu.fold.Apply(pair[0], pair[1]); err != nil {
			return nil, fmt.Errorf("%s:%d:1: %w", path, n, err)
		}
	}
	return f, nil
}

// Offset implements OffsetStore.
func (f *FileOffsets) Offset(connector string, partition *data.Map) (*data.Map, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.mu.fold.Offset(connector, partition), nil
}

// All implements OffsetStore.
func (f *FileOffsets) All(_ context.Context, connector string) ([]PartitionOffset, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.mu.fold.All(connector), nil
}

// Set implements OffsetStore: the file is replaced as a whole, so that it is never half written.
func (f *FileOffsets) Set(_ context.Context, connector string, offsets []PartitionOffset) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	records, err := f.mu.fold.Records(connector, offsets)
	if err != nil {
		return err
	}
	for _, r := range records {
		if err := f.mu.fold.Apply(r.Key, r.Value); err != nil {
			return err
		}
	}
	if f.path == "" {
		return nil
	}
	return writeWhole(f.path, f.mu.fold.lines())
}

func (s *SourceOffsets) lines() []byte {
	var all []string
	for _, known := range s.byConnector {
		for _, o := range known {
			value, err := MapJSON(o.offset)
			if err != nil {
				panic("an offset that was read cannot be written: " + err.Error())
			}
			all = append(all, "["+string(o.key)+","+string(value)+"]\n")
		}
	}
	slices.Sort(all)
	return []byte(strings.Join(all, ""))
}

// writeWhole writes a file under another name, syncs it and puts it in its place.
func writeWhole(path string, b []byte) (err error) {
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("writing the offsets: %w", err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("writing the offsets: %w", err)
			os.Remove(tmp.Name())
		}
	}()
	_, err = tmp.Write(b)
	if serr := tmp.Sync(); err == nil {
		err = serr
	}
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

// Close does nothing: every Set is safe.
func (f *FileOffsets) Close() error { return nil }
