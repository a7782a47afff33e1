//go:build !race

package wasm

const (
	shadow = 1
	slow   = 1
)
