// Package docs carries the project's documentation inside the binary: the text that the demo counts.
package docs

import "embed"

// Pages are the Markdown files of this folder.
//
//go:embed *.md
var Pages embed.FS
