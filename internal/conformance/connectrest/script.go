package connectrest

import (
	_ "embed"
	"fmt"
	"net/http"
	"regexp"
	"strings"
)

//go:embed testdata/script.txt
var script string

// Call is one line of the script. Its form is
//
//	[option]... METHOD PATH [BODY]
//
// where an option is a header ("Accept: text/html") or one of
//
//	wording         the text of the message is the parser's or a plugin's own: only its presence is compared
//	own MODE        in this mode, or all, this program answers otherwise on purpose: both succeed, or both fail
//	until REGEX     the call is made again until its body matches
//	distributed     the line is for distributed workers only; so is standalone
//
// A line "await NAME STATE..." waits until the connector and its tasks have these states; it is no call to compare. "steady" waits
// until they have had them for a while, after a request that takes effect later.
type Call struct {
	Line    int
	Method  string
	Path    string
	Body    string
	Header  http.Header
	Wording bool
	Own     string
	Until   *regexp.Regexp
	Mode    string
	// Steady says that the states are to stay.
	Steady bool
	// Await are the states to wait for, nil in calls.
	Await []string
}

// String is the call as it stands in records of answers.
func (c *Call) String() string { return c.Method + " " + c.Path }

// Script is every call for a mode: standalone or distributed.
func Script(mode string) ([]*Call, error) {
	var out []*Call
	for i, line := range strings.Split(script, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		c, err := parseCall(line)
		if err != nil {
			return nil, fmt.Errorf("script, line %d: %w", i+1, err)
		}
		c.Line = i + 1
		if c.Mode == "" || c.Mode == mode {
			out = append(out, c)
		}
	}
	return out, nil
}

func parseCall(line string) (*Call, error) {
	c := &Call{Header: http.Header{}}
	for strings.HasPrefix(line, "[") {
		option, rest, ok := strings.Cut(line[1:], "] ")
		if !ok {
			return nil, fmt.Errorf("an option has no end")
		}
		if err := c.option(option); err != nil {
			return nil, err
		}
		line = strings.TrimSpace(rest)
	}
	c.Method, line, _ = strings.Cut(line, " ")
	if c.Steady = c.Method == "steady"; c.Steady || c.Method == "await" {
		c.Await = strings.Fields(line)
		return c, nil
	}
	c.Path, c.Body, _ = strings.Cut(strings.TrimSpace(line), " ")
	c.Body = strings.TrimSpace(c.Body)
	if c.Body != "" && c.Header.Get("Content-Type") == "" {
		c.Header.Set("Content-Type", "application/json")
	}
	if !strings.HasPrefix(c.Path, "/") {
		return nil, fmt.Errorf("%q is no path", c.Path)
	}
	return c, nil
}

func (c *Call) option(s string) error {
	if name, value, ok := strings.Cut(s, ": "); ok {
		c.Header.Set(name, value)
		return nil
	}
	word, rest, _ := strings.Cut(s, " ")
	var err error
	switch word {
	case "wording":
		c.Wording = true
	case "own":
		c.Own = rest
	case "until":
		c.Until, err = regexp.Compile(rest)
	case "standalone", "distributed":
		c.Mode = word
	default:
		err = fmt.Errorf("there is no option %q", s)
	}
	return err
}
