// Package sdk holds the SDK for guests in C: one header. It knows no more than the header's text, for programs that
// compile guests where the header does not lie around.
package sdk

import _ "embed"

// CHeader is the text of wasmstream.h.
//
//go:embed c/wasmstream.h
var CHeader []byte
