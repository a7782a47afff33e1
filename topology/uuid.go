package topology

import (
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
)

type uuidSerde struct{}

func (uuidSerde) Name() string { return "uuid" }

//lint:ignore ST1005 Kafka's words
var errNotUUID = errors.New("Error parsing data into UUID")

// Deserialize returns the canonical text: Java's UUID.fromString reads capitals and short groups too.
func (uuidSerde) Deserialize(data []byte) ([]byte, error) {
	if data == nil || canonicalUUID(data) {
		return data, nil
	}
	if len(data) > 36 {
		return nil, errNotUUID
	}
	groups := strings.Split(string(data), "-")
	if len(groups) != 5 {
		return nil, errNotUUID
	}
	return joinUUID(groups)
}

func canonicalUUID(b []byte) bool {
	if len(b) != 36 {
		return false
	}
	for i, c := range b {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if dash != (c == '-') || !dash && !(c >= '0' && c <= '9' || c >= 'a' && c <= 'f') {
			return false
		}
	}
	return true
}

// joinUUID reads each group as a number and keeps its low bits, as Java does.
func joinUUID(groups []string) ([]byte, error) {
	var raw []byte
	for i, size := range []int{4, 2, 2, 2, 6} {
		n, err := strconv.ParseInt(groups[i], 16, 64)
		if err != nil {
			return nil, errNotUUID
		}
		for shift := 8 * (size - 1); shift >= 0; shift -= 8 {
			raw = append(raw, byte(n>>shift))
		}
	}
	h := hex.EncodeToString(raw)
	return []byte(h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]), nil
}
