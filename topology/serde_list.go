package topology

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
)

// List is the serde of lists of inner, in the bytes of Kafka's ListSerde: list(inner) by name. Entries of fixed size
// (long, int, short, float, double, uuid) stand one after another with the positions of the nulls before them; others
// have their length before them, -1 for null. A nil inner is bytes.
func List(inner Serde) Serde { return listSerde{inner: orBytes(inner)} }

type listSerde struct{ inner Serde }

func (s listSerde) Name() string { return "list(" + s.inner.Name() + ")" }

// How the entries of a list are written.
const (
	constantSize byte = iota
	variableSize
)

// fixedSize is the size of a serde's values where lists make use of it, else 0. UUIDs are text of 36 bytes.
func fixedSize(s Serde) int {
	if s == UUID {
		return 36
	}
	if f, ok := s.(fixedSerde); ok {
		return f.size
	}
	return 0
}

// Deserialize checks the frame and every entry.
func (s listSerde) Deserialize(data []byte) ([]byte, error) {
	if data == nil {
		return nil, nil
	}
	return data, s.walk(data, func(entry []byte) error {
		_, err := s.inner.Deserialize(entry)
		return err
	})
}

var errListCut = errors.New("the list ends too early")

// walk visits the entries; nil is null.
func (s listSerde) walk(data []byte, visit func(entry []byte) error) error {
	if len(data) == 0 {
		return errListCut
	}
	size, rest := fixedSize(s.inner), data[1:]
	nulls := map[int]bool{}
	switch {
	case data[0] > variableSize:
		return fmt.Errorf("invalid serialization strategy flag value %d", data[0])
	case data[0] == constantSize:
		if size == 0 {
			//lint:ignore ST1005 Kafka's words
			return errors.New("Data is encoded as constant size entries, but configured inner deserializer is not a known fixed-size deserializer.")
		}
		var err error
		if nulls, rest, err = readNulls(rest); err != nil {
			return err
		}
	default:
		size = 0
	}
	n, rest, ok := cutInt32(rest)
	if !ok || n < 0 || n > len(data) {
		return errListCut
	}
	for i := range n {
		var entry []byte
		var err error
		if entry, rest, err = readEntry(rest, size, nulls[i]); err != nil {
			return err
		}
		if err := visit(entry); err != nil {
			return err
		}
	}
	return nil
}

func readNulls(data []byte) (nulls map[int]bool, rest []byte, err error) {
	n, rest, ok := cutInt32(data)
	if !ok || n < 0 || n > len(data)/4 {
		return nil, nil, errListCut
	}
	nulls = make(map[int]bool, n)
	for range n {
		var at int
		if at, rest, ok = cutInt32(rest); !ok {
			return nil, nil, errListCut
		}
		nulls[at] = true
	}
	return nulls, rest, nil
}

// readEntry takes one entry; size is 0 where each has its own length.
func readEntry(data []byte, size int, null bool) (entry, rest []byte, err error) {
	if null {
		return nil, data, nil
	}
	if size == 0 {
		n, after, ok := cutInt32(data)
		switch {
		case !ok || n < -1:
			return nil, nil, errListCut
		case n == -1:
			return nil, after, nil
		}
		size, data = n, after
	}
	if size > len(data) {
		return nil, nil, errListCut
	}
	return data[:size:size], data[size:], nil
}

func cutInt32(data []byte) (n int, rest []byte, ok bool) {
	if len(data) < 4 {
		return 0, nil, false
	}
	return int(int32(binary.BigEndian.Uint32(data))), data[4:], true
}

// AppendList appends entries as a list of inner; a nil entry is null.
func AppendList(dst []byte, inner Serde, entries [][]byte) []byte {
	fixed := fixedSize(orBytes(inner)) > 0
	if fixed {
		dst = appendNulls(append(dst, constantSize), entries)
	} else {
		dst = append(dst, variableSize)
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(entries)))
	for _, e := range entries {
		if !fixed {
			n := int32(len(e))
			if e == nil {
				n = -1
			}
			dst = binary.BigEndian.AppendUint32(dst, uint32(n))
		}
		dst = append(dst, e...)
	}
	return dst
}

func appendNulls(dst []byte, entries [][]byte) []byte {
	count := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	n := uint32(0)
	for i, e := range entries {
		if e == nil {
			n++
			dst = binary.BigEndian.AppendUint32(dst, uint32(i))
		}
	}
	binary.BigEndian.PutUint32(dst[count:], n)
	return dst
}

// appendListText appends a list as JSON: numbers and booleans as they are, other entries as strings.
func appendListText(dst []byte, s listSerde, data []byte) ([]byte, error) {
	dst = append(dst, '[')
	first := true
	err := s.walk(data, func(entry []byte) error {
		if !first {
			dst = append(dst, ',')
		}
		first = false
		text, err := AppendText(nil, s.inner, entry)
		if err != nil {
			return err
		}
		if entry != nil && !bareInLists(s.inner) {
			if text, err = json.Marshal(string(text)); err != nil {
				return err
			}
		}
		dst = append(dst, text...)
		return nil
	})
	return append(dst, ']'), err
}

// bareInLists are the serdes whose text is JSON already.
func bareInLists(s Serde) bool {
	switch s {
	case Long, Integer, Short, Boolean, JSON:
		return true
	}
	_, list := s.(listSerde)
	return list
}

// parseListText reads what appendListText writes.
func parseListText(s listSerde, text string) ([]byte, error) {
	var raw []json.RawMessage
	if err := json.Unmarshal([]byte(text), &raw); err != nil {
		return nil, fmt.Errorf("a list is written as a JSON array: %w", err)
	}
	entries := make([][]byte, len(raw))
	for i, r := range raw {
		if string(r) == "null" {
			continue
		}
		entry := string(r)
		if !bareInLists(s.inner) {
			var quoted string
			if json.Unmarshal(r, &quoted) == nil {
				entry = quoted
			}
		}
		var err error
		if entries[i], err = ParseText(s.inner, entry); err != nil {
			return nil, err
		}
	}
	return AppendList(nil, s.inner, entries), nil
}
