package vectors

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/wasmstream/wasmstream/topology"
)

// family computes what is expected of a vector.
type family func(v vector) (any, error)

// families by the beginning of the ids of their vectors.
func families() map[string]family {
	return map[string]family{
		"partition-": partition,
	}
}

// partition expects the hash and the partitions for the counts that it asks about, as "p<count>".
func partition(v vector) (any, error) {
	var in struct {
		KeyHex string `json:"key_hex"`
	}
	if err := strict(v.Input, &in); err != nil {
		return nil, err
	}
	key, err := hex.DecodeString(in.KeyHex)
	if err != nil {
		return nil, err
	}
	var asked map[string]int64
	if err := strict(v.Expected, &asked); err != nil {
		return nil, err
	}
	got := map[string]int32{}
	for name := range asked {
		count, isCount := strings.CutPrefix(name, "p")
		n, err := strconv.ParseInt(count, 10, 32)
		switch {
		case name == "murmur2":
			got[name] = topology.Murmur2(key)
		case !isCount || err != nil || n <= 0:
			return nil, fmt.Errorf("the key %q is not known", name)
		default:
			got[name] = topology.PartitionForKey(key, int32(n))
		}
	}
	return got, nil
}
