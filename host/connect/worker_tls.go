package connect

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/internal/kafka"
	"github.com/wasmstream/wasmstream/internal/tlsconfig"
)

// httpsPrefix is that of the TLS settings of REST; without any of them those of the worker's Kafka clients hold.
const httpsPrefix = "listeners.https."

// restTLS are the TLS settings of REST, for listeners and for requests to other workers alike.
func (c *WorkerConfig) restTLS() kafka.Properties {
	from := c.Props
	for name := range c.Props {
		if strings.HasPrefix(name, httpsPrefix) {
			from = c.Props.WithPrefix(httpsPrefix)
			break
		}
	}
	out := kafka.Properties{}
	for name, value := range from.Map() {
		if strings.HasPrefix(name, "ssl.") && name != "ssl.client.auth" {
			out[name] = value
		}
	}
	if file := out["ssl.keystore.location"]; file != "" && out["ssl.keystore.type"] == "" {
		out["ssl.keystore.type"] = tlsconfig.StoreType(file)
	}
	if file := out["ssl.truststore.location"]; file != "" && out["ssl.truststore.type"] == "" {
		out["ssl.truststore.type"] = tlsconfig.StoreType(file)
	}
	for inline, kind := range map[string]string{"ssl.keystore.key": "ssl.keystore.type", "ssl.truststore.certificates": "ssl.truststore.type"} {
		if out[inline] != "" && out[kind] == "" {
			out[kind] = "PEM"
		}
	}
	return out
}

// ListenerTLS are the settings of an https listener: its key and certificates and, with ssl.client.auth, who is let in.
func (c *WorkerConfig) ListenerTLS() (*tls.Config, error) {
	t, err := kafka.TLS(c.restTLS(), "listeners.https")
	if err != nil {
		return nil, err
	}
	if len(t.Certificates) == 0 {
		return nil, config.Exception("an https listener needs listeners.https.ssl.keystore.location, a file of key and certificates: JKS, PKCS12 or PEM")
	}
	valid, err := tlsconfig.Valid(t.Certificates, time.Now(), "listeners.https")
	if err != nil {
		return nil, err
	}
	server := &tls.Config{Certificates: valid, ClientCAs: t.RootCAs, MinVersion: t.MinVersion, MaxVersion: t.MaxVersion, CipherSuites: t.CipherSuites}
	switch auth := strings.ToLower(c.Props.Or(httpsPrefix+"ssl.client.auth", c.Props.Or("ssl.client.auth", "none"))); auth {
	case "none":
	case "requested":
		server.ClientAuth = tls.VerifyClientCertIfGiven
	case "required":
		server.ClientAuth = tls.RequireAndVerifyClientCert
	default:
		return nil, config.Invalid("ssl.client.auth", auth, "want required, requested or none")
	}
	return server, nil
}

// httpClient is for requests to other workers: those of a group with https trust the same certificates.
func (c *WorkerConfig) httpClient() (*http.Client, error) {
	u, err := url.Parse(c.AdvertisedURL)
	if err != nil || u.Scheme != "https" {
		return &http.Client{Transport: workerTransport()}, nil
	}
	t, err := kafka.TLS(c.restTLS(), "listeners.https")
	if err != nil {
		return nil, err
	}
	transport := workerTransport()
	transport.TLSClientConfig = t
	return &http.Client{Transport: transport}, nil
}

// workerTransport goes to other workers, and not through what HTTP_PROXY names: that is for the way out, and Java does not know it.
func workerTransport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.Proxy = nil
	return t
}

// Bound tells where a listener, by its place in Listeners, came to listen: with port 0 the system chooses one, and that is the
// one to advertise. It is for the time before the worker joins its group.
func (c *WorkerConfig) Bound(listener int, at net.Addr) {
	u, err := url.Parse(c.AdvertisedURL)
	if listener != c.advertised || err != nil || u.Port() != "0" {
		return
	}
	if _, port, err := net.SplitHostPort(at.String()); err == nil {
		u.Host = net.JoinHostPort(u.Hostname(), port)
		c.AdvertisedURL = u.String()
	}
}
