// Package takeover holds this program to the promise that an application of Kafka Streams goes on here, and one of ours
// there: with the offsets, changelogs and repartition topics that the other has left, for every kind of store.
//
// It has tests only, which need a real Apache Kafka, Java and the build tag "integration". topologies_test.go has the
// applications as Go, internal/conformance/kafkastreams as Java.
package takeover
