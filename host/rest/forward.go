package rest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/wasmstream/wasmstream/host/connect"
)

// lastAnswer is how long a worker may take to answer that is not the one to ask any more.
const lastAnswer = 2 * time.Second

// errReplaced is what a client hears whose request is at such a worker, which may be frozen or cut off: it may have been done or not.
// Clients of Kafka Connect ask again.
var errReplaced = status(http.StatusConflict, "Cannot complete request because of a conflicting operation (e.g. worker rebalance)")

// whileInOffice is a context that ends when the request ends, or has been for a while with a worker that was replaced.
func (r *request) whileInOffice(to *connect.NotLeader) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(r.Context())
	go func() {
		if !to.Replaced(ctx) {
			return
		}
		select {
		case <-time.After(lastAnswer):
			cancel(errReplaced)
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(nil) }
}

// forward sends the request to the worker that can answer it. There are two hops at most: the first says forward=true, the
// second forward=false. It ends when another worker has become the one to ask, with a conflict. success, if not 0, stands for whatever success the other worker tells.
func (r *request) forward(to *connect.NotLeader, success int, relayBody bool) error {
	worker := to.URL
	if worker == "" {
		return status(http.StatusConflict, "Cannot complete request momentarily due to no known leader URL, likely because a rebalance was underway.")
	}
	next := "true"
	switch hop := r.URL.Query().Get("forward"); {
	case strings.EqualFold(hop, "true"):
		next = "false"
	case hop != "":
		return errReplaced
	}
	query := r.URL.Query()
	query.Set("forward", next)
	ctx, cancel := r.whileInOffice(to)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, r.Method, strings.TrimSuffix(worker, "/")+r.URL.EscapedPath()+"?"+query.Encode(), bytes.NewReader(r.body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if auth := r.Header.Get("Authorization"); auth != "" {
		req.Header.Set("Authorization", auth)
	}
	began := time.Now()
	resp, err := r.h.Client.Do(req)
	switch {
	case err != nil && errors.Is(context.Cause(ctx), errReplaced):
		return errReplaced
	case err != nil && r.Context().Err() != nil:
		return &connect.TimeoutError{Stage: connect.Stages{Doing: "waiting for the answer of the worker " + worker, Began: began}}
	case err != nil:
		return status(http.StatusInternalServerError, "IO Error trying to forward REST request: %v", err)
	}
	defer resp.Body.Close()
	if location := resp.Header.Get("Location"); location != "" {
		r.w.Header().Set("Location", location)
	}
	ok := resp.StatusCode/100 == 2
	if ok && success != 0 {
		r.w.WriteHeader(success)
		return nil
	}
	if relayBody || !ok {
		r.w.Header().Set("Content-Type", "application/json")
	}
	r.w.WriteHeader(resp.StatusCode)
	_, _ = io.Copy(r.w, io.LimitReader(resp.Body, maxBody)) // the client is gone
	return nil
}
