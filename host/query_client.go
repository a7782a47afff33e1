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
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/wasmstream/wasmstream/host/stream"
	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/internal/kafka"
)

const (
	// queryTimeout is how long one query may take, the way to another process included.
	queryTimeout = 10 * time.Second
	// maxAnswerBytes bounds what is read of an answer: a page of 1 MiB and one row beyond it, as JSON has them.
	maxAnswerBytes = 64 << 20
	// peerConns bounds the connections to one other process; queries beyond it wait for one.
	peerConns = 16
)

// StateClient asks processes of an application for the state they keep, at their application.server or admin address.
// It is safe for concurrent use.
type StateClient struct {
	client *http.Client
	token  string
}

// NewStateClient makes a client that shows token, "" for none.
func NewStateClient(token string) *StateClient {
	return &StateClient{token: token, client: &http.Client{
		Timeout:       queryTimeout,
		Transport:     &http.Transport{MaxConnsPerHost: peerConns, MaxIdleConnsPerHost: peerConns, IdleConnTimeout: time.Minute},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // nobody here redirects
	}}
}

// Close ends idle connections.
func (c *StateClient) Close() { c.client.CloseIdleConnections() }

// Query has the process at server answer q, or ask the one that can.
func (c *StateClient) Query(ctx context.Context, server string, q StoreQuery) (*StoreAnswer, error) {
	return c.query(ctx, server, &q, false)
}

// query has server answer q; local forbids it to ask another process.
func (c *StateClient) query(ctx context.Context, server string, q *StoreQuery, local bool) (*StoreAnswer, error) {
	body, err := json.Marshal(q)
	if err != nil {
		return nil, fmt.Errorf("writing a query: %w", err)
	}
	path := "/state/query"
	if local {
		path += "?local=true"
	}
	var answer StoreAnswer
	return &answer, c.do(ctx, http.MethodPost, server, path, body, &answer)
}

// Stores describes the stores of the application that server belongs to.
func (c *StateClient) Stores(ctx context.Context, server string) (list []StoreInfo, err error) {
	return list, c.do(ctx, http.MethodGet, server, "/state", nil, &list)
}

func (c *StateClient) do(ctx context.Context, method, server, path string, body []byte, into any) error {
	server = hostPort(server)
	req, err := http.NewRequestWithContext(ctx, method, "http://"+server+path, bytes.NewReader(body))
	if err != nil {
		return errs.QueryOwner.New(server, "the address is none", "want HOST:PORT").WithCause(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return unanswered(server, err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswerBytes+1))
	switch {
	case err != nil:
		return unanswered(server, err)
	case len(data) > maxAnswerBytes:
		return errs.QueryOwner.New(server, fmt.Sprintf("the answer is larger than %d bytes", maxAnswerBytes), "ask for fewer rows at a time")
	case resp.StatusCode != http.StatusOK:
		return refusal(server, resp.Status, data)
	}
	if err := json.Unmarshal(data, into); err != nil {
		return errs.QueryOwner.New(server, "the answer is not one of wasmstream", "").WithCause(err)
	}
	return nil
}

// unanswered is the error of a request that got no answer.
func unanswered(server string, err error) error {
	return errs.QueryOwner.New(server, "it does not answer", "").WithCause(networkCause(err))
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

// refusal is the error that a process answered, as if it had happened here.
func refusal(server, status string, body []byte) error {
	err := ParseAdminError(server, status, body)
	if errs.ReloadUnreachable.Is(err) {
		return errs.QueryOwner.New(server, "it answered "+status, "")
	}
	return err
}

// FindServers lists where the processes of an application that run now answer queries, as the group knows them. While it
// rebalances nothing is known, which is E-QUERY-NOT-READY.
func FindServers(ctx context.Context, admin *kadm.Client, applicationID string) ([]string, error) {
	groups, err := admin.DescribeGroups(ctx, applicationID)
	if err == nil {
		err = groups.Error()
	}
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return nil, kafka.Explain(err, applicationID, "describing the group")
	}
	group := groups[applicationID]
	members := group.Members
	if len(members) > 0 && group.State != "Stable" {
		return nil, errs.QueryNotReady.New(applicationID, "the application is rebalancing", "")
	}
	if len(members) == 0 {
		return nil, errs.QueryOwner.New(applicationID, "no process of the application runs on this cluster", "start it: wasmstream run, with --admin ADDRESS or the setting application.server")
	}
	var servers []string
	seen := map[string]bool{"": true}
	for _, m := range members {
		meta, ok := m.Join.AsConsumer()
		if !ok {
			continue
		}
		if server := stream.ServerOf(meta.UserData); !seen[server] {
			seen[server] = true
			servers = append(servers, server)
		}
	}
	if len(servers) == 0 {
		return nil, errs.QueryOwner.New(applicationID, "no process of the application answers queries", "start them with --admin ADDRESS, or set application.server and application.server.listen")
	}
	return servers, nil
}
