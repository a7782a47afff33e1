package topology

import (
	"encoding/binary"
	"fmt"

	"github.com/wasmstream/wasmstream/internal/errs"
)

// The encodings of a change in repartition topics, in its last byte (ChangedSerializer, ChangedDeserializer). The first
// three are written; the others, which have a flag before the last byte that tells whether the change is of the latest
// version, come from writers of some releases and are read.
const (
	changeOldOnly byte = iota
	changeNewOnly
	changeBoth
	changeOldOnlyFlagged
	changeNewOnlyFlagged
	changeBothFlagged
)

// AppendChange appends the bytes of a change of a table in a repartition topic: the value after it and the one before,
// of which at most one is null.
func AppendChange(dst, value, old []byte) []byte {
	switch {
	case value == nil:
		return append(append(dst, old...), changeOldOnly)
	case old == nil:
		return append(append(dst, value...), changeNewOnly)
	}
	dst = binary.AppendVarint(dst, int64(len(value)))
	return append(append(append(dst, value...), old...), changeBoth)
}

// ChangeSize is the length of what AppendChange appends.
func ChangeSize(value, old []byte) int {
	if value == nil || old == nil {
		return len(value) + len(old) + 1
	}
	var length [binary.MaxVarintLen64]byte
	return binary.PutVarint(length[:], int64(len(value))) + len(value) + len(old) + 1
}

// SplitChange takes the bytes of a change apart, in any of the encodings; value and old point into data. A part that the
// encoding does not have is nil.
func SplitChange(data []byte) (value, old []byte, latest bool, err error) {
	if len(data) == 0 {
		return nil, nil, false, errs.RecordFormat.New("change", "a change of a table has no bytes", "")
	}
	encoding, rest := data[len(data)-1], data[:len(data)-1:len(data)-1]
	latest = true
	if encoding >= changeOldOnlyFlagged && encoding <= changeBothFlagged {
		if len(rest) == 0 || rest[len(rest)-1] > 1 {
			return nil, nil, false, errs.RecordFormat.New("change", "a change of a table has no flag of its latest version where its encoding has one", "")
		}
		latest = rest[len(rest)-1] == 1
		rest = rest[: len(rest)-1 : len(rest)-1]
		encoding -= changeOldOnlyFlagged
	}
	switch encoding {
	case changeOldOnly:
		return nil, rest, latest, nil
	case changeNewOnly:
		return rest, nil, latest, nil
	case changeBoth:
		n, size := binary.Varint(rest)
		if size <= 0 || n < 0 || n > int64(len(rest)-size) {
			return nil, nil, false, errs.RecordFormat.New("change", "the length in a change of a table is wrong", "")
		}
		end := size + int(n)
		return rest[size:end:end], rest[end:], latest, nil
	}
	return nil, nil, false, errs.RecordFormat.New("change", fmt.Sprintf("a change of a table has the unknown encoding %d", encoding), "")
}
