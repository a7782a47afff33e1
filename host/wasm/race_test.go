//go:build race

package wasm

// shadow is how much memory a process with the race detector takes for a byte of its own.
const shadow = 5

// slow is how much longer it takes.
const slow = 5
