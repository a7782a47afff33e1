package main

import (
	"context"
	"strings"
	"testing"
)

// Example is what the command prints.
func Example() {
	main()
	// Output:
	// all 1
	// streams 1
	// lead 1
	// to 1
	// kafka 1
	// hello 1
	// kafka 2
	// streams 2
	// join 1
	// kafka 3
	// summit 1
}

func TestCommentsAreNotCounted(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), []string{"# b", "", "a", "# a", "a"}, 2, &out); err != nil {
		t.Fatal(err)
	}
	if out.String() != "a 1\na 2\n" {
		t.Errorf("got %q", out.String())
	}
}

func TestAProgramThatStopsFirst(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := run(ctx, []string{"a"}, 1, &strings.Builder{}); err == nil {
		t.Error("nothing could be counted, and nobody says so")
	}
}
