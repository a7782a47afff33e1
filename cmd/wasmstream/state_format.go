package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/wasmstream/wasmstream/host"
	"github.com/wasmstream/wasmstream/topology"
)

// jsonRow is a row of state get and scan -o json; its names are a contract.
type jsonRow struct {
	Store     string          `json:"store"`
	Partition int32           `json:"partition"`
	Key       json.RawMessage `json:"key"`
	Value     json.RawMessage `json:"value"`
	Timestamp *int64          `json:"timestamp,omitempty"`
	Start     *int64          `json:"start,omitempty"`
	End       *int64          `json:"end,omitempty"`
	ValidTo   *int64          `json:"validTo,omitempty"`
}

// print writes a row: the value, before it the span of a window, a session or a version, and before that the key if it
// is asked for, with tabs between them.
func (r *stateReader) print(c *cli.Context, row *host.QueryRow, withKey bool) (err error) {
	where := fmt.Sprintf("%s-%d", r.store.Name, row.Partition)
	if c.String("output") == "json" {
		return at(where, typeOfBytes("--value-type"), r.printJSON(c, row))
	}
	var line []byte
	if withKey {
		if line, err = topology.AppendText(line, r.key, row.Key); err != nil {
			return at(where, typeOfBytes("--key-type"), err)
		}
		line = append(line, '\t')
	}
	switch {
	case row.Start != nil:
		line = append(appendSpan(line, *row.Start, row.End), '\t')
	case row.Timestamp != nil && (row.ValidTo != nil || topology.StoreKind(r.store.Kind) == topology.VersionedKeyValue):
		line = append(appendSpan(line, *row.Timestamp, row.ValidTo), '\t')
	}
	if line, err = topology.AppendText(line, r.value, row.Value); err != nil {
		return at(where, typeOfBytes("--value-type"), err)
	}
	_, err = c.App.Writer.Write(append(line, '\n'))
	return err
}

// appendSpan appends a span of time as ISO 8601 writes intervals; nil is open.
func appendSpan(dst []byte, from int64, to *int64) []byte {
	const layout = "2006-01-02T15:04:05.000Z"
	dst = append(time.UnixMilli(from).UTC().AppendFormat(dst, layout), '/')
	if to == nil {
		return append(dst, ".."...)
	}
	return time.UnixMilli(*to).UTC().AppendFormat(dst, layout)
}

func (r *stateReader) printJSON(c *cli.Context, row *host.QueryRow) (err error) {
	out := jsonRow{Store: r.store.Name, Partition: row.Partition, Timestamp: row.Timestamp, Start: row.Start, End: row.End, ValidTo: row.ValidTo}
	if out.Key, err = jsonValue(r.key, row.Key); err != nil {
		return err
	}
	if out.Value, err = jsonValue(r.value, row.Value); err != nil {
		return err
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(out); err != nil {
		return err
	}
	_, err = c.App.Writer.Write(b.Bytes())
	return err
}
