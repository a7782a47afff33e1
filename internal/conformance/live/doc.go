// Package live holds applications that run, with several partitions, threads, frame sizes and caches, and through restarts,
// to what the test driver says of the same topology and input. It has tests only: plan_test.go draws topologies.
package live
