//go:build !invariants && !race

package state

const invariants = false
