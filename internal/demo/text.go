// Package demo is the one-command demonstration: a WordCount over the project's own documentation on an embedded broker,
// with the house's real parts. It knows package host and a broker; what a person sees of it is the command's business.
package demo

import (
	"bytes"
	"io/fs"
	"slices"

	"github.com/wasmstream/wasmstream/docs"
)

// minLines is how long the text is at least, so that a speed means something.
const minLines = 100_000

// Text returns the documentation's lines, page after page and over again, until there are enough of them. The lines share
// the memory of the pages.
func Text() ([][]byte, error) {
	pages, err := readPages(docs.Pages)
	if err != nil {
		return nil, err
	}
	once := bytes.Split(bytes.TrimSuffix(pages, []byte("\n")), []byte("\n"))
	return slices.Repeat(once, (minLines+len(once)-1)/len(once)), nil
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
