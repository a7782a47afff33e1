// Package bench is the pipeline benchmark: inputs as a pure function of their number, the jobs that are measured, the
// application process that is measured, and the run that starts everything and compares the outputs. It knows the
// whole house through package host, and is not built into anything but the command line.
package bench

import (
	"math"
	"strconv"
)

// baseTimestamp is the timestamp of the first record of every data set, in milliseconds since the epoch.
const baseTimestamp int64 = 1_700_000_000_000

const dayMillis int64 = 86_400_000

const (
	users      = 100_000
	vocabulary = 10_000
	lineBytes  = 94
)

var (
	eventTypes = [...]string{"view", "click", "cart", "buy"}
	tiers      = [...]string{"free", "plus", "gold"}
	countries  = [...]string{"DE", "FR", "US", "GB", "NL", "PL", "IT", "ES", "SE", "NO", "BR", "IN", "JP", "KR", "CA", "AU"}
)

// rng is splitmix64: the same numbers in every language, so that a Java program can make the same inputs.
type rng uint64

func (r *rng) next() uint64 {
	*r += 0x9E3779B97F4A7C15
	z := uint64(*r)
	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9
	z = (z ^ (z >> 27)) * 0x94D049BB133111EB
	return z ^ (z >> 31)
}

// below is an integer in [0,n).
func (r *rng) below(n int) int { return int((r.next() >> 33) % uint64(n)) }

// real is a number in [0,1) with 53 random bits.
func (r *rng) real() float64 { return float64(r.next()>>11) / (1 << 53) }

// Lines makes lines of about 100 bytes whose words follow Zipf's law over 10,000 made-up words.
type Lines struct {
	words []string
	cdf   []float64
	rng   rng
	// Words counts the words of all lines so far.
	Words int
}

// NewLines returns the data set from its beginning.
func NewLines() *Lines {
	return &Lines{words: makeVocabulary(), cdf: zipf(vocabulary), rng: 42}
}

// Append appends the next line to dst.
func (l *Lines) Append(dst []byte) []byte {
	start := len(dst)
	for len(dst)-start < lineBytes {
		if len(dst) > start {
			dst = append(dst, ' ')
		}
		dst = append(dst, l.words[l.rank(l.rng.real())]...)
		l.Words++
	}
	return dst
}

// rank is the first word whose cumulative probability exceeds u.
func (l *Lines) rank(u float64) int {
	lo, hi := 0, len(l.cdf)-1
	for lo < hi {
		if mid := (lo + hi) / 2; l.cdf[mid] > u {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return lo
}

// makeVocabulary gives short words to the common ranks, longer ones to the rare, and none twice.
func makeVocabulary() []string {
	const consonants, vowels = "bcdfghjklmnprstvwz", "aeiou"
	r := rng(7)
	seen := make(map[string]bool, vocabulary)
	words := make([]string, 0, vocabulary)
	for len(words) < vocabulary {
		var w []byte
		for range syllables(len(words)) {
			w = append(w, consonants[r.below(len(consonants))], vowels[r.below(len(vowels))])
			if r.below(3) == 0 {
				w = append(w, consonants[r.below(len(consonants))])
			}
		}
		if s := string(w); !seen[s] {
			seen[s] = true
			words = append(words, s)
		}
	}
	return words
}

func syllables(rank int) int {
	switch {
	case rank < 60:
		return 1
	case rank < 2500:
		return 2
	default:
		return 3
	}
}

// zipf is the cumulative distribution of Zipf's law with exponent 1 over n ranks.
func zipf(n int) []float64 {
	cdf := make([]float64, n)
	sum := 0.0
	for i := range cdf {
		sum += 1 / float64(i+1)
		cdf[i] = sum
	}
	for i := range cdf {
		cdf[i] /= sum
	}
	return cdf
}

// Events makes JSON objects of about 200 bytes, one per millisecond of event time, each of a random user.
type Events struct {
	rng rng
	n   int64
	// User and Timestamp belong to the event appended last.
	User      int
	Timestamp int64
}

// NewEvents returns the data set from its beginning.
func NewEvents() *Events { return &Events{rng: 1} }

// NewOrders returns events of the same times and other users, for the other side of a join.
func NewOrders() *Events { return &Events{rng: 2} }

// Append appends the next event to dst.
func (e *Events) Append(dst []byte) []byte {
	e.User = e.rng.below(users)
	kind := eventTypes[e.rng.below(len(eventTypes))]
	e.Timestamp = baseTimestamp + e.n
	e.n++
	cents := e.rng.below(100_000)
	dst = append(dst, `{"user":"`...)
	dst = AppendUser(dst, e.User)
	dst = append(append(dst, `","type":"`...), kind...)
	dst = append(strconv.AppendInt(append(dst, `","amount":`...), int64(cents/100), 10), '.', byte('0'+cents%100/10), byte('0'+cents%10))
	dst = strconv.AppendInt(append(dst, `,"ts":`...), e.Timestamp, 10)
	dst = append(append(dst, `,"country":"`...), countries[e.rng.below(len(countries))]...)
	dst = strconv.AppendInt(append(dst, `","page":"/item/`...), int64(e.rng.below(50_000)), 10)
	dst = appendHex(append(dst, `","session":"`...), e.rng.next())
	dst = append(dst, `","agent":"`...)
	for range 3 {
		dst = appendHex(dst, e.rng.next())
	}
	return append(dst, `"}`...)
}

// AppendUser appends the key of a user, u and seven digits.
func AppendUser(dst []byte, user int) []byte {
	dst = append(dst, 'u')
	for div := int(math.Pow10(6)); div > 0; div /= 10 {
		dst = append(dst, byte('0'+user/div%10))
	}
	return dst
}

// AppendProfile appends the profile of a user, a JSON object of about 100 bytes.
func AppendProfile(dst []byte, user int) []byte {
	r := rng(user)
	dst = strconv.AppendInt(append(dst, `{"name":"name-`...), int64(user), 10)
	dst = append(append(dst, `","tier":"`...), tiers[r.below(len(tiers))]...)
	dst = strconv.AppendInt(append(dst, `","since":`...), int64(2005+r.below(20)), 10)
	dst = appendHex(appendHex(append(dst, `,"note":"`...), r.next()), r.next())
	return append(dst, `"}`...)
}

// rowBytes is the size of the value of a row of a changelog.
const rowBytes = 100

// appendRow appends a value of rowBytes.
func appendRow(dst []byte, r *rng) []byte {
	for range 6 {
		dst = appendHex(dst, r.next())
	}
	return append(dst, "rows"...)
}

// appendHex appends sixteen digits, the lowest first.
func appendHex(dst []byte, v uint64) []byte {
	const digits = "0123456789abcdef"
	for shift := 0; shift < 64; shift += 4 {
		dst = append(dst, digits[v>>shift&15])
	}
	return dst
}
