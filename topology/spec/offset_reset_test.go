package spec

import (
	"strings"
	"testing"
)

func TestOffsetResetByDuration(t *testing.T) {
	const head = "apiVersion: wasmstream/v1\nkind: Application\noperators:\n  - stream: {topic: in, offsetReset: "
	const end = "}\n    name: in\n  - to: {topic: out}\n"
	app, err := Parse("dir/app.yaml", []byte(head+"{byDuration: 36h}"+end), testOptions)
	if err != nil {
		t.Fatal(err)
	}
	if got := app.Topology.Node("in").OffsetReset; got != "by_duration:36h0m0s" {
		t.Errorf("got %q", got)
	}
	for _, faulty := range []string{"{byDuration: -1s}", "{byDuration: soon}", "{by: 1h}", "never"} {
		_, err := Parse("dir/app.yaml", []byte(head+faulty+end), testOptions)
		if err == nil || !strings.Contains(err.Error(), "dir/app.yaml:4:") {
			t.Errorf("%s: got %v", faulty, err)
		}
	}
}
