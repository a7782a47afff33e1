package wasm

import (
	"os"
	"testing"
)

// childArg makes the test binary the compiler of Config.Compiler.
const childArg = "compile-child"

// describeArg makes it the process of a Describer.
const describeArg = "describe-child"

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == childArg {
		os.Exit(CompileChild(os.Stdin, os.Stdout))
	}
	if len(os.Args) == 2 && os.Args[1] == describeArg {
		os.Exit(DescribeChild(os.Stdin, os.Stdout))
	}
	if len(os.Args) == 3 && os.Args[1] == attackArg {
		os.Exit(runAttack(os.Args[2]))
	}
	os.Exit(m.Run())
}

// compileCommand is the command of a Compiler that is this test binary.
func compileCommand(t testing.TB) []string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return []string{self, childArg}
}
