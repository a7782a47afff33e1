package apptest

import (
	"bytes"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/spec"
)

// TestWhatIsWrittenIsReadAgain writes random values as --update does and reads them as a case.
func TestWhatIsWrittenIsReadAgain(t *testing.T) {
	text := rapid.OneOf(rapid.StringMatching(`[ -~äöü€\n\t]{0,12}`), rapid.StringMatching(`[{]?"?([$]|[$][{]|env:|"|:|a){0,6}[}]?`))
	rapid.Check(t, func(t *rapid.T) {
		var s topology.Serde
		var data []byte
		switch rapid.IntRange(0, 4).Draw(t, "kind") {
		case 0:
			s, data = topology.String, []byte(text.Draw(t, "string"))
		case 1:
			s, data = topology.Bytes, rapid.SliceOfN(rapid.Byte(), 0, 8).Draw(t, "bytes")
			data = append([]byte{}, data...)
		case 2:
			s, data = topology.Long, rapid.SliceOfN(rapid.Byte(), 8, 8).Draw(t, "long")
		case 3:
			s = topology.JSON
			data = fmt.Appendf(nil, `{%q:[%d,%t,null,%q]}`, "k$$", rapid.Int().Draw(t, "n"), rapid.Bool().Draw(t, "b"),
				rapid.StringMatching(`[a-z$]{0,5}`).Draw(t, "member"))
		default:
			s = topology.TimeWindowed(topology.String, 5000)
			data = topology.AppendTimeWindowedKey(nil, []byte(text.Draw(t, "key")), int64(rapid.IntRange(0, 1<<40).Draw(t, "start")))
		}
		doc := "tests:\n  - input:\n      - {topic: t, value: " + flow(s, data) + "}\n"
		file, err := spec.ParseTests("x.yaml", []byte(doc), spec.Options{})
		if err != nil {
			t.Fatalf("%s: %v", doc, err)
		}
		got, err := file.Cases[0].Input[0].Value.Bytes(s)
		if err != nil || !bytes.Equal(got, data) {
			t.Fatalf("%s wrote %q and read %q (%v)", doc, data, got, err)
		}
	})
}
