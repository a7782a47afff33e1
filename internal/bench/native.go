package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
)

// event is what the job mapvalues reads and writes, in the order of its fields.
type event struct {
	User    string      `json:"user"`
	Type    string      `json:"type"`
	Amount  json.Number `json:"amount"`
	TS      int64       `json:"ts"`
	Country string      `json:"country"`
	Page    string      `json:"page"`
	Session string      `json:"session"`
	Agent   string      `json:"agent"`
}

// Enrich appends value with three fields changed and all else as it was: total is the amount with 19 % tax in whole cents, type is in capitals,
// agent is gone. It is the oracle of the job mapvalues and reads the event whole, by the standard library.
func Enrich(dst, value []byte) []byte {
	var e event
	if err := json.Unmarshal(value, &e); err != nil {
		panic(fmt.Sprintf("bench: an event that its own generator made: %v", err))
	}
	amount, err := e.Amount.Float64()
	if err != nil {
		panic(fmt.Sprintf("bench: an amount that its own generator made: %v", err))
	}
	dst = append(dst, `{"user":`...)
	dst = strconv.AppendQuote(dst, e.User)
	dst = append(dst, `,"type":`...)
	dst = strconv.AppendQuote(dst, string(bytes.ToUpper([]byte(e.Type))))
	dst = append(dst, `,"amount":`...)
	dst = append(dst, e.Amount...)
	dst = strconv.AppendInt(append(dst, `,"ts":`...), e.TS, 10)
	for _, field := range [...]struct{ name, value string }{{"country", e.Country}, {"page", e.Page}, {"session", e.Session}} {
		dst = append(append(append(dst, `,"`...), field.name...), `":`...)
		dst = strconv.AppendQuote(dst, field.value)
	}
	dst = append(dst, `,"total":`...)
	dst = appendDouble(dst, math.Floor(amount*119+0.5)/100)
	return append(dst, '}')
}

// appendDouble writes a number as Java's Double.toString does between a thousandth and ten million.
func appendDouble(dst []byte, v float64) []byte {
	start := len(dst)
	dst = strconv.AppendFloat(dst, v, 'f', -1, 64)
	if !bytes.ContainsRune(dst[start:], '.') {
		dst = append(dst, ".0"...)
	}
	return dst
}
