package apptest

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/wasmstream/wasmstream/host"
	"github.com/wasmstream/wasmstream/host/stream/streamtest"
	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/spec"
)

// CaseResult is what came of a case.
type CaseResult struct {
	Name    string  `json:"name"`
	Where   string  `json:"where"`
	Seconds float64 `json:"seconds"`
	Passed  bool    `json:"passed"`
	// Updated: the case was written anew.
	Updated     bool         `json:"updated,omitempty"`
	Differences []Difference `json:"differences,omitempty"`
	// Error is what ended the application against expectation.
	Error string `json:"error,omitempty"`
	// Log is what guests and operators logged, as much as is worth reading.
	Log []string `json:"log,omitempty"`

	cause error
}

// Cause is the error that ended the application, nil if none did.
func (r CaseResult) Cause() error { return r.cause }

// Difference is one thing that is not as expected.
type Difference struct {
	// Where is the place of the expectation, What names the topic or store with the record or row.
	Where string `json:"where"`
	What  string `json:"what"`
	// Expected and Got are the two records, "" for none.
	Expected string `json:"expected"`
	Got      string `json:"got"`
	// Reason says what of the record differs.
	Reason  string `json:"reason"`
	Excerpt string `json:"-"`
}

// caseRunner runs one case.
type caseRunner struct {
	file  *spec.TestFile
	c     *spec.TestCase
	names *names
	bench *host.TestBench

	input       []piped // beside c.Input
	outputs     []expected
	stores      []expected
	deadLetters *expected

	log    logged
	driver *streamtest.Driver
}

// piped is a record of the input in bytes.
type piped struct {
	key, value []byte
	headers    []topology.Header
}

// prepare turns everything that is written into bytes, and reports all that cannot be.
func (r *caseRunner) prepare() []error {
	var faults []error
	fault := func(err error) {
		if err != nil {
			faults = append(faults, err)
		}
	}
	for i := range r.c.Input {
		p, err := r.prepareStep(&r.c.Input[i])
		fault(err)
		r.input = append(r.input, p)
	}
	for _, x := range r.c.Output {
		if _, known := r.names.topics[x.Name]; !known && !r.names.anyTopic {
			fault(r.file.Fault(errs.CaseUnknownName, x.Where, "the application writes no topic "+x.Name, errs.DidYouMean(x.Name, r.names.topicNames())))
			continue
		}
		e, err := r.prepareExpected(x, r.names.serdes(x.Name))
		fault(err)
		r.outputs = append(r.outputs, e)
	}
	for _, x := range r.c.Stores {
		s := r.names.stores[x.Name]
		if s == nil {
			fault(r.file.Fault(errs.CaseUnknownName, x.Where, "the application has no store "+x.Name, errs.DidYouMean(x.Name, r.names.storeNames())))
			continue
		}
		e, err := r.prepareExpected(x, r.names.storeSerdes(s))
		e.store = s
		fault(err)
		r.stores = append(r.stores, e)
	}
	if x := r.c.DeadLetters; x != nil {
		e, err := r.prepareExpected(*x, r.names.serdes(r.names.deadLetterTopic))
		e.partial = true
		fault(err)
		r.deadLetters = &e
		if r.names.deadLetterTopic == "" && len(x.Records) > 0 {
			fault(r.file.Fault(errs.CaseUnknownName, x.Where, "the application has no dead-letter topic", "set errors.dead.letter.queue.topic.name"))
		}
	}
	return faults
}

func (r *caseRunner) prepareStep(s *spec.TestStep) (p piped, err error) {
	if s.Topic == "" {
		return p, nil
	}
	if reads, _ := r.names.reads(s.Topic); !reads {
		var inputs []string
		for name := range r.names.inputs {
			inputs = append(inputs, name)
		}
		return p, r.file.Fault(errs.CaseUnknownName, s.Where, "no source reads the topic "+s.Topic, errs.DidYouMean(s.Topic, inputs))
	}
	serdes := r.names.serdes(s.Topic)
	if p.key, err = r.bytes(s.Where, "key", s.Key, serdes.Key); err != nil {
		return p, err
	}
	if p.value, err = r.bytes(s.Where, "value", s.Value, serdes.Value); err != nil {
		return p, err
	}
	p.headers, err = r.headers(s.Where, s.Headers)
	return p, err
}

func (r *caseRunner) headers(where string, given []spec.TestHeader) (all []topology.Header, err error) {
	for _, h := range given {
		v, err := r.bytes(where, "header "+h.Key, h.Value, topology.Bytes)
		if err != nil {
			return nil, err
		}
		all = append(all, topology.Header{Key: h.Key, Value: v})
	}
	return all, nil
}

func (r *caseRunner) bytes(where, what string, l spec.Literal, s topology.Serde) ([]byte, error) {
	b, err := l.Bytes(s)
	if err != nil {
		return nil, r.file.Fault(errs.CaseLiteral, where, fmt.Sprintf("the %s is read as %s: %s", what, s.Name(), reasonOf(err)), "")
	}
	return b, nil
}

// reasonOf is the text of an error without its code and remedy.
func reasonOf(err error) string {
	coded, ok := errors.AsType[*errs.Error](err)
	switch {
	case !ok:
		return err.Error()
	case coded.Cause != nil:
		return coded.What + ": " + reasonOf(coded.Cause)
	}
	return coded.What
}

// run pipes the input and compares what came.
func (r *caseRunner) run() CaseResult {
	began := time.Now()
	result := CaseResult{Name: r.c.Name, Where: r.c.Where}
	err := r.play()
	if r.driver != nil {
		result.Differences = r.compare()
		err = errors.Join(err, r.driver.Close())
	}
	switch {
	case err != nil && r.c.Error == nil:
		result.cause, result.Error = err, rendered(err)
	case err != nil && !r.c.Error.MatchString(err.Error()):
		result.Differences = append(result.Differences, r.wrongError(rendered(err)))
	case err == nil && r.c.Error != nil:
		result.Differences = append(result.Differences, r.wrongError(""))
	}
	result.Passed = result.Error == "" && len(result.Differences) == 0
	if !result.Passed {
		result.Log = r.log.lines()
	}
	result.Seconds = time.Since(began).Seconds()
	return result
}

func (r *caseRunner) wrongError(got string) Difference {
	d := Difference{
		Where: r.c.ErrorWhere, What: "error", Expected: "an error that matches " + r.c.Error.String(), Got: got,
		Reason: "the error differs", Excerpt: r.file.Excerpt(r.c.ErrorWhere),
	}
	if got == "" {
		d.Reason = "the application did not end"
	}
	return d
}

func rendered(err error) string {
	var b strings.Builder
	errs.Render(&b, err, false)
	return strings.TrimSpace(b.String())
}

// play runs the steps; what the steps before an error brought stays.
func (r *caseRunner) play() error {
	var byPattern []string
	for i := range r.c.Input {
		if _, pattern := r.names.reads(r.c.Input[i].Topic); pattern {
			byPattern = append(byPattern, r.c.Input[i].Topic)
		}
	}
	driver, err := r.bench.Driver(r.c.Clock, byPattern, r.log.logger())
	if err != nil {
		return err
	}
	r.driver = driver
	for i := range r.c.Input {
		if err := r.step(&r.c.Input[i], &r.input[i]); err != nil {
			return err
		}
	}
	return nil
}

func (r *caseRunner) step(s *spec.TestStep, p *piped) error {
	switch {
	case s.Topic != "":
		ts := r.driver.Now().UnixMilli()
		if s.Timestamp != nil {
			ts = *s.Timestamp
		}
		return r.driver.PipeAll(s.Topic, streamtest.Record{Key: p.key, Value: p.value, Timestamp: ts, Headers: p.headers})
	case s.Restart:
		return r.driver.Restart()
	}
	if s.StreamTime > 0 {
		if err := r.driver.AdvanceStreamTime(s.StreamTime); err != nil {
			return err
		}
	}
	if s.WallClock > 0 {
		return r.driver.AdvanceWallClockTime(s.WallClock)
	}
	return nil
}

// logged keeps what a case logs.
type logged struct{ text bytes.Buffer }

// maxLogLines is how many lines of a case's log are worth reading.
const maxLogLines = 20

func (l *logged) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(&l.text, &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey && len(groups) == 0 {
			return slog.Attr{}
		}
		return a
	}}))
}

func (l *logged) lines() []string {
	text := strings.TrimSpace(l.text.String())
	if text == "" {
		return nil
	}
	lines := strings.Split(text, "\n")
	if left := len(lines) - maxLogLines; left > 0 {
		lines = append(lines[:maxLogLines], fmt.Sprintf("and %d lines more", left))
	}
	return lines
}
