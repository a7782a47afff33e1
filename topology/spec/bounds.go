package spec

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"syscall"

	"github.com/wasmstream/wasmstream/internal/errs"
)

// Bounds on what a document may be. A person's document is far below all of them; they are there because the YAML
// parser's time and memory grow with the square of nesting, so that a document of 200 kB could take gigabytes.
const (
	// maxBytes of text, and of the text that references and aliases unfold to.
	maxBytes = 1 << 20
	// maxValues and maxDepth of the tree, aliases unfolded.
	maxValues = 100_000
	maxDepth  = 64
	// maxOpen brackets and maxDashes list entries begun on one line are what the parser may see. Brackets are counted in
	// texts and comments too: telling those apart is the parser's work, and a text with so many open brackets is none.
	maxOpen   = 4 * maxDepth
	maxDashes = maxDepth
	// maxKeys of all mappings together; the parser copies a mapping for each of its keys.
	maxKeys = 10_000
	// maxDocuments is how often a document may begin anew. One is right; a few give a better message than this one.
	maxDocuments = 16
	// maxFaults is how many faults are told.
	maxFaults = 100
)

// ReadFile reads a file of at most a document's size, whatever the file is: a pipe or a device ends there, and a pipe that
// nobody writes to is empty.
func ReadFile(path string) ([]byte, error) { return ReadFileContext(context.Background(), path) }

// ReadFileContext is ReadFile that gives up when ctx is done: a pipe may stay silent for ever.
func ReadFileContext(ctx context.Context, path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	stop := context.AfterFunc(ctx, func() { f.Close() })
	defer stop()
	data, err := io.ReadAll(io.LimitReader(f, maxBytes+1))
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return data, err
}

// bounded tells whether the parser may see the text. It reads the bytes once and keeps nothing.
func (s *source) bounded(data []byte) bool {
	if len(data) > maxBytes {
		s.limit(1, 1, fmt.Sprintf("the document is larger than %d KiB", maxBytes>>10))
		return false
	}
	open, documents, keys, line := 0, 0, 0, 0
	for text := range bytes.Lines(data) {
		line++
		if bytes.HasPrefix(text, []byte("---")) {
			documents++
		}
		keys += colons(text)
		col, brackets := nesting(text, open)
		switch {
		case documents > maxDocuments:
			s.limit(line, 1, fmt.Sprintf("there are more than %d documents in the file", maxDocuments))
		case keys > maxKeys:
			s.limit(line, 1, fmt.Sprintf("there are more than %d keys", maxKeys))
		case dashes(text) > maxDashes:
			s.limit(line, 1, fmt.Sprintf("more than %d lists begin on one line", maxDashes))
		case col > 0:
			s.limit(line, col, fmt.Sprintf("brackets nest more than %d deep", maxOpen))
		default:
			open = brackets
			continue
		}
		return false
	}
	return true
}

// nesting counts the brackets that are open at the end of a line. col is the column, from 1, of the one too many, or 0.
func nesting(line []byte, open int) (col, after int) {
	for i, c := range line {
		switch c {
		case '[', '{':
			if open++; open > maxOpen {
				return i + 1, open
			}
		case ']', '}':
			open = max(open-1, 0)
		}
	}
	return 0, open
}

// colons counts what can be the end of a key, in texts too.
func colons(line []byte) int {
	n := 0
	for i, c := range line {
		if c == ':' && (i+1 == len(line) || line[i+1] == ' ' || line[i+1] == '\n' || line[i+1] == '\t' || line[i+1] == '\r') {
			n++
		}
	}
	return n
}

// dashes counts the list entries that begin at the head of a line: "- - - x" begins three.
func dashes(line []byte) int {
	n := 0
	for i, c := range line {
		switch {
		case c == '-' && i+1 < len(line) && (line[i+1] == ' ' || line[i+1] == '\t'):
			n++
		case c != ' ' && c != '\t':
			return n
		}
	}
	return n
}

func (s *source) limit(line, col int, what string) {
	s.fault(errs.YAMLLimit, line, col, what, "")
}

// unfold counts text that aliases and references bring into the tree, and tells whether there may be more of it.
func (s *source) unfold(v *value, n int) bool {
	before := s.text
	s.text += n
	if s.text > maxBytes && before <= maxBytes {
		s.limit(v.line, v.col, fmt.Sprintf("aliases and references unfold to more than %d KiB", maxBytes>>10))
	}
	return s.text <= maxBytes
}
