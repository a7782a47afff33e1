package demo

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmstream/wasmstream/internal/errs"
)

// countWords is the rule of the example in the shortest Go: ASCII letters in lower case, split at blanks, empty words at
// the end of a line left out, an empty line one empty word.
func countWords(lines [][]byte) map[string]int64 {
	counts := map[string]int64{}
	for _, line := range lines {
		lower := bytes.Map(func(r rune) rune {
			if r >= 'A' && r <= 'Z' {
				return r + ('a' - 'A')
			}
			return r
		}, line)
		words := strings.Split(string(lower), " ")
		for len(words) > 0 && words[len(words)-1] == "" && len(line) > 0 {
			words = words[:len(words)-1]
		}
		for _, w := range words {
			counts[w]++
		}
	}
	return counts
}

func TestDemoCountsItsTextAsAnIndependentCountDoes(t *testing.T) {
	text, err := Text()
	if err != nil {
		t.Fatal(err)
	}
	if len(text) < minLines {
		t.Fatalf("the text has %d lines", len(text))
	}
	got, err := Run(t.Context(), Config{})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(countWords(text), got.Counts); d != "" {
		t.Errorf("counts differ (-independent +demo):\n%s", d[:min(len(d), 2000)])
	}
	if got.Lines != int64(len(text)) || got.Words < got.Lines {
		t.Errorf("%d lines and %d words", got.Lines, got.Words)
	}
}

func TestDemoRefusesALineThatIsTooLong(t *testing.T) {
	_, err := Run(t.Context(), Config{Lines: strings.NewReader("short\n" + strings.Repeat("x", 1_200_000))})
	if !errs.RecordTooLarge.Is(err) || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("got %v", err)
	}
}

func TestDemoPrintsEachUpdateOfLines(t *testing.T) {
	type update struct {
		Word  string
		Count int64
	}
	var got []update
	_, err := Run(t.Context(), Config{
		Lines:  strings.NewReader("all streams lead to kafka\nhello kafka streams\njoin kafka summit\n"),
		Update: func(word string, count int64) { got = append(got, update{word, count}) },
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []update{
		{"all", 1},
		{"streams", 1},
		{"lead", 1},
		{"to", 1},
		{"kafka", 1},
		{"hello", 1},
		{"kafka", 2},
		{"streams", 2},
		{"join", 1},
		{"kafka", 3},
		{"summit", 1},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("updates differ (-want +got):\n%s", d)
	}
}

func TestProse(t *testing.T) {
	page := "# Title\n\nTwo lines\nof text.\n```sh\ncode\n\n```\n| a | table |\n* an item"
	want := []string{"Two lines", "of text.", "* an item"}
	var got []string
	for _, line := range prose([]byte(page)) {
		got = append(got, string(line))
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
