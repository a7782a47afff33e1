// Package sdk holds the SDK for guests in C: its headers. It knows no more than their text, for programs that
// compile guests where the headers do not lie around.
package sdk

import _ "embed"

// CHeader is the text of wasmstream.h.
//
//go:embed c/wasmstream.h
var CHeader []byte

// CConnectHeader is the text of wasmstream_connect.h.
//
//go:embed c/wasmstream_connect.h
var CConnectHeader []byte

// CStoresHeader is the text of wasmstream_stores.h.
//
//go:embed c/wasmstream_stores.h
var CStoresHeader []byte

// CStreamsHeader is the text of wasmstream_streams.h.
//
//go:embed c/wasmstream_streams.h
var CStreamsHeader []byte
