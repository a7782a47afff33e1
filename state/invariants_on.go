//go:build invariants || race

package state

// invariants switches costly checks on: iterators left open are errors with the place that opened them, and lent bytes
// are overwritten as soon as the loan ends.
const invariants = true
