package main

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/wasmstream/wasmstream/internal/apptest"
	"github.com/wasmstream/wasmstream/internal/errs"
)

func testCommand() *cli.Command {
	return &cli.Command{
		Name: "test", Usage: "run test cases of applications, without a broker", ArgsUsage: "[PATH|DIR|./...]...",
		Description: "A case pipes records into an application, moves time, and compares what is written, what the stores hold and what\nis set aside. Without a path the files of the current folder are run. Status 4: a case failed.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "run", Usage: "only cases whose names match `REGEXP`"},
			&cli.BoolFlag{Name: "update", Usage: "write what came into the files where it differs"},
			&cli.StringFlag{Name: "application", Aliases: []string{"f"}, Usage: "`FILE` of the application, in place of what the cases say"},
			&cli.StringSliceFlag{Name: "set", Usage: "a setting `KEY=VALUE` that wins over the files; may be given several times"},
			outputFlag("text", "json", "junit"),
		},
		Action: runTests,
	}
}

// testRun is what came of all files. Its names in JSON are a contract.
type testRun struct {
	Passed  int                  `json:"passed"`
	Failed  int                  `json:"failed"`
	Updated int                  `json:"updated"`
	Files   []apptest.FileResult `json:"files"`
}

func (r *testRun) add(f apptest.FileResult) {
	for _, c := range f.Cases {
		switch {
		case c.Updated:
			r.Updated++
		case c.Passed:
			r.Passed++
		default:
			r.Failed++
		}
	}
	if len(f.Cases) > 0 {
		r.Files = append(r.Files, f)
	}
}

func (r *testRun) empty() bool { return r.Passed+r.Failed+r.Updated == 0 }

func runTests(c *cli.Context) error {
	o := apptest.Options{
		Application: c.String("application"), Set: c.StringSlice("set"), Update: c.Bool("update"), Compiler: compiler(), Print: c.App.ErrWriter,
	}
	if pattern := c.String("run"); pattern != "" {
		re, err := regexp.Compile(pattern)
		if err != nil {
			return errs.CLIUsage.New("--run", fmt.Sprintf("%q is not a regular expression", pattern), "use RE2 syntax").WithCause(err)
		}
		o.Run = re
	}
	paths := c.Args().Slice()
	if len(paths) == 0 {
		paths = []string{"."}
	}
	files, err := apptest.Files(paths, o)
	if err != nil {
		return err
	}
	run := &testRun{Files: []apptest.FileResult{}}
	text := c.String("output") == "text"
	var faults []error
	for _, path := range files {
		result, err := apptest.RunFile(c.Context, path, o)
		if err != nil {
			faults = append(faults, err)
		}
		run.add(result)
		if text {
			printCases(c.App.Writer, result)
		}
	}
	return errors.Join(printRun(c, run, len(files), faults), errors.Join(faults...))
}

// printRun prints the whole and says whether it failed.
func printRun(c *cli.Context, run *testRun, files int, faults []error) error {
	if run.empty() && len(faults) == 0 {
		return errs.CaseNone.New("--run", fmt.Sprintf("none of the cases in %s is called so", plural(files, "file")), "")
	}
	var err error
	switch form := c.String("output"); {
	case run.empty() && form == "text":
	case form == "json":
		err = printJSON(c.App.Writer, run)
	case form == "junit":
		err = printJUnit(c.App.Writer, run)
	default:
		line := fmt.Sprintf("%d passed, %d failed", run.Passed, run.Failed)
		if run.Updated > 0 {
			line += fmt.Sprintf(", %d updated", run.Updated)
		}
		_, err = fmt.Fprintln(c.App.Writer, line)
	}
	if err == nil && run.Failed > 0 && len(faults) == 0 {
		return errs.CaseFailed.New("", fmt.Sprintf("%d of %s failed", run.Failed, plural(run.Passed+run.Failed+run.Updated, "case")), "")
	}
	return err
}

func printCases(w io.Writer, f apptest.FileResult) {
	for _, result := range f.Cases {
		switch {
		case result.Updated:
			fmt.Fprintf(w, "✎ %s: %s\n", f.File, result.Name)
		case result.Passed:
			fmt.Fprintf(w, "✓ %s: %s\n", f.File, result.Name)
		default:
			fmt.Fprintf(w, "✗ %s: %s\n%s", f.File, result.Name, indented(explainCase(result), "  "))
		}
	}
}

// explainCase says why a case failed.
func explainCase(r apptest.CaseResult) string {
	var b strings.Builder
	if r.Error != "" {
		fmt.Fprintf(&b, "the application ended with an error\n%s", indented(r.Error, "  "))
	}
	for _, d := range r.Differences {
		fmt.Fprintf(&b, "%s: %s: %s\n", d.Where, d.What, d.Reason)
		if d.Excerpt != "" {
			b.WriteString(indented(d.Excerpt, "  "))
		}
		fmt.Fprintf(&b, "  expected  %s\n  got       %s\n", orNothing(d.Expected), orNothing(d.Got))
	}
	if len(r.Log) > 0 {
		fmt.Fprintf(&b, "logged\n%s", indented(strings.Join(r.Log, "\n"), "  "))
	}
	return b.String()
}

func orNothing(text string) string {
	if text == "" {
		return "nothing"
	}
	return strings.ReplaceAll(text, "\n", "\n            ")
}

// indented is the lines of text behind an indent, each with its end.
func indented(text, by string) string {
	var b strings.Builder
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		b.WriteString(strings.TrimRight(by+line, " ") + "\n")
	}
	return b.String()
}

// The form that JUnit's Ant task writes and every CI reads.
type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Errors   int          `xml:"errors,attr"`
		Time     string       `xml:"time,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Errors   int         `xml:"errors,attr"`
		Time     string      `xml:"time,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Name      string        `xml:"name,attr"`
		ClassName string        `xml:"classname,attr"`
		File      string        `xml:"file,attr"`
		Line      int           `xml:"line,attr,omitempty"`
		Time      string        `xml:"time,attr"`
		Failure   *junitFailure `xml:"failure"`
		Error     *junitFailure `xml:"error"`
	}
	junitFailure struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

func printJUnit(w io.Writer, run *testRun) error {
	all := junitSuites{}
	total := 0.0
	for _, f := range run.Files {
		s, seconds := suiteOf(f)
		all.Tests, all.Failures, all.Errors, total = all.Tests+s.Tests, all.Failures+s.Failures, all.Errors+s.Errors, total+seconds
		all.Suites = append(all.Suites, s)
	}
	all.Time = seconds(total)
	text, err := xml.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s%s\n", xml.Header, text)
	return err
}

func suiteOf(f apptest.FileResult) (s junitSuite, total float64) {
	s = junitSuite{Name: f.File, Tests: len(f.Cases)}
	for _, r := range f.Cases {
		_, line, _ := errs.Place(r.Where)
		c := junitCase{Name: r.Name, ClassName: f.File, File: f.File, Line: line, Time: seconds(r.Seconds)}
		switch {
		case r.Error != "":
			s.Errors++
			first, _, _ := strings.Cut(r.Error, "\n")
			c.Error = &junitFailure{Message: printable(first), Text: printable(explainCase(r))}
		case !r.Passed:
			s.Failures++
			c.Failure = &junitFailure{Message: plural(len(r.Differences), "difference"), Text: printable(explainCase(r))}
		}
		total += r.Seconds
		s.Cases = append(s.Cases, c)
	}
	s.Time = seconds(total)
	return s, total
}

func seconds(s float64) string { return strconv.FormatFloat(s, 'f', 3, 64) }

// printable replaces what XML cannot hold.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && !slices.Contains([]rune{'\n', '\t', '\r'}, r) {
			return '\uFFFD'
		}
		return r
	}, text)
}
