package topology

import (
	"encoding/binary"
	"math/bits"
)

// Murmur3Hash128 is the 128-bit hash of Murmur3 (x64), as two of Java's signed longs.
type Murmur3Hash128 [2]int64

const (
	// murmur3Seed is that of Kafka Streams.
	murmur3Seed = 104729
	murmur3C1   = 0x87c37b91114253d5
	murmur3C2   = 0x4cf5ad432745937f
)

// Murmur3 is the hash by which a foreign-key join tells whether a left value is still the one that was subscribed with.
func Murmur3(data []byte) Murmur3Hash128 {
	h1, h2 := uint64(murmur3Seed), uint64(murmur3Seed)
	rest := data
	for ; len(rest) >= 16; rest = rest[16:] {
		h1 ^= murmur3K1(binary.LittleEndian.Uint64(rest))
		h1 = (bits.RotateLeft64(h1, 27)+h2)*5 + 0x52dce729
		h2 ^= murmur3K2(binary.LittleEndian.Uint64(rest[8:]))
		h2 = (bits.RotateLeft64(h2, 31)+h1)*5 + 0x38495ab5
	}
	var tail [16]byte
	copy(tail[:], rest)
	if len(rest) > 8 {
		h2 ^= murmur3K2(binary.LittleEndian.Uint64(tail[8:]))
	}
	if len(rest) > 0 {
		h1 ^= murmur3K1(binary.LittleEndian.Uint64(tail[:]))
	}
	h1 ^= uint64(len(data))
	h2 ^= uint64(len(data))
	h1 += h2
	h2 += h1
	h1, h2 = murmur3Mix(h1), murmur3Mix(h2)
	h1 += h2
	h2 += h1
	return Murmur3Hash128{int64(h1), int64(h2)}
}

func murmur3K1(k uint64) uint64 { return bits.RotateLeft64(k*murmur3C1, 31) * murmur3C2 }

func murmur3K2(k uint64) uint64 { return bits.RotateLeft64(k*murmur3C2, 33) * murmur3C1 }

func murmur3Mix(h uint64) uint64 {
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
