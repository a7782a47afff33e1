package rest

import (
	"bytes"
	"io"
	"net/http"
	"strings"
)

// forward sends the request to the worker that can answer it. There are two hops at most: the first says forward=true, the
// second forward=false. success, if not 0, stands for whatever success the other worker tells.
func (r *request) forward(worker string, success int, relayBody bool) error {
	if worker == "" {
		return status(http.StatusConflict, "Cannot complete request momentarily due to no known leader URL, likely because a rebalance was underway.")
	}
	next := "true"
	switch hop := r.URL.Query().Get("forward"); {
	case strings.EqualFold(hop, "true"):
		next = "false"
	case hop != "":
		return status(http.StatusConflict, "Cannot complete request because of a conflicting operation (e.g. worker rebalance)")
	}
	query := r.URL.Query()
	query.Set("forward", next)
	req, err := http.NewRequestWithContext(r.Context(), r.Method, strings.TrimSuffix(worker, "/")+r.URL.EscapedPath()+"?"+query.Encode(), bytes.NewReader(r.body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if auth := r.Header.Get("Authorization"); auth != "" {
		req.Header.Set("Authorization", auth)
	}
	resp, err := r.h.Client.Do(req)
	if err != nil {
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
