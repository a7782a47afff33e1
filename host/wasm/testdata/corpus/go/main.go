// Command corpus is a large honest module: JSON by reflection, regular expressions, templates, big numbers, compression.
package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"html/template"
	"io"
	"math/big"
	"regexp"
	"strings"
	text "text/template"
	"time"
)

type order struct {
	ID    int               `json:"id" xml:"id,attr"`
	Lines []string          `json:"lines" xml:"line"`
	Tags  map[string]string `json:"tags" xml:"-"`
	At    time.Time         `json:"at" xml:"at"`
}

var word = regexp.MustCompile(`(?i)\b([a-z]+)-(\d{2,})\b`)

//go:wasmexport ws_abi_v1
func marker() int32 { return 1 }

//go:wasmexport work
func work(n int32) int32 {
	var o order
	if err := json.Unmarshal([]byte(`{"id":1,"lines":["a-42"],"tags":{"k":"v"},"at":"2026-01-02T03:04:05Z"}`), &o); err != nil {
		return -1
	}
	o.ID = int(n)
	var out bytes.Buffer
	page := template.Must(template.New("page").Parse(`<b>{{.ID}}</b>{{range .Lines}}<i>{{.}}</i>{{end}}`))
	plain := text.Must(text.New("plain").Parse(`{{.ID}} {{.At.Format "2006"}} {{printf "%q" .Tags}}`))
	if page.Execute(&out, o) != nil || plain.Execute(&out, o) != nil {
		return -2
	}
	out.WriteString(word.ReplaceAllString(strings.Join(o.Lines, " "), "$2-$1"))
	if err := xml.NewEncoder(&out).Encode(o); err != nil {
		return -3
	}
	fmt.Fprint(&out, new(big.Int).Exp(big.NewInt(7), big.NewInt(int64(n)), nil))
	z := gzip.NewWriter(io.Discard)
	if _, err := z.Write(out.Bytes()); err != nil || z.Close() != nil {
		return -4
	}
	return int32(out.Len())
}

func main() {}
