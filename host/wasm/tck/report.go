// Package tck is the conformance kit: it takes the bytes of any module and holds them to abi/SPEC.md, clause by clause.
// It knows the contract and how to run a module; it does not know what the components mean, so what it asks of their
// answers is what holds for every component of a kind.
package tck

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Status is the outcome of one clause.
type Status int

// The outcomes.
const (
	Pass Status = iota
	Fail
	NotApplicable
)

// String is the word in the report.
func (s Status) String() string {
	return [...]string{"pass", "FAIL", "n/a"}[s]
}

// Result is one clause held against the module, or against one of its components.
type Result struct {
	Clause    string `json:"clause"`
	Component string `json:"component,omitempty"`
	Status    Status `json:"-"`
	// Detail says what was wrong, or why the clause does not apply.
	Detail string `json:"detail,omitempty"`
}

// Report is what a run of the kit found.
type Report struct {
	Module, Digest string
	Results        []Result
}

// Passed tells whether no clause failed.
func (r *Report) Passed() bool { return len(r.Failed()) == 0 }

// Failed returns the results that failed.
func (r *Report) Failed() []Result {
	var failed []Result
	for _, res := range r.Results {
		if res.Status == Fail {
			failed = append(failed, res)
		}
	}
	return failed
}

// WriteTo writes the report as a table with a line for each result and a summary. It implements io.WriterTo.
func (r *Report) WriteTo(w io.Writer) (int64, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", r.Module, r.Digest)
	tw := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, res := range r.Results {
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\n", res.Status, res.Clause, res.Component, res.Detail)
	}
	if err := tw.Flush(); err != nil {
		return 0, err
	}
	counts := [3]int{}
	for _, res := range r.Results {
		counts[res.Status]++
	}
	fmt.Fprintf(&b, "%d passed, %d failed, %d not applicable\n", counts[Pass], counts[Fail], counts[NotApplicable])
	n, err := io.WriteString(w, b.String())
	return int64(n), err
}

func (r *Report) add(clause, component string, status Status, format string, args ...any) {
	r.Results = append(r.Results, Result{clause, component, status, fmt.Sprintf(format, args...)})
}

// hold adds a pass, or a failure if problem is not empty, and tells which.
func (r *Report) hold(clause, component, problem string) bool {
	if problem != "" {
		r.add(clause, component, Fail, "%s", problem)
		return false
	}
	r.add(clause, component, Pass, "")
	return true
}
