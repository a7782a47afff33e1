package topology

import (
	"encoding/binary"
	"fmt"

	"github.com/wasmstream/wasmstream/internal/errs"
)

// SubscriptionInstruction is what the left side of a foreign-key join asks of the right one.
type SubscriptionInstruction byte

// The instructions.
const (
	// DeleteKeyNoPropagate ends the subscription without an answer.
	DeleteKeyNoPropagate SubscriptionInstruction = iota
	// DeleteKeyAndPropagate ends the subscription and answers that there is no right value.
	DeleteKeyAndPropagate
	// PropagateNullIfNoFKVal subscribes and wants an answer whether there is a right value or not.
	PropagateNullIfNoFKVal
	// PropagateOnlyIfFKVal subscribes and wants an answer only if there is a right value.
	PropagateOnlyIfFKVal
)

// String is Kafka's name.
func (i SubscriptionInstruction) String() string {
	names := [...]string{
		"DELETE_KEY_NO_PROPAGATE", "DELETE_KEY_AND_PROPAGATE",
		"PROPAGATE_NULL_IF_NO_FK_VAL_AVAILABLE", "PROPAGATE_ONLY_IF_FK_VAL_AVAILABLE",
	}
	if int(i) < len(names) {
		return names[i]
	}
	return fmt.Sprintf("instruction %d", byte(i))
}

// Subscription is a record of the registration topic of a foreign-key join (SubscriptionWrapper), and what the
// subscription store keeps.
type Subscription struct {
	// Hash is that of the left value, unless that is null.
	Hash     Murmur3Hash128
	HasHash  bool
	Instruct SubscriptionInstruction
	// PrimaryKey is the key of the left side.
	PrimaryKey []byte
	// PrimaryPartition is the partition of the left side's task, to which the response goes; -1 where an old writer did
	// not tell.
	PrimaryPartition int32
}

const (
	subscriptionVersion = 1
	noHash              = 0x80 // beside the version
	hashSize            = 16
)

// Append appends the bytes of version 1: version | instruction | hash | primary key | int32 partition. With a
// PrimaryPartition of -1 they are those of version 0, which has none.
func (s *Subscription) Append(dst []byte) []byte {
	version := byte(subscriptionVersion)
	if s.PrimaryPartition < 0 {
		version = 0
	}
	dst = appendVersion(dst, version, s.HasHash)
	dst = append(dst, byte(s.Instruct))
	dst = appendHash(dst, s.Hash, s.HasHash)
	dst = append(dst, s.PrimaryKey...)
	if version == 0 {
		return dst
	}
	return binary.BigEndian.AppendUint32(dst, uint32(s.PrimaryPartition))
}

// Size is the length of what Append appends at most.
func (s *Subscription) Size() int { return 2 + hashSize + len(s.PrimaryKey) + 4 }

// ParseSubscription reads the bytes of versions 0 and 1; PrimaryKey points into data.
func ParseSubscription(data []byte) (s Subscription, err error) {
	version, rest, err := splitVersion(data, "a subscription of a foreign-key join", subscriptionVersion)
	if err != nil || len(rest) == 0 {
		return s, damaged(err, "a subscription of a foreign-key join")
	}
	s.Instruct, rest = SubscriptionInstruction(rest[0]), rest[1:]
	if s.Instruct > PropagateOnlyIfFKVal {
		return s, damaged(nil, "a subscription of a foreign-key join")
	}
	if s.HasHash = data[0]&noHash == 0; s.HasHash {
		if s.Hash, rest, err = splitHash(rest); err != nil {
			return s, err
		}
	}
	s.PrimaryPartition = -1
	if version >= 1 {
		n := len(rest) - 4
		if n < 0 {
			return s, damaged(nil, "a subscription of a foreign-key join")
		}
		s.PrimaryPartition, rest = int32(binary.BigEndian.Uint32(rest[n:])), rest[:n]
	}
	s.PrimaryKey = rest[:len(rest):len(rest)]
	return s, nil
}

// SubscriptionResponse is a record of the response topic of a foreign-key join (SubscriptionResponseWrapper).
type SubscriptionResponse struct {
	// Hash is that of the subscription.
	Hash    Murmur3Hash128
	HasHash bool
	// Value is the right value, nil if there is none. An empty value reads as nil.
	Value []byte
}

// Append appends the bytes of version 0: version | hash | value.
func (s *SubscriptionResponse) Append(dst []byte) []byte {
	dst = appendVersion(dst, 0, s.HasHash)
	dst = appendHash(dst, s.Hash, s.HasHash)
	return append(dst, s.Value...)
}

// Size is the length of what Append appends.
func (s *SubscriptionResponse) Size() int {
	if s.HasHash {
		return 1 + hashSize + len(s.Value)
	}
	return 1 + len(s.Value)
}

// ParseSubscriptionResponse reads the bytes; Value points into data.
func ParseSubscriptionResponse(data []byte) (s SubscriptionResponse, err error) {
	_, rest, err := splitVersion(data, "a response of a foreign-key join", 0)
	if err != nil {
		return s, err
	}
	if s.HasHash = data[0]&noHash == 0; s.HasHash {
		if s.Hash, rest, err = splitHash(rest); err != nil {
			return s, err
		}
	}
	if len(rest) > 0 {
		s.Value = rest
	}
	return s, nil
}

func appendVersion(dst []byte, version byte, hasHash bool) []byte {
	if !hasHash {
		version |= noHash
	}
	return append(dst, version)
}

func appendHash(dst []byte, h Murmur3Hash128, has bool) []byte {
	if !has {
		return dst
	}
	dst = binary.BigEndian.AppendUint64(dst, uint64(h[0]))
	return binary.BigEndian.AppendUint64(dst, uint64(h[1]))
}

func splitVersion(data []byte, what string, latest byte) (version byte, rest []byte, err error) {
	if len(data) == 0 {
		return 0, nil, damaged(nil, what)
	}
	if version = data[0] &^ noHash; version > latest {
		return 0, nil, errs.RecordFormat.New("foreign-key join",
			fmt.Sprintf("%s has the incompatible version %d", what, version), "run a release that knows it")
	}
	return version, data[1:], nil
}

func splitHash(data []byte) (h Murmur3Hash128, rest []byte, err error) {
	if len(data) < hashSize {
		return h, nil, damaged(nil, "the hash of a foreign-key join")
	}
	h[0], h[1] = int64(binary.BigEndian.Uint64(data)), int64(binary.BigEndian.Uint64(data[8:]))
	return h, data[hashSize:], nil
}

func damaged(err error, what string) error {
	if err != nil {
		return err
	}
	return errs.RecordFormat.New("foreign-key join", what+" is damaged", "")
}

// AppendCombinedKey appends the key of a subscription in its store, int32 length | foreign key | primary key
// (CombinedKeySchema). Without the primary key it is the prefix of all that subscribe to the foreign key.
func AppendCombinedKey(dst, foreignKey, primaryKey []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(foreignKey)))
	return append(append(dst, foreignKey...), primaryKey...)
}

// SplitCombinedKey takes such a key apart; both parts point into data.
func SplitCombinedKey(data []byte) (foreignKey, primaryKey []byte, err error) {
	if len(data) < 4 || uint64(binary.BigEndian.Uint32(data)) > uint64(len(data)-4) {
		return nil, nil, damaged(nil, "the key of a subscription")
	}
	end := 4 + int(binary.BigEndian.Uint32(data))
	return data[4:end:end], data[end:], nil
}
