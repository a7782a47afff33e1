//go:build failpoints && mutants && linux

package main_test

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"regexp"
	"testing"
	"time"

	"github.com/wasmstream/wasmstream/host/stream"
)

// mutantBudget is within what the fault programme must have caught a mutant.
const mutantBudget = 4 * time.Minute

// needsKafka is a mutation that only a real broker shows.
const needsKafka = "lost-rejoin"

// mutantApps are the applications that suffer with a mutation; those with state at first.
func mutantApps(mutation string) string {
	if mutation == "standby-early" {
		return "^standby$"
	}
	return "^(count|words)$"
}

// caught are the findings of the fault programme that speak of the promise, and not of the machine.
var caught = regexp.MustCompile(`.*the fold gives .*|appears though .*|no output for .*|after a clean stop: .*|does not run`)

// TestMutantsAreCaught gives the application one bug after the other, and wants the fault programme to see each.
func TestMutantsAreCaught(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range stream.Mutations() {
		if name == needsKafka && os.Getenv("WASMSTREAM_TEST_BROKERS") == "" {
			t.Logf("%s does no harm on kfake, where every member that comes back makes the group begin anew", name)
			continue
		}
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			found, out := suffersAs(t, self, name)
			if found == "" {
				t.Fatalf("not caught in %.0f s\n%s", time.Since(began).Seconds(), tail(out))
			}
			t.Logf("caught after %.0f s: %s", time.Since(began).Seconds(), found)
		})
	}
}

// suffersAs runs the fault programme with a mutation until it finds something, and returns that and what it printed.
func suffersAs(t *testing.T, self, mutation string) (found, out string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), mutantBudget)
	defer cancel()
	cmd := exec.CommandContext(ctx, self, "-test.run=^TestFaults$", "-test.v", "-test.timeout=10m",
		"-fault.apps="+mutantApps(mutation), "-fault.time="+mutantBudget.String())
	cmd.Env = append(os.Environ(), "WASMSTREAM_MUTANT="+mutation)
	killWithParent(cmd)
	pipe, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(pipe)
	for lines.Scan() && found == "" {
		out += lines.Text() + "\n"
		found = caught.FindString(lines.Text())
	}
	cancel()
	_ = cmd.Wait()
	return found, out
}
