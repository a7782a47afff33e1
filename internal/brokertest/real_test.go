//go:build integration

package brokertest_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/internal/brokertest"
)

// TestOwnLeavesNothingBehind runs a test that fails, in a process of its own.
func TestOwnLeavesNothingBehind(t *testing.T) {
	if os.Getenv("BROKERTEST_FAIL") != "" {
		b := brokertest.Own(t)
		b.Produce(t, &kgo.Record{Topic: b.CreateTopic(t, b.Name("t"), 1), Value: []byte("a")})
		t.Fatal("as wanted")
	}
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=TestOwnLeavesNothingBehind")
	cmd.Env = append(os.Environ(), "BROKERTEST_FAIL=1", "TMPDIR="+dir)
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "as wanted") {
		t.Fatalf("it should have failed: %v\n%s", err, out)
	}
	left, _ := filepath.Glob(filepath.Join(dir, "*"))
	if len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if out, err := exec.Command("pgrep", "-f", dir).Output(); err == nil {
		t.Errorf("processes left behind: %s", out)
	}
}
