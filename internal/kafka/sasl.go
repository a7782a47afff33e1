package kafka

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/internal/jaas"
)

// mechanisms are those that are spoken, with the login modules that Kafka gives them.
var mechanisms = map[string]string{
	"PLAIN":         "PlainLoginModule",
	"SCRAM-SHA-256": "ScramLoginModule",
	"SCRAM-SHA-512": "ScramLoginModule",
	"OAUTHBEARER":   "OAuthBearerLoginModule",
}

// saslMechanism is how to authenticate, or nil when security.protocol has no SASL.
func saslMechanism(p Properties, where string) (sasl.Mechanism, error) {
	if !strings.HasPrefix(p.str("security.protocol"), "SASL") {
		return nil, nil
	}
	name := strings.ToUpper(p.str("sasl.mechanism"))
	module, ok := mechanisms[name]
	if !ok {
		return nil, errs.ConfigUnsupported.New(where, "sasl.mechanism: "+name+" is not spoken", "set it to PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER")
	}
	login, err := loginOf(p, module, where)
	if err != nil {
		return nil, err
	}
	user, password := login.Options["username"], login.Options["password"]
	if name != "OAUTHBEARER" && (user == "" || password == "") {
		return nil, errs.ConfigInvalid.New(where, "sasl.jaas.config: "+name+" needs username and password", jaasExample(module))
	}
	switch name {
	case "PLAIN":
		return plain.Auth{User: user, Pass: password}.AsMechanism(), nil
	case "SCRAM-SHA-256":
		return scram.Auth{User: user, Pass: password}.AsSha256Mechanism(), nil
	case "SCRAM-SHA-512":
		return scram.Auth{User: user, Pass: password}.AsSha512Mechanism(), nil
	}
	return bearer(p, login, where)
}

func jaasExample(module string) string {
	pkg := strings.ToLower(strings.TrimSuffix(module, "LoginModule"))
	return `write org.apache.kafka.common.security.` + pkg + `.` + module + ` required username="..." password="...";`
}

func loginOf(p Properties, module, where string) (jaas.Login, error) {
	if p.str("sasl.jaas.config") == "" {
		if module == "OAuthBearerLoginModule" {
			return jaas.Login{}, nil
		}
		return jaas.Login{}, errs.ConfigMissing.New(where, "sasl.jaas.config is not set", jaasExample(module))
	}
	login, err := jaas.Parse(p.str("sasl.jaas.config"))
	if err != nil {
		return jaas.Login{}, errs.ConfigInvalid.New(where, "sasl.jaas.config: "+err.Error(), jaasExample(module))
	}
	if short := login.Module[strings.LastIndexByte(login.Module, '.')+1:]; short != module {
		return jaas.Login{}, errs.ConfigInvalid.New(where, "sasl.jaas.config: the module does not fit sasl.mechanism "+p.str("sasl.mechanism")+" (got "+short+")", jaasExample(module))
	}
	return login, nil
}

// tokens gets OAuth tokens by the client credentials grant, or from a file.
type tokens struct {
	endpoint           *url.URL
	id, secret, scope  string
	encode             bool
	extensions         map[string]string
	client             *http.Client
	largestAnswerBytes int64
}

func bearer(p Properties, login jaas.Login, where string) (sasl.Mechanism, error) {
	raw := p.str("sasl.oauthbearer.token.endpoint.url")
	endpoint, err := url.Parse(raw)
	if raw == "" || err != nil || (endpoint.Scheme != "https" && endpoint.Scheme != "http" && endpoint.Scheme != "file") {
		return nil, errs.ConfigInvalid.New(where, "sasl.oauthbearer.token.endpoint.url: want an https, http or file URL", "unsigned tokens (unsecuredLogin...) are not made")
	}
	t := &tokens{
		endpoint: endpoint,
		id:       firstOf(p.str("sasl.oauthbearer.client.credentials.client.id"), login.Options["clientId"]),
		secret:   firstOf(p.str("sasl.oauthbearer.client.credentials.client.secret"), login.Options["clientSecret"]),
		scope:    firstOf(p.str("sasl.oauthbearer.scope"), login.Options["scope"]),
		encode:   p.boolean("sasl.oauthbearer.header.urlencode"), extensions: map[string]string{},
		client: tokenClient(p), largestAnswerBytes: 1 << 20,
	}
	for name, value := range login.Options {
		if extension, ok := strings.CutPrefix(name, "extension_"); ok {
			t.extensions[extension] = value
		}
	}
	if endpoint.Scheme != "file" && (t.id == "" || t.secret == "") {
		return nil, errs.ConfigMissing.New(where, "OAUTHBEARER needs a client and its secret", "set sasl.oauthbearer.client.credentials.client.id and .secret")
	}
	return oauth.Oauth(func(ctx context.Context) (oauth.Auth, error) {
		token, err := t.token(ctx)
		return oauth.Auth{Token: token, Extensions: t.extensions}, err
	}), nil
}

func tokenClient(p Properties) *http.Client {
	connect, read := 10*time.Second, 10*time.Second
	if p.isSet("sasl.login.connect.timeout.ms") {
		connect = p.duration("sasl.login.connect.timeout.ms")
	}
	if p.isSet("sasl.login.read.timeout.ms") {
		read = p.duration("sasl.login.read.timeout.ms")
	}
	return &http.Client{
		Timeout:   connect + read,
		Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: connect}).DialContext, TLSHandshakeTimeout: connect, ResponseHeaderTimeout: read, DisableKeepAlives: true},
	}
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func (t *tokens) token(ctx context.Context) (string, error) {
	if t.endpoint.Scheme == "file" {
		data, err := os.ReadFile(t.endpoint.Path)
		return strings.TrimSpace(string(data)), err
	}
	form := url.Values{"grant_type": {"client_credentials"}}
	if t.scope != "" {
		form.Set("scope", t.scope)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.endpoint.String(), strings.NewReader(form.Encode()))
	if err != nil {
		return "", fmt.Errorf("asking for a token: %w", err)
	}
	id, secret := t.id, t.secret
	if t.encode {
		id, secret = url.QueryEscape(id), url.QueryEscape(secret)
	}
	req.SetBasicAuth(id, secret)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := t.client.Do(req)
	if err != nil {
		return "", fmt.Errorf("asking for a token: %w", err)
	}
	defer resp.Body.Close()
	return readToken(resp, t.largestAnswerBytes)
}

func readToken(resp *http.Response, largest int64) (string, error) {
	var answer struct {
		Token string `json:"access_token"`
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("asking for a token: the endpoint answered %s", resp.Status)
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, largest)).Decode(&answer); err != nil || answer.Token == "" {
		return "", fmt.Errorf("asking for a token: no access_token in the answer")
	}
	return answer.Token, nil
}
