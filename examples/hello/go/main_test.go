package main

import (
	"testing"

	"github.com/wasmstream/wasmstream/guest-sdk/go"
)

func TestGreet(t *testing.T) {
	node, err := wasmstream.NewTestHost().Open("greet")
	if err != nil {
		t.Fatal(err)
	}
	outs, err := node.Process(wasmstream.TestRecord{Value: []byte("Ann")}, wasmstream.TestRecord{Value: []byte("Ben")})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"hello, Ann", "hello, Ben"} {
		if got := string(outs[i].Record.Value); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
