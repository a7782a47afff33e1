package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
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
	return adminRequest{
		client: c.client, code: errs.QueryOwner, method: method, url: hostPort(server) + path, contentType: jsonType, token: c.token,
		body: body, maxAnswer: maxAnswerBytes, tooLarge: "ask for fewer rows at a time",
	}.do(ctx, into)
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
		return nil, errs.QueryOwner.New(applicationID, "no process of the application runs on this cluster", "start it: wasmstream run, with --admin ADDRESS or the setting application.server.listen")
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
