package registry

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/fault"
	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/internal/jaas"
	"github.com/wasmstream/wasmstream/internal/tlsconfig"
)

// requestTimeout bounds a request to one address of the registry.
const requestTimeout = 30 * time.Second

const sslPrefix = "schema.registry."

// reachKeys are the settings of how the registry is reached, and by whom.
func reachKeys() []config.Key {
	text := func(name, doc string) config.Key {
		return config.Key{Name: name, Type: config.String, Nullable: true, Importance: config.Low, Doc: doc}
	}
	secret := func(name, doc string) config.Key {
		return config.Key{Name: name, Type: config.Password, Nullable: true, Importance: config.Medium, Doc: doc}
	}
	ssl := func(k config.Key, def any) config.Key {
		k.Name, k.Default = sslPrefix+k.Name, def
		return k
	}
	store := config.OneOfFold("JKS", "PKCS12", "PEM")
	kind := func(name, doc string) config.Key {
		k := ssl(text(name, doc), "JKS")
		k.Validator = store
		return k
	}
	return []config.Key{
		{Name: "basic.auth.credentials.source", Type: config.String, Default: "URL", Validator: config.OneOf("URL", "USER_INFO", "SASL_INHERIT"), Importance: config.Medium, Doc: "Where name and password stand: in the address, in basic.auth.user.info, or in sasl.jaas.config."},
		secret("basic.auth.user.info", "Name and password, with a colon between."),
		secret("schema.registry.basic.auth.user.info", "The same, by its older name."),
		secret("sasl.jaas.config", "The login whose name and password SASL_INHERIT takes."),
		{Name: "bearer.auth.credentials.source", Type: config.String, Default: "STATIC_TOKEN", Validator: config.OneOf("STATIC_TOKEN", "OAUTHBEARER"), Importance: config.Medium, Doc: "Where the token comes from: bearer.auth.token, or the client credentials grant of bearer.auth.issuer.endpoint.url."},
		secret("bearer.auth.token", "The token."),
		text("bearer.auth.issuer.endpoint.url", "Where tokens are given out."),
		text("bearer.auth.client.id", "The client of the grant."),
		secret("bearer.auth.client.secret", "Its secret."),
		text("bearer.auth.scope", "The scope to ask for."),
		text("bearer.auth.logical.cluster", "The registry that the token is for, as header target-sr-cluster."),
		text("bearer.auth.identity.pool.id", "The pool of identities, as header Confluent-Identity-Pool-Id."),
		text("proxy.host", "A proxy on the way to the registry."),
		{Name: "proxy.port", Type: config.Int, Default: -1, Importance: config.Low, Doc: "Its port."},
		kind("ssl.truststore.type", "The kind of the trust store: JKS, PKCS12 or PEM."),
		ssl(text("ssl.truststore.location", "A file of trusted certificates; the system's hold when unset."), nil),
		ssl(secret("ssl.truststore.password", "Opens the trust store."), nil),
		ssl(secret("ssl.truststore.certificates", "Trusted certificates, in PEM."), nil),
		kind("ssl.keystore.type", "The kind of the key store: JKS, PKCS12 or PEM."),
		ssl(text("ssl.keystore.location", "A file with the key and the certificates to show."), nil),
		ssl(secret("ssl.keystore.password", "Opens the key store."), nil),
		ssl(secret("ssl.keystore.key", "The key, in PEM."), nil),
		ssl(secret("ssl.keystore.certificate.chain", "Its certificates, in PEM."), nil),
		ssl(secret("ssl.key.password", "Opens the key."), nil),
		ssl(config.Key{Name: "ssl.endpoint.identification.algorithm", Type: config.String, Validator: config.OneOf("https", ""), Importance: config.Low, Doc: "https checks the registry's name; empty checks its certificates only."}, "https"),
		ssl(config.Key{Name: "ssl.protocol", Type: config.String, Validator: config.OneOf("TLSv1.3", "TLSv1.2"), Importance: config.Low, Doc: "The newest version offered."}, "TLSv1.3"),
		ssl(config.Key{Name: "ssl.enabled.protocols", Type: config.List, Importance: config.Low, Doc: "The versions offered."}, []string{"TLSv1.2", "TLSv1.3"}),
		ssl(config.Key{Name: "ssl.cipher.suites", Type: config.List, Importance: config.Low, Doc: "The suites offered, by IANA's names."}, []string{}),
	}
}

// reach are clients of the registry, one for each of its addresses.
func reach(v config.Values) ([]*sr.Client, error) {
	var opts []sr.ClientOpt
	if v.Bool("normalize.schemas") {
		opts = append(opts, sr.DefaultParams(sr.Normalize))
	}
	who, err := credentials(v)
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if transport.TLSClientConfig, err = tlsOf(v); err != nil {
		return nil, err
	}
	if host := v.String("proxy.host"); host != "" {
		transport.Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: net.JoinHostPort(host, strconv.Itoa(v.Int("proxy.port")))})
	}
	bearer, err := bearerOf(v, transport)
	if err != nil {
		return nil, err
	}
	opts = append(append(opts, who...), bearer...)
	opts = append(opts, sr.HTTPClient(&http.Client{Timeout: requestTimeout, Transport: transport}))
	var out []*sr.Client
	for _, address := range v.List("schema.registry.url") {
		if u, err := url.Parse(address); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, config.Exception("schema.registry.url: want addresses like https://registry:8081 (got " + config.HidePasswords(address) + ")")
		}
		c, err := sr.NewClient(append(slices.Clip(opts), sr.URLs(address))...)
		if err != nil {
			return nil, config.Exception("The schema registry's settings do not fit: " + config.HidePasswords(err.Error()))
		}
		out = append(out, c)
	}
	return out, nil
}

// tlsOf are the settings of https; nil are the usual ones.
func tlsOf(v config.Values) (*tls.Config, error) {
	settings := tlsconfig.Settings{}
	set := false
	for name, value := range v {
		key, ok := strings.CutPrefix(name, sslPrefix)
		if !ok || !strings.HasPrefix(key, "ssl.") || value == nil {
			continue
		}
		set = set || strings.Contains(key, "store.") || key == "ssl.endpoint.identification.algorithm" && value == ""
		switch value := value.(type) {
		case config.Secret:
			settings[key] = string(value)
		case []string:
			settings[key] = strings.Join(value, ",")
		case string:
			settings[key] = value
		}
	}
	for inline, kind := range map[string]string{"ssl.keystore.key": "ssl.keystore.type", "ssl.truststore.certificates": "ssl.truststore.type"} {
		if settings[inline] != "" {
			settings[kind] = "PEM"
		}
	}
	for _, kind := range []string{"ssl.keystore.type", "ssl.truststore.type"} {
		settings[kind] = strings.ToUpper(settings[kind])
	}
	if !set {
		return nil, nil
	}
	c, err := tlsconfig.New(settings, strings.TrimSuffix(sslPrefix, "."))
	if err != nil {
		return nil, fault.Config.Errorf("%w", err)
	}
	return c, nil
}

// credentials are name and password, if they do not stand in the address.
func credentials(v config.Values) ([]sr.ClientOpt, error) {
	switch v.String("basic.auth.credentials.source") {
	case "USER_INFO":
		info := v.Secret("basic.auth.user.info")
		if info == "" {
			info = v.Secret("schema.registry.basic.auth.user.info")
		}
		user, password, ok := strings.Cut(info, ":")
		if !ok {
			return nil, config.Exception("basic.auth.credentials.source is USER_INFO, but basic.auth.user.info is not NAME:PASSWORD")
		}
		return []sr.ClientOpt{sr.BasicAuth(user, password)}, nil
	case "SASL_INHERIT":
		login, err := jaas.Parse(v.Secret("sasl.jaas.config"))
		if err != nil {
			return nil, config.Exception("basic.auth.credentials.source is SASL_INHERIT; sasl.jaas.config: " + err.Error())
		}
		return []sr.ClientOpt{sr.BasicAuth(login.Options["username"], login.Options["password"])}, nil
	}
	return nil, nil
}

// try asks the registry: the address that answered last, and the others when it is away or out of order.
func (c *client) try(doing string, ask func(context.Context, *sr.Client) error) error {
	var err error
	for range c.servers {
		ctx, cancel := context.WithTimeout(context.Background(), requestTimeout)
		err = ask(ctx, c.servers[c.at])
		cancel()
		if err == nil || answered(err) {
			break
		}
		c.at = (c.at + 1) % len(c.servers)
	}
	if err == nil {
		return nil
	}
	return failed(doing, err)
}

// answered tells whether the registry has said no, and would say so again.
func answered(err error) bool {
	var answer *sr.ResponseError
	if !errors.As(err, &answer) {
		return false
	}
	return answer.StatusCode < 500 && answer.StatusCode != http.StatusTooManyRequests && answer.StatusCode != http.StatusRequestTimeout
}

// failed sorts errors: who is not let in has wrong settings, what the registry says about the request is a DataException, all else
// is worth another try.
func failed(doing string, err error) error {
	said := errors.New(config.HidePasswords(err.Error())) // sr quotes the address, and that may have the password in it
	var answer *sr.ResponseError
	switch errors.As(err, &answer); {
	case !answered(err):
		return fault.Retriable.Errorf("%s: %w", doing, errs.ConnectRegistry.New("schema.registry.url", said.Error(), ""))
	case answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusForbidden || answer.StatusCode == http.StatusProxyAuthRequired:
		return fault.Config.Errorf("%s: %d: %w", doing, answer.StatusCode, said)
	}
	return fault.Data.Errorf("%s: %w", doing, said)
}
