// Package connect runs connectors as Kafka Connect's runtime does: a Herder decides what is to run, a Worker runs
// connectors and tasks, and three compacted topics keep configurations, status and offsets, with the bytes of Kafka
// Connect 4.3, so that its workers and these can share a group and read each other's topics.
//
// # Design
//
// What is in the topics is worked out by values without clock and I/O: ClusterConfig (cluster_config.go) is the fold of
// the config topic, Statuses (statuses.go) that of the status topic, SourceOffsets (source_offsets.go) that of the offset
// topic. protocol.go and assignor.go are the group protocol. The package knows connectors by their API (package
// connectors) and Kafka by franz-go's clients; it knows no REST and no wasm: modules come in as plugins.
package connect
