package kafka

import (
	"slices"
	"sync"
)

// TopicKeys are the settings of a topic that Kafka 4.3.1 knows (TopicConfig, with the ranges of LogConfig): what may stand behind the
// prefix topic. Defaults are the broker's. The slice is shared and read only.
func TopicKeys() []Key { return topicKeys() }

// TopicKeyNames are their names, sorted.
func TopicKeyNames() []string {
	names := make([]string, 0, len(topicKeys()))
	for _, k := range topicKeys() {
		names = append(names, k.Name)
	}
	slices.Sort(names)
	return names
}

// TopicKey is the setting of a topic of that name.
func TopicKey(name string) (Key, bool) {
	i := slices.IndexFunc(topicKeys(), func(k Key) bool { return k.Name == name })
	if i < 0 {
		return Key{}, false
	}
	return topicKeys()[i], true
}

var topicKeys = sync.OnceValue(func() []Key {
	of := func(t Type, names ...string) (keys []Key) {
		for _, name := range names {
			keys = append(keys, key(name, t, Null, ""))
		}
		return keys
	}
	least := func(n float64, keys []Key) []Key {
		for i := range keys {
			keys[i] = keys[i].atLeast(n)
		}
		return keys
	}
	return slices.Concat(
		[]Key{
			key("cleanup.policy", List, Null, "").anyOf("delete", "compact"),
			key("compression.type", String, Null, "").anyOf("uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"),
			key("compression.gzip.level", Int, Null, "").between(-1, 9),
			key("compression.lz4.level", Int, Null, "").between(1, 17),
			key("compression.zstd.level", Int, Null, "").between(-131072, 22),
			key("message.timestamp.type", String, Null, "").anyOf("CreateTime", "LogAppendTime"),
			key("min.cleanable.dirty.ratio", Double, Null, "").between(0, 1),
		},
		least(-2, of(Long, "local.retention.bytes", "local.retention.ms")),
		least(-1, of(Long, "retention.ms")),
		of(Long, "retention.bytes"),
		least(0, of(Long, "delete.retention.ms", "file.delete.delay.ms", "flush.ms", "message.timestamp.after.max.ms",
			"message.timestamp.before.max.ms", "min.compaction.lag.ms", "segment.jitter.ms")),
		least(0, of(Int, "index.interval.bytes", "max.message.bytes")),
		least(1, of(Long, "flush.messages", "max.compaction.lag.ms", "segment.ms")),
		least(1, of(Int, "min.insync.replicas")),
		least(4, of(Int, "segment.index.bytes")),
		least(14, of(Int, "segment.bytes")),
		of(Boolean, "message.downconversion.enable", "preallocate", "remote.log.copy.disable", "remote.log.delete.on.disable",
			"remote.storage.enable", "unclean.leader.election.enable"),
		of(List, "follower.replication.throttled.replicas", "leader.replication.throttled.replicas"),
	)
})
