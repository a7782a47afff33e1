// Package tlsconfig builds TLS settings from settings by Kafka's names, ssl.truststore.location and the like, with stores of Java's and PEM
// files. It knows neither Kafka nor HTTP, nor defaults: those who call it give them.
package tlsconfig

import (
	"crypto/tls"
	"crypto/x509"
	"strings"
	"time"

	"github.com/wasmstream/wasmstream/internal/errs"
)

// Settings are values by the names of Kafka's settings. One that is not there is not set.
type Settings map[string]string

func (s Settings) str(name string) string { return s[name] }

func (s Settings) isSet(name string) bool {
	_, ok := s[name]
	return ok
}

// list splits at commas; an empty text is no item.
func (s Settings) list(name string) []string {
	var items []string
	for item := range strings.SplitSeq(s[name], ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

// New builds the TLS settings of one side. where names the place that they come from. Errors name keys and files, never their contents.
func New(p Settings, where string) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS13}
	if err := tlsVersions(p, c, where); err != nil {
		return nil, err
	}
	if err := cipherSuites(p, c, where); err != nil {
		return nil, err
	}
	roots, err := trusted(p, where)
	if err != nil {
		return nil, err
	}
	c.RootCAs = roots
	if p.str("ssl.endpoint.identification.algorithm") == "" {
		c.InsecureSkipVerify = true // the chain is still checked, only not the name
		c.VerifyConnection = func(state tls.ConnectionState) error { return verifyChain(state, roots) }
	}
	if c.Certificates, err = keys(p, where); err != nil {
		return nil, err
	}
	if len(c.Certificates) > 0 {
		c.GetClientCertificate = clientCertificate(c.Certificates, where)
	}
	return c, nil
}

func verifyChain(state tls.ConnectionState, roots *x509.CertPool) error {
	between := x509.NewCertPool()
	for _, cert := range state.PeerCertificates[1:] {
		between.AddCert(cert)
	}
	_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between})
	return err
}

func tlsVersions(p Settings, c *tls.Config, where string) error {
	versions := map[string]uint16{"TLSv1.2": tls.VersionTLS12, "TLSv1.3": tls.VersionTLS13}
	enabled := p.list("ssl.enabled.protocols")
	low, high := uint16(tls.VersionTLS13), uint16(tls.VersionTLS12)
	for _, name := range enabled {
		v, ok := versions[name]
		if !ok {
			return errs.ConfigInvalid.New(where, `ssl.enabled.protocols: want TLSv1.2, TLSv1.3 (got "`+name+`")`, "older versions are broken; bring the broker up to TLSv1.2")
		}
		low, high = min(low, v), max(high, v)
	}
	if len(enabled) == 0 {
		low, high = tls.VersionTLS12, tls.VersionTLS13
	}
	if most := versions[p.str("ssl.protocol")]; most < high {
		high = most
	}
	if low > high {
		return errs.ConfigInvalid.New(where, "ssl.protocol "+p.str("ssl.protocol")+" is not in ssl.enabled.protocols", "add it there, or remove both keys")
	}
	c.MinVersion, c.MaxVersion = low, high
	return nil
}

func cipherSuites(p Settings, c *tls.Config, where string) error {
	known := map[string]uint16{}
	var names []string
	for _, s := range tls.CipherSuites() {
		known[s.Name] = s.ID
		names = append(names, s.Name)
	}
	for _, name := range p.list("ssl.cipher.suites") {
		id, ok := known[name]
		if !ok {
			return errs.ConfigInvalid.New(where, `ssl.cipher.suites: unknown or unsafe suite "`+name+`"`, errs.DidYouMean(name, names))
		}
		c.CipherSuites = append(c.CipherSuites, id)
	}
	return nil
}

// clientCertificate is what a client shows to a server that asks: the first certificate, by alias, that the server can use and that
// is valid now. Java's clients show an expired one too, and the server's refusal says little.
func clientCertificate(certs []tls.Certificate, where string) func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	return func(asked *tls.CertificateRequestInfo) (*tls.Certificate, error) {
		var usable []tls.Certificate
		for i := range certs {
			if asked.SupportsCertificate(&certs[i]) == nil {
				usable = append(usable, certs[i])
			}
		}
		if len(usable) == 0 {
			return &tls.Certificate{}, nil
		}
		valid, err := Valid(usable, time.Now(), where)
		if err != nil {
			return nil, err
		}
		return &valid[0], nil
	}
}

// Valid are those of certs that are valid now; when none is, the error says which one is not and since when.
func Valid(certs []tls.Certificate, now time.Time, where string) ([]tls.Certificate, error) {
	var valid []tls.Certificate
	var fault error
	for _, c := range certs {
		switch leaf := c.Leaf; {
		case now.After(leaf.NotAfter):
			fault = errs.TLSExpired.New(where, "the certificate of "+leaf.Subject.String()+" in the key store expired on "+leaf.NotAfter.UTC().Format(time.RFC3339), "")
		case now.Before(leaf.NotBefore):
			fault = errs.TLSExpired.New(where, "the certificate of "+leaf.Subject.String()+" in the key store is not valid before "+leaf.NotBefore.UTC().Format(time.RFC3339), "")
		default:
			valid = append(valid, c)
		}
	}
	if len(valid) == 0 {
		return nil, fault
	}
	return valid, nil
}
