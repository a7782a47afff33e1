package kafka

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"os"
	"strings"

	"github.com/wasmstream/wasmstream/internal/errs"
)

// tlsConfig builds the TLS settings from the ssl. properties. Errors name keys and files, never their contents.
func tlsConfig(p Properties, where string) (*tls.Config, error) {
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
	pair, err := keyPair(p, where)
	if err != nil {
		return nil, err
	}
	if pair != nil {
		c.Certificates = []tls.Certificate{*pair}
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

func tlsVersions(p Properties, c *tls.Config, where string) error {
	versions := map[string]uint16{"TLSv1.2": tls.VersionTLS12, "TLSv1.3": tls.VersionTLS13}
	enabled := SplitList(p.str("ssl.enabled.protocols"))
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

func cipherSuites(p Properties, c *tls.Config, where string) error {
	known := map[string]uint16{}
	var names []string
	for _, s := range tls.CipherSuites() {
		known[s.Name] = s.ID
		names = append(names, s.Name)
	}
	for _, name := range SplitList(p.str("ssl.cipher.suites")) {
		id, ok := known[name]
		if !ok {
			return errs.ConfigInvalid.New(where, `ssl.cipher.suites: unknown or unsafe suite "`+name+`"`, errs.DidYouMean(name, names))
		}
		c.CipherSuites = append(c.CipherSuites, id)
	}
	return nil
}

func trusted(p Properties, where string) (*x509.CertPool, error) {
	data, from, err := pemOf(p, "ssl.truststore.type", "ssl.truststore.location", "ssl.truststore.certificates", where)
	if err != nil || data == nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		return nil, errs.ConfigInvalid.New(where, from+": no PEM certificate in it", "it must hold -----BEGIN CERTIFICATE----- blocks")
	}
	return pool, nil
}

// pemOf reads what either the location or the inline key gives; nil when neither is set.
func pemOf(p Properties, typeKey, locationKey, inlineKey, where string) (data []byte, from string, err error) {
	location, inline := p.str(locationKey), p.str(inlineKey)
	if location == "" && inline == "" {
		return nil, "", nil
	}
	if got := p.str(typeKey); got != "PEM" {
		return nil, "", errs.ConfigUnsupported.New(where, typeKey+": stores of type "+got+" are not read", "convert it to PEM (keytool -importkeystore to PKCS12, then openssl pkcs12 -nodes) and set "+typeKey+" to PEM")
	}
	if inline != "" {
		return []byte(unescapeLines(inline)), inlineKey, nil
	}
	data, err = os.ReadFile(location)
	if err != nil {
		return nil, "", errs.ConfigFile.New(where, locationKey+" cannot be read", "").WithCause(err)
	}
	return data, locationKey + " " + location, nil
}

// unescapeLines lets a certificate stand on one line of a properties file, with \n between its lines.
func unescapeLines(s string) string { return strings.ReplaceAll(s, `\n`, "\n") }

func keyPair(p Properties, where string) (*tls.Certificate, error) {
	data, from, err := pemOf(p, "ssl.keystore.type", "ssl.keystore.location", "ssl.keystore.key", where)
	if err != nil || data == nil {
		return nil, err
	}
	data = append(append(data, '\n'), unescapeLines(p.str("ssl.keystore.certificate.chain"))...)
	var chain, key []byte
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		switch {
		case block.Type == "CERTIFICATE":
			chain = append(chain, pem.EncodeToMemory(block)...)
		case block.Type == "ENCRYPTED PRIVATE KEY":
			return nil, errs.ConfigUnsupported.New(where, from+": the key is encrypted", "decrypt it with openssl pkcs8 and protect the file by its rights")
		case strings.HasSuffix(block.Type, "PRIVATE KEY"):
			key = pem.EncodeToMemory(block)
		}
	}
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return nil, errs.ConfigInvalid.New(where, from+": no key with its certificate chain in it", "it must hold a PRIVATE KEY block and CERTIFICATE blocks, the client's certificate first").WithCause(err)
	}
	return &pair, nil
}

// TLS are the settings that the ssl. properties of props stand for, for a server or client of another protocol than Kafka's.
func TLS(props Properties, where string) (*tls.Config, error) {
	p, err := props.Check(Admin, where)
	if err != nil {
		return nil, err
	}
	return tlsConfig(p, where)
}
