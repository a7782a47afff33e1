// The same enrich as examples/mapvalues/go, written as one does without knowing better: with encoding/json. It shows
// what that costs in a guest.
package main

import (
	"encoding/json"
	"errors"
	"math"
	"strings"

	"github.com/wasmstream/wasmstream/guest-sdk/go"
)

func init() {
	wasmstream.Module("mapvalues-stdlib", "1.0.0")
	wasmstream.MapValues("enrich", enrich, wasmstream.Description("enrich with encoding/json and a struct"))
	wasmstream.MapValues("enrich-map", enrichMap, wasmstream.Description("enrich with encoding/json and a map"))
}

func main() {}

// event has the fields of the answer, in its order.
type event struct {
	User    json.RawMessage `json:"user,omitempty"`
	Type    string          `json:"type"`
	Amount  float64         `json:"amount"`
	TS      json.RawMessage `json:"ts,omitempty"`
	Country json.RawMessage `json:"country,omitempty"`
	Page    json.RawMessage `json:"page,omitempty"`
	Session json.RawMessage `json:"session,omitempty"`
	Total   float64         `json:"total"`
}

func enrich(value []byte) ([]byte, error) {
	var e event
	if err := json.Unmarshal(value, &e); err != nil {
		return nil, err
	}
	e.Total = total(e.Amount)
	e.Type = strings.ToUpper(e.Type)
	return json.Marshal(&e)
}

var errNoType = errors.New("the field type is not a string")

func enrichMap(value []byte) ([]byte, error) {
	var m map[string]any
	if err := json.Unmarshal(value, &m); err != nil {
		return nil, err
	}
	kind, ok := m["type"].(string)
	if !ok {
		return nil, errNoType
	}
	amount, _ := m["amount"].(float64)
	m["total"] = total(amount)
	m["type"] = strings.ToUpper(kind)
	delete(m, "agent")
	return json.Marshal(m)
}

func total(amount float64) float64 { return math.Floor(amount*119+0.5) / 100 }
