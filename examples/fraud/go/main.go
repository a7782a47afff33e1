// Fraud by session window: the functions that add up the payments of a card which come shortly after each other. The
// aggregate is JSON: {"payments":3,"amount":1250.5}.
package main

import (
	"errors"

	"github.com/wasmstream/wasmstream/guest-sdk/go"
	"github.com/wasmstream/wasmstream/guest-sdk/go/json"
)

func init() {
	wasmstream.Module("fraud", "1.0.0")
	wasmstream.Initializer("begin", func() []byte { return []byte(`{"payments":0,"amount":0}`) },
		wasmstream.Description("a session without payments"))
	wasmstream.Aggregator("add", add, wasmstream.Description("a session with one more payment"))
	wasmstream.Merger("merge", merge, wasmstream.Description("two sessions as one"))
}

func main() {}

// document is a session or a payment with the fields that are read.
type document struct {
	json.Doc
	payments, amount json.Field
}

func newDocument() *document {
	d := new(document)
	d.payments, d.amount = d.Field("payments"), d.Field("amount")
	return d
}

// two are what add and merge read; an instance has one thread.
var one, two = newDocument(), newDocument()

var errNoPayment = errors.New("the payment is not JSON with a number amount")

func add(_, payment, session []byte) ([]byte, error) {
	if one.Parse(session) != nil || two.Parse(payment) != nil {
		return nil, wasmstream.DeadLetter(errNoPayment)
	}
	amount, ok := two.Float(two.amount)
	if !ok {
		return nil, wasmstream.DeadLetter(errNoPayment)
	}
	return one.plus(1, amount)
}

func merge(_, earlier, later []byte) ([]byte, error) {
	if err := errors.Join(one.Parse(earlier), two.Parse(later)); err != nil {
		return nil, err
	}
	payments, _ := two.Int(two.payments)
	amount, _ := two.Float(two.amount)
	return one.plus(payments, amount)
}

// plus is the session with more in it.
func (d *document) plus(payments int64, amount float64) ([]byte, error) {
	n, _ := d.Int(d.payments)
	sum, _ := d.Float(d.amount)
	d.SetInt(d.payments, n+payments)
	d.SetFloat(d.amount, sum+amount)
	return d.Bytes()
}
