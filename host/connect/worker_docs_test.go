package connect

import (
	"os"
	"strings"
	"testing"
)

// TestWorkerSettingsAreDocumented wants each setting of a worker on its page.
func TestWorkerSettingsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/connectors/worker.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, distributed := range []bool{false, true} {
		for _, name := range workerDef(distributed).Names() {
			if !strings.Contains(string(page), "`"+name+"`") {
				t.Errorf("docs/connectors/worker.md does not tell of %s", name)
			}
		}
	}
}
