package connectrest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Places are what the names of the script stand for in one run.
type Places struct {
	// URL of the worker, without a slash at the end, and its mode.
	URL, Mode string
	// Dir is a folder of the run, which {dir} stands for, Topics what its topics begin with, for {t}.
	Dir, Topics string
}

// patience bounds what a step waits for. pause is the wait between two tries.
const (
	patience = 30 * time.Second
	pause    = 20 * time.Millisecond
)

// Run makes every call and returns the answers in order. The error is about states that do not come and, at once, about a worker
// that does not answer.
func (p Places) Run(ctx context.Context, calls []*Call) ([]Answer, error) {
	fill := strings.NewReplacer("{dir}", p.Dir, "{t}", p.Topics)
	names := strings.NewReplacer(p.Dir, "{dir}", p.Topics, "{t}", p.URL, "{url}")
	var out []Answer
	var missed error
	for _, c := range calls {
		stepCtx, cancel := context.WithTimeout(ctx, patience)
		a, err := p.step(stepCtx, c, fill, names)
		cancel()
		if err != nil {
			err = fmt.Errorf("script, line %d: %w", c.Line, err)
		}
		if c.Await != nil {
			missed = errors.Join(missed, err)
			continue
		}
		if err != nil {
			return out, errors.Join(missed, err)
		}
		out = append(out, a)
	}
	return out, missed
}

func (p Places) step(ctx context.Context, c *Call, fill, names *strings.Replacer) (Answer, error) {
	if c.Await != nil {
		return Answer{}, p.await(ctx, c)
	}
	for {
		resp, body, err := p.send(ctx, c.Method, fill.Replace(c.Path), fill.Replace(c.Body), c.Header)
		if err != nil {
			return Answer{}, fmt.Errorf("%s: %w", c, err)
		}
		if passing(resp.StatusCode, body) || c.Until != nil && !c.Until.Match(body) {
			if !wait(ctx) {
				return Answer{}, fmt.Errorf("%s still answers %d: %s", c, resp.StatusCode, body)
			}
			continue
		}
		return newAnswer(c, p.Mode, resp, body, names), nil
	}
}

// passing tells of answers that mean "try again", as every client of Connect does.
func passing(status int, body []byte) bool {
	text := string(body)
	return status == http.StatusConflict && !strings.Contains(text, "already exists") ||
		status == http.StatusInternalServerError && strings.Contains(text, "rebalance is expected")
}

func (p Places) send(ctx context.Context, method, path, body string, header http.Header) (*http.Response, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, p.URL+path, bytes.NewReader([]byte(body)))
	if err != nil {
		return nil, nil, err
	}
	for name, values := range header {
		req.Header[name] = values
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp, b, err
}

// steadiness is for how many looks in a row states have to stay.
const steadiness = 20

func (p Places) await(ctx context.Context, c *Call) error {
	name, states, last := c.Await[0], strings.Join(c.Await[1:], " "), ""
	for held := 0; ; {
		_, body, err := p.send(ctx, http.MethodGet, "/connectors/"+name+"/status", "", nil)
		if err != nil {
			return err
		}
		if last = statesOf(body); last != states {
			held = 0
		} else if held++; !c.Steady || held == steadiness {
			return nil
		}
		if !wait(ctx) {
			return fmt.Errorf("%s is %q and not %q: %s", name, last, states, body)
		}
	}
}

func statesOf(body []byte) string {
	var s struct {
		Connector struct{ State string }
		Tasks     []struct{ State string }
	}
	if json.Unmarshal(body, &s) != nil {
		return ""
	}
	out := []string{s.Connector.State}
	for _, t := range s.Tasks {
		out = append(out, t.State)
	}
	return strings.Join(out, " ")
}

func wait(ctx context.Context) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
