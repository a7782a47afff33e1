// Package demo is the one-command demonstration: a WordCount over the project's own documentation on an embedded broker,
// with the house's real parts. It knows package host and a broker; what a person sees of it is the command's business.
package demo

import (
	"bytes"
	"io/fs"
	"slices"

	"github.com/wasmstream/wasmstream/docs"
)

// minLines is how many lines there are at least, so that a speed means something.
const minLines = 100_000

// Text returns the lines of the documentation's prose, page after page and over again, until there are enough of them.
// The lines share the memory of the pages.
func Text() ([][]byte, error) {
	pages, err := readPages(docs.Pages)
	if err != nil {
		return nil, err
	}
	once := prose(pages)
	return slices.Repeat(once, (minLines+len(once)-1)/len(once)), nil
}

// prose leaves out what is no sentence: empty lines, headings, tables, code.
func prose(page []byte) [][]byte {
	var lines [][]byte
	code := false
	for line := range bytes.SplitSeq(page, []byte("\n")) {
		switch {
		case bytes.HasPrefix(line, []byte("```")):
			code = !code
		case code, len(line) == 0, line[0] == '|', line[0] == '#':
		default:
			lines = append(lines, line)
		}
	}
	return lines
}

func readPages(pages fs.FS) ([]byte, error) {
	names, err := fs.Glob(pages, "*.md")
	if err != nil {
		return nil, err
	}
	var text []byte
	for _, name := range names {
		page, err := fs.ReadFile(pages, name)
		if err != nil {
			return nil, err
		}
		text = append(text, page...)
	}
	return text, nil
}
