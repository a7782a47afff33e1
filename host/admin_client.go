package host

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/wasmstream/wasmstream/internal/errs"
)

// adminRequest is a request to a process of wasmstream, at its admin address or its application.server.
type adminRequest struct {
	client      *http.Client
	code        errs.Code // of the error when nobody answers, or somebody else
	method, url string    // url without the scheme: HOST:PORT/path
	contentType string
	token       string // "" for none
	body        []byte
	late        string // what to do when the context is over before the answer is there; "" says the code's remedy
	maxAnswer   int64
	tooLarge    string // what to do then
}

// do sends the request and reads the answer into a value, or returns the error that the process answered, as if it had happened here.
func (r adminRequest) do(ctx context.Context, into any) error {
	addr, _, _ := strings.Cut(r.url, "/")
	req, err := http.NewRequestWithContext(ctx, r.method, "http://"+r.url, bytes.NewReader(r.body))
	if err != nil {
		return r.code.New(addr, "the address is none", "want HOST:PORT").WithCause(networkCause(err))
	}
	req.Header.Set("Content-Type", r.contentType)
	if r.token != "" {
		req.Header.Set("Authorization", "Bearer "+r.token)
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return r.unanswered(ctx, addr, err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, r.maxAnswer+1))
	switch {
	case err != nil:
		return r.unanswered(ctx, addr, err)
	case int64(len(data)) > r.maxAnswer:
		return r.code.New(addr, fmt.Sprintf("the answer is larger than %d bytes", r.maxAnswer), r.tooLarge)
	case resp.StatusCode != http.StatusOK:
		return r.refusal(addr, resp.Status, data)
	}
	if err := json.Unmarshal(data, into); err != nil {
		return r.code.New(addr, "the answer is not one of wasmstream", "").WithCause(err)
	}
	return nil
}

// unanswered is the error of a request that got no answer, or half of one.
func (r adminRequest) unanswered(ctx context.Context, addr string, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) && r.late != "" {
		return errs.RuntimeTimeout.New(addr, "there is no answer yet", r.late)
	}
	return r.code.New(addr, "nobody answers", "").WithCause(networkCause(err))
}

// refusal is the error in an answer that is not 200.
func (r adminRequest) refusal(addr, status string, body []byte) error {
	var e adminError
	if err := json.Unmarshal(body, &e); err != nil || e.Code == "" {
		return r.code.New(addr, "it answered "+status, "")
	}
	coded := errs.New(e.Code, e.Where, e.What, e.Fix).WithDetail(e.Detail)
	if e.Cause != "" {
		return coded.WithCause(errors.New(e.Cause))
	}
	return coded
}

// hostPort is an address that may have been given as a URL.
func hostPort(addr string) string {
	return strings.TrimSuffix(strings.TrimPrefix(addr, "http://"), "/")
}

// networkCause is why a request failed, without the request, which messages name already.
func networkCause(err error) error {
	var network *url.Error
	if errors.As(err, &network) {
		return network.Err
	}
	return err
}
