package state

import "fmt"

// ChangeLoggingKeyValueStore logs each write to the store's changelog after the layer below has it (Kafka's
// ChangeLoggingKeyValueBytesStore and its timestamped form). A timestamped value is logged without its timestamp, which
// is the record's; everything else under the timestamp of the context.
type ChangeLoggingKeyValueStore struct {
	layer
	changelog Changelog
	format    ValueFormat
	context   *RecordContext
	hidden    int // bytes at the front of a key that only the store has
}

// NewChangelogging logs the writes to inner; context is that of the task.
func NewChangelogging(inner layer, changelog Changelog, format ValueFormat, context *RecordContext) *ChangeLoggingKeyValueStore {
	return &ChangeLoggingKeyValueStore{layer: inner, changelog: changelog, format: format, context: context}
}

// Context is the task's.
func (s *ChangeLoggingKeyValueStore) Context() *RecordContext { return s.context }

// SetFlushListener returns false: there is no cache.
func (s *ChangeLoggingKeyValueStore) SetFlushListener(FlushListener, bool) bool { return false }

// Put sets and logs key; a nil value deletes it.
func (s *ChangeLoggingKeyValueStore) Put(key, value []byte) error {
	if err := s.layer.Put(key, value); err != nil {
		return err
	}
	return s.log(key, value)
}

// PutIfAbsent sets and logs key if it is absent, and returns the value that was there, or nil.
func (s *ChangeLoggingKeyValueStore) PutIfAbsent(key, value []byte) ([]byte, error) {
	before, err := s.layer.PutIfAbsent(key, value)
	if err != nil || before != nil {
		return before, err
	}
	return nil, s.log(key, value)
}

// Delete removes key, logs that, also if it was absent, and returns the value that was there, or nil.
func (s *ChangeLoggingKeyValueStore) Delete(key []byte) ([]byte, error) {
	before, err := s.layer.Delete(key)
	if err != nil {
		return nil, err
	}
	return before, s.log(key, nil)
}

func (s *ChangeLoggingKeyValueStore) log(key, value []byte) error {
	value, timestamp, raw := s.format.bare(value, s.context.Timestamp)
	var headers []Header
	var err error
	if s.format.hasHeaders() {
		if headers, err = DecodeHeaders(raw); err != nil {
			return fmt.Errorf("logging a change of store %q: %w", s.Name(), err)
		}
	}
	if err := logWithHeaders(s.changelog, key[s.hidden:], value, timestamp, headers); err != nil {
		return fmt.Errorf("logging a change of store %q: %w", s.Name(), err)
	}
	return nil
}
