package main

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"github.com/wasmstream/wasmstream/internal/conformance/streamscases"
)

// comparison has Kafka Streams run random cases beside this program.
type comparison struct {
	// command reads cases, one a line, and answers each with a line that has Kafka's results.
	command string
	// first is the first of the seeds, of which each makes so many cases.
	first uint64
	seeds int
	// family restricts the cases to one; "" takes all in turns.
	family string
	cases  int
	keep   string // a file for the cases with Kafka's results; "" keeps none
}

func comparisonFlags(c *comparison) {
	flag.StringVar(&c.command, "against", "", "compare random cases with this program, which answers cases on its standard input")
	flag.IntVar(&c.seeds, "seeds", 1, "how many seeds, from -seed, for -against")
	flag.StringVar(&c.family, "family", "", "the only family of -against and -generate; all if not given")
	flag.IntVar(&c.cases, "cases", 260, "how many cases of each seed, for -against")
	flag.StringVar(&c.keep, "keep", "", "a file for the cases of -against with their results")
}

// run prints what differs and returns how many cases do.
func (c *comparison) run(out io.Writer) (failed int, err error) {
	words := strings.Fields(c.command)
	program := exec.Command(words[0], words[1:]...)
	program.Stderr = os.Stderr
	stdin, err1 := program.StdinPipe()
	stdout, err2 := program.StdoutPipe()
	if err := errors.Join(err1, err2); err != nil {
		return 0, err
	}
	if err := program.Start(); err != nil {
		return 0, fmt.Errorf("starting %s: %w", words[0], err)
	}
	answers := bufio.NewReader(stdout)
	ask := func(line []byte) ([]byte, error) {
		if _, err := stdin.Write(append(bytes.TrimSpace(line), '\n')); err != nil {
			return nil, fmt.Errorf("asking about %.200s: %w", line, err)
		}
		answer, err := answers.ReadBytes('\n')
		if err != nil {
			return nil, fmt.Errorf("no answer about %.1000s: %w", line, err)
		}
		return answer, nil
	}
	failed, err = c.compare(out, ask)
	return failed, errors.Join(err, stdin.Close(), program.Wait())
}

func (c *comparison) compare(out io.Writer, ask streamscases.Oracle) (failed int, err error) {
	kept := io.Discard
	if c.keep != "" {
		file, err := os.Create(c.keep)
		if err != nil {
			return 0, err
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		kept = file
	}
	passed := 0
	for seed := c.first; seed < c.first+uint64(c.seeds); seed++ {
		var cases bytes.Buffer
		if err := streamscases.Generate(&cases, seed, c.cases, c.family); err != nil {
			return failed, err
		}
		for line := range bytes.Lines(cases.Bytes()) {
			d, answered, err := streamscases.Against(ask, line)
			if err != nil {
				return failed, err
			}
			if _, err := kept.Write(answered); err != nil {
				return failed, err
			}
			if d == nil {
				passed++
				continue
			}
			failed++
			fmt.Fprintf(out, "FAIL %s\n%v\n  smallest case: %s", d.ID, d.Err, d.Case)
		}
	}
	fmt.Fprintf(out, "%d passed, %d failed\n", passed, failed)
	return failed, nil
}
