package main_test

import (
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/internal/brokertest"
)

// subject is an application that is made to suffer: its document, and what knows its input and its output.
type subject struct {
	name   string
	module string
	// operators and stores of the document; $IN, $RIGHT, $OUT and $WITNESS are topics.
	stores, operators string
	// inPlace says that each partition of the output is made of that of the input, one record of one, in its order.
	inPlace bool
	// stateless has no stores, so that there is nothing to restore or to damage.
	stateless bool
	// standbys is num.standby.replicas.
	standbys int
	oracle   func() oracle
	// store is what is compared with its changelog and the oracle at the end.
	store subjectStore
}

// oracle knows what must come out of what was written.
type oracle interface {
	// input makes n records for the topics $IN and, where the bool is true, $RIGHT.
	input(rng *rand.Rand, n int) []subjectRecord
	// wrote takes note of a record that has its partition, and returns how many more outputs are due.
	wrote(r *kgo.Record, right bool) int
	// came judges an output: how many of those that were due it stands for, or what is wrong with it.
	came(r *kgo.Record) (n int, fault string)
	// owed is how many outputs partition p owes, where that is known.
	owed(p int32) int
	// folded is what the store must hold by its changelog's keys, nil where there is none to compare.
	folded(p int32) map[string]int64
}

// subjectRecord is input of one of the topics of a subject.
type subjectRecord struct {
	*kgo.Record
	right bool
}

const (
	wordcountModule = "../../examples/wordcount/wordcount.wasm"
	copyModule      = "../../examples/mapvalues/mapvalues.wasm"
	subjectsModule  = "testdata/guests/subjects.wasm"
)

var (
	// countApp counts keys where they lie: the output of a partition has the order of its input.
	countApp = subject{
		name: "count", module: wordcountModule, inPlace: true, oracle: newFold, store: subjectStore{"0", "counts", storeCount},
		operators: `  - stream: {topics: [$IN], key: string, value: string}
  - flatMapValues: {guest: wordcount/split-words}
  - groupByKey: {}
  - count: {materialized: counts}
  - toStream: {}
  - to: {topic: $OUT, key: string, value: long}
`,
	}
	// wordsApp counts the words of values, which go to the partition of the word first.
	wordsApp = subject{
		name: "words", module: wordcountModule, oracle: newWords, store: subjectStore{"1", "counts", storeCount},
		operators: `  - stream: {topics: [$IN], key: string, value: string}
  - flatMapValues: {guest: wordcount/split-words}
  - groupBy: {expr: value}
  - count: {materialized: counts}
  - toStream: {}
  - to: {topic: $OUT, key: string, value: long}
`,
	}
	// windowsApp counts keys in windows, where they lie too.
	windowsApp = subject{
		name: "windows", module: wordcountModule, inPlace: true, oracle: newWindowFold, store: subjectStore{"0", "counts", storeWindows},
		operators: `  - stream: {topics: [$IN], key: string, value: string}
  - flatMapValues: {guest: wordcount/split-words}
  - groupByKey: {}
  - windowedBy: {timeWindows: {size: 5s, grace: 1h}}
  - count: {materialized: counts}
  - toStream: {}
  - to: {topic: $OUT, value: long}
`,
	}
	// copyApp keeps nothing, and writes all of it to two topics: a transaction is in both, or in none.
	copyApp = subject{
		name: "copy", module: copyModule, inPlace: true, stateless: true, oracle: newCopies,
		operators: `  - stream: {topics: [$IN], key: string, value: string}
  - {id: copied, mapValues: {guest: mapvalues/copy}}
  - to: {topic: $OUT}
  - {from: copied, to: {topic: $WITNESS}}
`,
	}
	// joinApp pairs the records of two topics; those of the left one go to the partition of their value first.
	joinApp = subject{
		name: "join", module: subjectsModule, oracle: newPairs,
		operators: `  - {id: left, stream: {topics: [$IN], key: string, value: string}}
  - {id: keyed, selectKey: {guest: subjects/to-value, key: string}}
  - {id: right, stream: {topics: [$RIGHT], key: string, value: string}}
  - from: [keyed, right]
    join: {guest: subjects/pair, result: string, windows: {timeDifference: 1h, grace: 1h}}
  - to: {topic: $OUT}
`,
	}
	// tallyApp is a processor that tells its counts by a punctuator, in transactions that may hold nothing else.
	tallyApp = subject{
		name: "tally", module: subjectsModule, oracle: newTally, store: subjectStore{"0", "counts", storePlain},
		stores: `stores:
  - {name: counts, type: keyValue, key: string, value: long}
  - {name: told, type: keyValue, key: string, value: long}
`,
		operators: `  - stream: {topics: [$IN], key: string, value: string}
  - process: {guest: subjects/tally, stores: [counts, told]}
  - to: {topic: $OUT, key: string, value: bytes}
`,
	}
	// standbyApp is countApp with a copy of each store in the other process, which takes over when the first one dies.
	standbyApp = func() subject {
		s := countApp
		s.name, s.standbys = "standby", 1
		return s
	}()
)

// subjects are all of them.
var subjects = []subject{countApp, wordsApp, windowsApp, copyApp, joinApp, tallyApp, standbyApp}

// TestSubjectsWithoutFaults holds that oracles and applications agree when nothing happens to them.
func TestSubjectsWithoutFaults(t *testing.T) {
	for _, s := range subjects {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			b := brokertest.Fake(t)
			c := newCrash(t, b, b.Addr, s)
			c.backlog = crashBatch
			c.start("0")
			c.feedUntil(c.outputs(crashBatch))
			c.finish()
		})
	}
}

const subjectHead = `apiVersion: wasmstream/v1
kind: Application
metadata: {name: crash}
config:
  acceptable.recovery.lag: 9223372036854775807 # tasks move at once and restore, not after a warm-up
  application.id: $APP
  bootstrap.servers: $BROKERS
  processing.guarantee: exactly_once_v2
  statestore.cache.max.bytes: 0
  auto.offset.reset: earliest
modules:
  $NAME: {path: $MODULE}
`

// document is the YAML of the subject.
func (s subject) document(t *testing.T, b *brokertest.Broker, servers, in, out string) string {
	t.Helper()
	module, err := filepath.Abs(s.module)
	if err != nil {
		t.Fatal(err)
	}
	name := strings.TrimSuffix(filepath.Base(module), ".wasm")
	return strings.NewReplacer(
		"$APP", b.Name("crash"), "$BROKERS", servers, "$NAME", name, "$MODULE", module,
		"$IN", in, "$RIGHT", in+rightSuffix, "$OUT", out, "$WITNESS", out+witnessSuffix,
	).Replace(subjectHead + s.stores + "operators:\n" + s.operators)
}

// What the second topics of a subject are called behind their first.
const (
	rightSuffix   = "-right"
	witnessSuffix = "-witness"
)
