package streamscases

import (
	"bytes"
	"strings"
	"testing"
)

// TestGenerated builds and runs random cases of every family, so that the generator and the families agree on keys.
// They have no results to compare with here; kafkastreams gives them. Some plans are drawn to be refused.
func TestGenerated(t *testing.T) {
	var b bytes.Buffer
	if err := Generate(&b, 3, 5*len(generated), ""); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(b.String()) {
		id, err := Run([]byte(line))
		refused := err != nil && strings.Contains(id, "-plan-") && strings.Contains(err.Error(), "(Kafka: TopologyException)")
		if err != nil && !refused && !strings.Contains(err.Error(), "output 0 (of 0,") {
			t.Errorf("%s: %v", id, err)
		}
	}
}
