package connectcases

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wasmstream/wasmstream/connectors/fault"
	"github.com/wasmstream/wasmstream/host/connect"
)

// steppedClock is a clock that only sleeping moves on.
type steppedClock struct {
	now   time.Time
	waits []int64
}

func (c *steppedClock) Now() time.Time { return c.now }

func (c *steppedClock) Sleep(_ context.Context, d time.Duration) bool {
	c.now = c.now.Add(d)
	c.waits = append(c.waits, d.Milliseconds())
	return true
}

// toleranceOf reads errors.*.
func toleranceOf(raw json.RawMessage) (connect.Tolerance, error) {
	props, err := propsOf(raw)
	if err != nil {
		return connect.Tolerance{}, err
	}
	ms := func(name string, def int64) time.Duration {
		n, err := strconv.ParseInt(props.Or(name, ""), 10, 64)
		if err != nil {
			n = def
		}
		return time.Duration(n) * time.Millisecond
	}
	return connect.Tolerance{
		All: props.Or("errors.tolerance", "none") == "all", RetryTimeout: ms("errors.retry.timeout", 0), MaxDelay: ms("errors.retry.delay.max.ms", 60000),
	}, nil
}

// thrown is the error that a case names, by its class and perhaps a message.
func thrown(name string) error {
	name, _, _ = strings.Cut(name, ":")
	name = strings.TrimSpace(strings.TrimPrefix(name, "plain "))
	for _, c := range []fault.Class{fault.Retriable, fault.Connect, fault.Data, fault.Exception} {
		if name == string(c) || name == c.SimpleName() {
			return c.New("Test Exception")
		}
	}
	return fault.Class(name).New("Test Exception")
}

func runRetry(c *testCase) error {
	tolerance, err := toleranceOf(c.Config)
	if err != nil {
		return err
	}
	in := object(c.Input)
	e := c.expects()
	if raw, ok := in["deadline_ms"]; ok {
		return runBackoff(tolerance, in, raw, e)
	}
	failures := int64(1) << 30
	for _, key := range []string{"failures", "fails", "fail_times", "times", "num_failures", "errors_before_success", "exceptions"} {
		if raw, ok := in[key]; ok {
			if failures, err = into[int64](raw); err != nil {
				return err
			}
		}
	}
	clock := &steppedClock{}
	calls, fail := int64(0), thrown(text(in["error"]))
	err = tolerance.Run(context.Background(), clock, connect.StageTransformation, "", func() error {
		calls++
		if calls <= failures {
			return fail
		}
		return nil
	})
	var f *connect.Failed
	got := map[string]any{"waits_ms": append([]int64{}, clock.waits...), "calls": calls, "failed": err != nil, "tolerated": errors.As(err, &f)}
	for key, want := range e {
		switch {
		case key == "result":
			if isNull(want) != (err != nil) {
				return fmt.Errorf("error %w", err)
			}
		case got[key] == nil:
			return fmt.Errorf("an expectation %q that the runner does not know", key)
		default:
			if err := equalJSON(want, got[key]); err != nil {
				return fmt.Errorf("%s: %w", key, err)
			}
		}
	}
	return nil
}

func runBackoff(t connect.Tolerance, in map[string]json.RawMessage, deadline json.RawMessage, e expectation) error {
	left, err := into[int64](deadline)
	if err != nil {
		return err
	}
	attempts, err := into[int](in["attempts"])
	if err != nil {
		return err
	}
	waits := []int64{}
	for attempt := 1; attempt <= attempts; attempt++ {
		for key, raw := range in {
			if strings.HasPrefix(key, "delay_before_"+strconv.Itoa(attempt)) {
				extra, err := into[int64](raw)
				if err != nil {
					return err
				}
				left -= extra
			}
		}
		wait := t.Wait(attempt, time.Duration(left)*time.Millisecond).Milliseconds()
		waits, left = append(waits, wait), left-wait
	}
	return equalJSON(e["waits_ms"], waits)
}

func runTolerance(c *testCase) error {
	tolerance, err := toleranceOf(c.Config)
	if err != nil {
		return err
	}
	in, err := into[struct{ Stage, Error string }](c.Input)
	if err != nil {
		return err
	}
	err = tolerance.Run(context.Background(), &steppedClock{}, connect.Stage(in.Stage), "", func() error { return thrown(in.Error) })
	return toleratedOr(c.expects(), err)
}

func toleratedOr(e expectation, err error) error {
	if _, wanted := e["tolerated"]; wanted {
		_, tolerated := err.(*connect.Failed) //nolint:errorlint // the outermost error decides
		return equalJSON(e["tolerated"], tolerated)
	}
	if done, err := e.failure(err); done {
		return err
	}
	return e.mustFail()
}

func runErrant(c *testCase) error {
	tolerance, err := toleranceOf(c.Config)
	if err != nil {
		return err
	}
	return toleratedOr(c.expects(), tolerance.Reported(connect.Stage(text(object(c.Input)["stage"])), "", thrown("Exception")))
}

// taskOf reads "job-0".
func taskOf(s string) connect.TaskID {
	at := strings.LastIndexByte(s, '-')
	n, _ := strconv.Atoi(s[at+1:])
	return connect.TaskID{Connector: s[:max(at, 0)], Task: n}
}

// failedIn reads the place of a failure.
func failedIn(c *testCase) (connect.TaskID, *connect.Failed, *connect.Place, error) {
	in, err := into[struct {
		Task, Stage, Class, Error, Topic string
		Partition                        int32
		Offset                           int64
	}](c.Input)
	f := &connect.Failed{Stage: connect.Stage(in.Stage), Class: in.Class, Cause: errors.New("Test Exception"), Attempts: 1}
	if class, message, ok := strings.Cut(in.Error, ": "); ok {
		f.Cause = fault.Class(class).New(message)
	} else if in.Error != "" {
		f.Cause = fault.Class(in.Error).New("")
	}
	if in.Topic == "" {
		return taskOf(in.Task), f, nil, err
	}
	return taskOf(in.Task), f, &connect.Place{Topic: in.Topic, Partition: in.Partition, Offset: in.Offset}, err
}

func runErrorLog(c *testCase) error {
	id, f, at, err := failedIn(c)
	if err != nil {
		return err
	}
	props, err := c.props()
	if err != nil {
		return err
	}
	if props.Or("errors.log.include.messages", "false") != "true" {
		at = nil
	}
	var message any = connect.ErrorLogText(id, f, at)
	if props.Or("errors.log.enable", "false") != "true" {
		message = nil
	}
	return equalJSON(c.expects()["message"], message)
}

func runDeadLetter(c *testCase) error {
	id, f, at, err := failedIn(c)
	if err != nil {
		return err
	}
	props, err := c.props()
	if err != nil {
		return err
	}
	got := map[string]*string{}
	if props.Or("errors.deadletterqueue.context.headers.enable", "false") == "true" {
		for _, h := range connect.DeadLetterHeaders(id, f, at) {
			got[h.Key] = nil
			if h.Value != nil {
				s := string(h.Value)
				got[h.Key] = &s
			}
		}
	}
	want := object(c.expects()["headers"])
	if len(want) != len(got) {
		return fmt.Errorf("headers %v", slices.Sorted(maps.Keys(got)))
	}
	for key, raw := range want {
		have, ok := got[key]
		switch {
		case !ok:
			return fmt.Errorf("no header %s", key)
		case isNull(raw) && have == nil:
		case have == nil:
			return fmt.Errorf("header %s is null", key)
		case !sameHeader(text(raw), *have):
			return fmt.Errorf("header %s is %q", key, *have)
		}
	}
	return nil
}

// sameHeader compares with a value, or with words about it.
func sameHeader(want, got string) bool {
	if prefix, ok := strings.CutPrefix(want, "starts with "); ok {
		return strings.HasPrefix(got, prefix)
	}
	return want == got || strings.HasPrefix(want, "<class name")
}

func runRestartPlan(c *testCase) error {
	in, err := into[struct {
		Connector string
		Tasks     map[string]string
	}](c.Input)
	if err != nil {
		return err
	}
	props, err := c.props()
	if err != nil {
		return err
	}
	s := connect.NewStatuses()
	tell := func(r connect.Record) error { return s.Apply(r.Key, r.Value) }
	if in.Connector != "no status" {
		if err := tell(connect.ConnectorStatusRecord("c", &connect.Status{State: connect.State(in.Connector)})); err != nil {
			return err
		}
	}
	for n, state := range in.Tasks {
		id := taskOf("c-" + n)
		if err := tell(connect.TaskStatusRecord(id, &connect.Status{State: connect.State(state)})); err != nil {
			return err
		}
	}
	request := connect.RestartRequest{Connector: "c", OnlyFailed: props.Or("onlyFailed", "false") == "true", IncludeTasks: props.Or("includeTasks", "false") == "true"}
	plan := connect.PlanRestart(request, s)
	e := c.expects()
	if raw, ok := e["plan"]; ok {
		if isNull(raw) != (plan == nil) {
			return fmt.Errorf("%+v", plan)
		}
		return nil
	}
	if plan == nil {
		return fmt.Errorf("no plan")
	}
	tasks := []int{}
	for _, id := range plan.Tasks {
		tasks = append(tasks, id.Task)
	}
	got := map[string]any{"restart_connector": plan.Connector, "restart_tasks": tasks, "restart_any_tasks": len(tasks) > 0, "total_tasks": len(in.Tasks)}
	for key, want := range e {
		if got[key] == nil {
			return fmt.Errorf("an expectation %q that the runner does not know", key)
		}
		if err := equalJSON(want, got[key]); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	return nil
}

func runSignature(c *testCase) error {
	config, err := into[struct {
		Algorithm string
		Key       []byte `json:"key_base64"`
		KeyAlso   []byte `json:"key"`
	}](c.Config)
	if err != nil {
		return err
	}
	in := object(c.Input)
	e := c.expects()
	body := []byte(text(in["body"]))
	headers := object(in["headers"])
	if headers == nil {
		headers = in
	}
	signature, signed := headers[connect.SignatureHeader]
	algorithm, named := headers[connect.SignatureAlgorithmHeader]
	if signed || named || e["status"] != nil || e["error"] != nil {
		_, err := connect.ParseSignature(text(signature), text(algorithm))
		if err != nil && (isNull(c.Expected) || text(e["error"]) == "BadRequestException" || e["status"] != nil) {
			return errorAnswer(&connect.StatusError{Status: http.StatusBadRequest, Message: err.Error()}).matches(expectation{"status": e["status"], "message": e["message"]}.given())
		}
		if done, err := e.failure(err); done {
			return err
		}
		return e.mustFail()
	}
	s, err := connect.Sign(body, append(config.Key, config.KeyAlso...), config.Algorithm)
	if err != nil {
		return err
	}
	got := map[string]any{connect.SignatureHeader: s.Header(), connect.SignatureAlgorithmHeader: s.Algorithm}
	for key, want := range e {
		if err := equalJSON(want, got[key]); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	return nil
}
