package streamscases

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// Functions of users are sentences in a case. They are read for any text between their quotes.
var (
	joinerSentence    = regexp.MustCompile(`^(?:left|stream) '([^']*)' (?:right|table)(?:, a missing side prints null)?$`)
	aggregateSentence = regexp.MustCompile(`^initial '([^']*)' then agg \+ '([^']*)' \+ value$`)
	reduceSentence    = regexp.MustCompile(`^agg \+ '([^']*)' \+ value$`)
	mergerSentence    = regexp.MustCompile(`^agg1 \+ '([^']*)' \+ agg2$`)
	tableSentence     = regexp.MustCompile(`^initial '([^']*)' ; adder agg \+ '([^']*)' \+ value ; subtractor agg \+ '([^']*)' \+ value$`)
	cogroupSentence   = regexp.MustCompile(`^initial '([^']*)'((?: ; [^\s:]+: agg \+ '[^']*' \+ value)+)$`)
	cogroupPart       = regexp.MustCompile(` ; ([^\s:]+): agg \+ '([^']*)' \+ value`)
	groupKeySentence  = regexp.MustCompile(`^the value's part before '([^']+)'$`)
	keyMapperSentence = regexp.MustCompile(`^the stream value's part before '([^']+)' \(null for a null value\)$`)
	foreignSentence   = regexp.MustCompile(`^the left value's part before '([^']+)'; '([^']*)' means a null foreign key$`)
	filterSentence    = regexp.MustCompile(`^value (does not end|ends|does not start|starts) with '([^']*)'$`)
	chainSentence     = regexp.MustCompile(`^\((\S+) (inner|left|outer)Join (\S+)\) (inner|left|outer)Join (\S+), same window$`)
	toTableSentence   = regexp.MustCompile(`^(\S+)\.toTable\(\) (inner|left|outer)Join (\S+)\.toTable\(\); null value deletes$`)
	regroupSentence   = regexp.MustCompile(`^(inner|left|outer) join \(joiner left '([^']*)' right\), then groupBy\(result's part before '([^']+)'\), ` +
		`aggregate adder agg '([^']*)' value, subtractor agg '([^']*)' value, initial '([^']*)'$`)
)

// sentence takes a key whose text says what a function does, and returns what stands in the places of the pattern: what is
// usual for a missing or an empty text. A text that does not fit is not known, which is a fault.
func (s *spec) sentence(key string, pattern *regexp.Regexp, usual ...string) []string {
	if !s.has(key) {
		return usual
	}
	text := s.text(key)
	if text == "" {
		return usual
	}
	m := pattern.FindStringSubmatch(text)
	if m == nil {
		s.faults = append(s.faults, fmt.Errorf("the key %q: %q is not known", key, text))
		return usual
	}
	return m[1:]
}

// joiner is "left 'SEP' right"; a missing side is null.
func (s *spec) joiner() dsl.Fn { return joinBy(s.sentence("joiner", joinerSentence, "+")[0]) }

func joinBy(sep string) dsl.Fn {
	return twoValues(func(left, right []byte) string { return textOr(left) + sep + textOr(right) })
}

// windowAggregator is "initial 'I' then agg + 'SEP' + value".
func (s *spec) windowAggregator() (initializer, aggregator dsl.Fn) {
	words := s.sentence("aggregate", aggregateSentence, "", "|")
	return always(words[0]), appending(words[1])
}

func (s *spec) reducer() dsl.Fn { return between(s.sentence("reduce", reduceSentence, "|")[0]) }

func (s *spec) merger() dsl.Fn { return between(s.sentence("session_merger", mergerSentence, "&")[0]) }

// cogroupAggregators are those of each topic: "initial 'I' ; TOPIC: agg + 'SEP' + value ; ...".
func (s *spec) cogroupAggregators(topics []string) (initializer dsl.Fn, aggregators []dsl.Fn) {
	words := s.sentence("aggregate", cogroupSentence, "", " ; left: agg + 'l' + value ; right: agg + 'r' + value")
	separators := map[string]string{}
	for _, m := range cogroupPart.FindAllStringSubmatch(words[1], -1) {
		separators[m[1]] = m[2]
	}
	for _, topic := range topics {
		sep, ok := separators[topic]
		if !ok {
			s.faults = append(s.faults, fmt.Errorf("the key %q: no aggregator for %q", "aggregate", topic))
		}
		aggregators = append(aggregators, appending(sep))
	}
	return always(words[0]), aggregators
}

// condition is the filter "value does not end with 'X'", or one of its kin.
func (s *spec) condition() dsl.Fn {
	words := s.sentence("filter", filterSentence, "does not end", "0")
	has := strings.HasSuffix
	if strings.Contains(words[0], "start") {
		has = strings.HasPrefix
	}
	not := strings.HasPrefix(words[0], "does not")
	return dsl.NativePredicate(func(r *topology.Record) bool { return has(string(r.Value), words[1]) != not })
}
