package transforms_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/fault"
	"github.com/wasmstream/wasmstream/connectors/jtext"
	"github.com/wasmstream/wasmstream/connectors/transforms"
)

// endless goes back more often than anyone can wait for, over a topic that it does not match.
const endless = `(?=a)(a|aa)+b`

// TestRegexGivenUp: a match that takes too long is an error of the record, and of each that comes after it.
func TestRegexGivenUp(t *testing.T) {
	router, predicate := &transforms.RegexRouter{}, &transforms.TopicNameMatches{}
	for _, err := range []error{
		router.Configure(config.PropsOf(map[string]string{"regex": endless, "replacement": "x"})),
		predicate.Configure(config.PropsOf(map[string]string{"pattern": endless})),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for what, apply := range map[string]func(*connectors.Record) (bool, error){"RegexRouter": router.Apply, "TopicNameMatches": predicate.Test} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			for range 2 {
				r := &connectors.Record{Topic: strings.Repeat("a", 60)}
				_, err := apply(r)
				if !errors.Is(err, jtext.ErrTooLong) || !fault.Data.Is(err) {
					t.Fatalf("error %v, topic %s; want that the pattern takes too long", err, r.Topic)
				}
			}
			if _, err := apply(&connectors.Record{Topic: "aab"}); err != nil {
				t.Errorf("a topic that is matched at once: %v", err)
			}
		})
	}
}
