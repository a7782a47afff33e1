package guest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
	"github.com/wasmstream/wasmstream/host/wasm"
)

const hostileModule = "testdata/guests/hostile.wasm"

// fastLoader ends loops after some tens of milliseconds.
func fastLoader(t testing.TB) *Loader {
	l, _ := newLoader(t, map[string]string{"hostile.wasm": hostileModule}, EgressConfig{})
	l.config.Limits = wasm.Limits{FuelPerFrame: 20_000_000, FuelPerRecord: 1, FuelPerByte: 1, FuelMax: 20_000_000}
	return l
}

// TestHostileAnswers: whatever the guest does with one record costs that record alone, with a coded error, and nothing of
// it is half done.
func TestHostileAnswers(t *testing.T) {
	tr := newTransformation(t, fastLoader(t), "wasm:hostile.wasm#hostile", nil)
	for _, c := range []struct{ word, code, says string }{
		{"trap", "E-GUEST-TRAP", "unreachable"},
		{"loop", "E-GUEST-BUDGET", "budget"},
		{"fail", "E-GUEST-ERROR", "cannot be done"},
		{"abort", "E-GUEST-ERROR", "CORRUPT"},
		{"twice", "E-GUEST-CONTRACT", "CONN-1"},
		{"type", "E-GUEST-CONTRACT", "DATA-3"},
		{"outside", "E-GUEST-CONTRACT", "DATA-2"},
		{"cycle", "E-GUEST-CONTRACT", "DATA-2"},
		{"keep", "E-GUEST-CONTRACT", "DATA-5"},
		{"schema", "E-GUEST-CONTRACT", "SCHEMA-5"},
		{"misfit", "E-GUEST-CONTRACT", "DATA-7"},
		{"utf8", "E-GUEST-CONTRACT", "DATA-4"},
		{"struct", "E-GUEST-CONTRACT", "DATA-7"},
	} {
		t.Run(c.word, func(t *testing.T) {
			var rs []*connectors.Record
			words := []string{"a", "upper", "b", c.word, "drop", "upper", "c", "skip", "d"}
			for i, word := range words {
				rs = append(rs, sinkRecord(int64(i), data.SchemaAndValue{}, text(word)))
			}
			out := make([]connectors.Outcome, len(rs))
			if err := tr.ApplyBatch(rs, out); err != nil {
				t.Fatal(err)
			}
			for i, word := range words {
				got := rs[i].Value.Value.Str()
				switch {
				case i == 3:
					if err := out[i].Err; err == nil || !strings.HasPrefix(err.Error(), c.code) || !strings.Contains(err.Error(), c.says) || got != word {
						t.Errorf("%v, value %s; want %s and %q", err, got, c.code, c.says)
					}
					if c.word != "retry" && fault.Retriable.Is(out[i].Err) {
						t.Error("retriable")
					}
				case word == "drop", word == "skip":
					if !out[i].Drop || out[i].Err != nil {
						t.Errorf("record %d was not dropped: %+v", i, out[i])
					}
				case word == "upper":
					if got != "UPPER" || rs[i].Value.Schema != nil {
						t.Errorf("record %d: %s", i, got)
					}
				case got != word || out[i].Err != nil || out[i].Drop:
					t.Errorf("record %d: %s %+v", i, got, out[i])
				}
			}
		})
	}
}

func TestRetryIsRetriable(t *testing.T) {
	tr := newTransformation(t, fastLoader(t), "wasm:hostile.wasm#hostile", nil)
	_, err := tr.Apply(sinkRecord(0, data.SchemaAndValue{}, text("retry")))
	if !fault.Retriable.Is(err) || !strings.Contains(err.Error(), "later") {
		t.Error(err)
	}
}

// TestPoisonStandsAlone finds one record among many that kills the guest.
func TestPoisonStandsAlone(t *testing.T) {
	tr := newTransformation(t, fastLoader(t), "wasm:hostile.wasm#hostile", nil)
	var rs []*connectors.Record
	for i := range 700 {
		word := fmt.Sprint(i)
		if i == 333 || i == 612 {
			word = "trap"
		}
		rs = append(rs, sinkRecord(int64(i), data.SchemaAndValue{}, text(word)))
	}
	out := make([]connectors.Outcome, len(rs))
	if err := tr.ApplyBatch(rs, out); err != nil {
		t.Fatal(err)
	}
	for i := range out {
		if bad := i == 333 || i == 612; (out[i].Err != nil) != bad || out[i].Drop {
			t.Errorf("record %d: %+v", i, out[i])
		} else if bad && !strings.Contains(out[i].Err.Error(), fmt.Sprintf("in-3@%d", i)) {
			t.Errorf("record %d is not named: %v", i, out[i].Err)
		}
	}
}

func TestHostilePredicate(t *testing.T) {
	p, _, err := fastLoader(t).Load(connectors.KindPredicate, "wasm:hostile.wasm#test")
	if err != nil {
		t.Fatal(err)
	}
	pr := p.Predicate()
	if err := pr.Configure(config.Props{}); err != nil {
		t.Fatal(err)
	}
	defer pr.Close()
	for _, c := range []struct {
		word string
		want bool
		says string
	}{{"yes", true, ""}, {"trap", false, "E-GUEST-TRAP"}, {"fail", false, "cannot be told"}, {"yes", true, ""}, {"no", false, ""}} {
		got, err := pr.Test(sinkRecord(0, data.SchemaAndValue{}, text(c.word)))
		if got != c.want || (err != nil) != (c.says != "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v %v", c.word, got, err)
		}
	}
}

func TestRefusedSettings(t *testing.T) {
	p, _, err := fastLoader(t).Load(connectors.KindConverter, "wasm:hostile.wasm#picky")
	if err != nil {
		t.Fatal(err)
	}
	c := p.Converter()
	if err := c.Configure(config.Props{}, true); err == nil || !strings.Contains(err.Error(), "E-GUEST-OPEN") || !strings.Contains(err.Error(), "the setting level is too high") {
		t.Error(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}
