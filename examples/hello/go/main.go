// The smallest guest in Go: one function for mapValues.
package main

import "github.com/wasmstream/wasmstream/guest-sdk/go"

func init() {
	wasmstream.Module("hello", "1.0.0")
	wasmstream.MapValues("greet", greet, wasmstream.Description("hello, NAME"))
}

func main() {}

var line []byte // used again by every call

func greet(name []byte) []byte {
	line = append(append(line[:0], "hello, "...), name...)
	return line
}
