package spec

import (
	"strings"
	"testing"
)

// FuzzParseTests wants no panic, a place for each fault, and spans inside the document.
func FuzzParseTests(f *testing.F) {
	f.Add("tests:\n  - name: a\n    clock: 2026-01-01T00:00:00Z\n    input:\n      - {topic: t, key: a, value: {q: 2}, ts: +61s, headers: {h: x}}\n      - advance: 5m\n    output:\n      o: [{key: a, matches: x, cel: 'true', json_contains: {a: 1}}]\n    store: {s: {a: 5}}\n    dlq: []\n    error: x\n")
	f.Add("tests: [{input: [{topic: t, ts: -9}, {restart: true}], output: {o: [{file: x}]}}]")
	f.Add("tests:\n- {}\n- name:\n  output:\n  - a\n")
	f.Fuzz(func(t *testing.T, text string) {
		file, err := ParseTests("t.yaml", []byte(text), Options{
			LookupEnv: func(string) (string, bool) { return "", false },
			ReadFile:  func(string) ([]byte, error) { return []byte("x"), nil },
		})
		if err != nil && !strings.Contains(err.Error(), "t.yaml") {
			t.Errorf("a fault without a place: %v", err)
		}
		lines := strings.Count(text, "\n") + 1
		for _, c := range file.Cases {
			for _, s := range c.Sections {
				if s.First < 1 || s.Last < s.First || s.Last > lines {
					t.Errorf("the span %v is not in the %d lines", s, lines)
				}
			}
			for _, step := range c.Input {
				_ = step.Key.JSON()
				_ = step.Value.Text()
			}
		}
	})
}

func TestSpans(t *testing.T) {
	text := "tests:\n" + // 1
		"  - name: a\n" + // 2
		"    # about the input\n" +
		"    input:\n" + // 4
		"      - advance: 5m\n" +
		"\n" +
		"    output:\n" + // 7
		"      o:\n" +
		"        - {key: a}\n" +
		"        # of o\n" +
		"      p: []\n" + // 11
		"  # after the case\n" +
		"  - output:\n" + // 13
		"      o: []\n"
	file, err := ParseTests("t.yaml", []byte(text), Options{})
	if err != nil {
		t.Fatal(err)
	}
	first, second := file.Cases[0], file.Cases[1]
	check := func(what string, got, want Span) {
		if got != want {
			t.Errorf("%s is at %+v, want %+v", what, got, want)
		}
	}
	check("output", first.Sections["output"], Span{First: 7, Last: 11, Column: 5, Own: true})
	check("o", first.Output[0].Span, Span{First: 8, Last: 9, Column: 7, Own: true})
	check("p", first.Output[1].Span, Span{First: 11, Last: 11, Column: 7, Own: true})
	check("the second output", second.Sections["output"], Span{First: 13, Last: 14, Column: 5, Own: true})
	if first.End != 12 || second.End != 15 {
		t.Errorf("the cases end before %d and %d", first.End, second.End)
	}
}
