package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/wasmstream/wasmstream/connectors/config"
)

// expiryBuffer is how long before its end a token is no longer shown, maxToken bounds the answer that brings one.
const (
	expiryBuffer = 300 * time.Second
	maxToken     = 1 << 20
)

// bearerOf shows a token with each request, if the settings ask for one.
func bearerOf(v config.Values, transport http.RoundTripper) ([]sr.ClientOpt, error) {
	headers := map[string]string{"target-sr-cluster": v.String("bearer.auth.logical.cluster"), "Confluent-Identity-Pool-Id": v.String("bearer.auth.identity.pool.id")}
	token := func(context.Context) (string, error) { return v.Secret("bearer.auth.token"), nil }
	switch {
	case v.String("bearer.auth.credentials.source") == "OAUTHBEARER":
		issuer, err := newIssuer(v, transport)
		if err != nil {
			return nil, err
		}
		token = issuer.token
	case v.Secret("bearer.auth.token") == "":
		return nil, nil
	}
	return []sr.ClientOpt{sr.PreReq(func(req *http.Request) error {
		t, err := token(req.Context())
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+t)
		for name, value := range headers {
			if value != "" {
				req.Header.Set(name, value)
			}
		}
		return nil
	})}, nil
}

// issuer gets tokens by the client credentials grant, each as long as it is good. It belongs to one goroutine.
type issuer struct {
	client            *http.Client
	url               string
	id, secret, scope string
	now               func() time.Time

	current string
	until   time.Time
}

func newIssuer(v config.Values, transport http.RoundTripper) (*issuer, error) {
	i := &issuer{
		client: &http.Client{Timeout: requestTimeout, Transport: transport}, url: v.String("bearer.auth.issuer.endpoint.url"),
		id: v.String("bearer.auth.client.id"), secret: v.Secret("bearer.auth.client.secret"), scope: v.String("bearer.auth.scope"), now: time.Now,
	}
	if u, err := url.Parse(i.url); err != nil || u.Host == "" || i.id == "" || i.secret == "" {
		return nil, config.Exception("bearer.auth.credentials.source is OAUTHBEARER; it needs bearer.auth.issuer.endpoint.url, bearer.auth.client.id and bearer.auth.client.secret")
	}
	return i, nil
}

func (i *issuer) token(ctx context.Context) (string, error) {
	if i.current != "" && i.now().Before(i.until) {
		return i.current, nil
	}
	form := url.Values{"grant_type": {"client_credentials"}}
	if i.scope != "" {
		form.Set("scope", i.scope)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, i.url, strings.NewReader(form.Encode()))
	if err != nil {
		return "", fmt.Errorf("asking for a token: %w", err)
	}
	req.SetBasicAuth(i.id, i.secret)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	asked := i.now()
	resp, err := i.client.Do(req)
	if err != nil {
		return "", fmt.Errorf("asking for a token: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("asking for a token: %s answered %s", i.url, resp.Status)
	}
	var answer struct {
		Token   string `json:"access_token"`
		Seconds int64  `json:"expires_in"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxToken)).Decode(&answer); err != nil || answer.Token == "" {
		return "", errors.New("asking for a token: no access_token in the answer of " + i.url)
	}
	i.current, i.until = answer.Token, asked.Add(time.Duration(answer.Seconds)*time.Second-expiryBuffer)
	return answer.Token, nil
}
