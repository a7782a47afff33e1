package tlsconfig

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/internal/keystore"
)

const pemType = "PEM"

// storeKeys are the names of the settings of a key store or of a trust store, and what may stand in their place.
type storeKeys struct{ kind, location, password, inline string }

var (
	keyStoreKeys   = storeKeys{"ssl.keystore.type", "ssl.keystore.location", "ssl.keystore.password", "ssl.keystore.key"}
	trustStoreKeys = storeKeys{"ssl.truststore.type", "ssl.truststore.location", "ssl.truststore.password", "ssl.truststore.certificates"}
)

// material is what the settings of a store give: PEM, or a store of Java's; neither when none is set.
type material struct {
	from  string // the setting, and the file if it names one
	pem   []byte
	store *keystore.Store
}

// read takes the contents from the file or from the settings themselves, by the rules of Kafka's SSL engine.
func (k storeKeys) read(p Settings, where string) (m material, err error) {
	location, inline, isPEM := p.str(k.location), p.str(k.inline), p.str(k.kind) == pemType
	switch {
	case inline != "" && !isPEM:
		return m, errs.ConfigInvalid.New(where, k.inline+" is PEM, but "+k.kind+" is "+p.str(k.kind), "set "+k.kind+" to PEM")
	case inline != "" && location != "":
		return m, errs.ConfigInvalid.New(where, "both "+k.location+" and "+k.inline+" are set", "remove one of them")
	case location == "" && p.str(k.password) != "":
		return m, errs.ConfigMissing.New(where, k.password+" is set, but "+k.location+" is not", "")
	case isPEM && p.str(k.password) != "":
		return m, errs.ConfigInvalid.New(where, k.password+" is set, but a PEM file has no password", "remove it; an encrypted key is opened with ssl.key.password")
	case inline != "":
		return material{from: k.inline, pem: []byte(unescapeLines(inline))}, nil
	case location == "":
		return m, nil
	}
	data, err := readBounded(location)
	if err != nil {
		return m, errs.ConfigFile.New(where, k.location+" cannot be read", "").WithCause(err)
	}
	m.from = k.location + " " + location
	if isPEM {
		m.pem = data
		if keystore.Is(data) {
			err = errs.TLSStore.New(where, m.from+": a store of Java's, but "+k.kind+" is PEM", "set "+k.kind+" to JKS or PKCS12")
		}
		return m, err
	}
	m.store, err = k.open(p, data, m.from, where)
	return m, err
}

// readBounded reads a file of at most a byte more than a store may have.
func readBounded(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, keystore.MaxBytes+1))
}

func (k storeKeys) open(p Settings, data []byte, from, where string) (*keystore.Store, error) {
	if block, _ := pem.Decode(data); block != nil {
		return nil, errs.TLSStore.New(where, from+": a PEM file, but "+k.kind+" is "+p.str(k.kind), "set "+k.kind+" to PEM")
	}
	var password *string
	if value, set := p[k.password]; set {
		password = &value
	}
	store, err := keystore.Open(data, password)
	switch {
	case err == nil:
		return store, nil
	case errors.Is(err, keystore.ErrPassword) && password == nil:
		return nil, errs.TLSPassword.New(where, from+": it is encrypted, and "+k.password+" is not set", "")
	case errors.Is(err, keystore.ErrPassword):
		return nil, errs.TLSPassword.New(where, from+": "+k.password+" does not open it", "")
	}
	return nil, errs.TLSStore.New(where, from+": "+err.Error(), "")
}

// trusted are the certificates that a trust store vouches for; nil, which is the system's, when none is set.
func trusted(p Settings, where string) (*x509.CertPool, error) {
	m, err := trustStoreKeys.read(p, where)
	if err != nil || m.from == "" {
		return nil, err
	}
	pool := x509.NewCertPool()
	if m.store == nil {
		if !pool.AppendCertsFromPEM(m.pem) {
			return nil, errs.ConfigInvalid.New(where, m.from+": no PEM certificate in it", "it must hold -----BEGIN CERTIFICATE----- blocks")
		}
		return pool, nil
	}
	certs := m.store.Trusted()
	if len(certs) == 0 {
		return nil, errs.TLSStore.New(where, m.from+": no certificate in it is marked as trusted, as keytool -importcert does", "")
	}
	for _, cert := range certs {
		pool.AddCert(cert)
	}
	return pool, nil
}

// keys are the keys of a key store with their certificates; none when no store is set.
func keys(p Settings, where string) ([]tls.Certificate, error) {
	m, err := keyStoreKeys.read(p, where)
	switch {
	case err != nil || m.from == "":
		return nil, err
	case m.store == nil:
		pair, err := pemPair(p, m, where)
		if err != nil {
			return nil, err
		}
		return []tls.Certificate{pair}, nil
	}
	if !p.isSet(keyStoreKeys.password) {
		return nil, errs.ConfigMissing.New(where, keyStoreKeys.location+" is set, but "+keyStoreKeys.password+" is not", "")
	}
	password, by := p.str("ssl.key.password"), "ssl.key.password"
	if !p.isSet(by) {
		password, by = p.str(keyStoreKeys.password), keyStoreKeys.password
	}
	pairs, err := m.store.Keys(password)
	switch {
	case errors.Is(err, keystore.ErrKeyPassword):
		return nil, errs.TLSPassword.New(where, m.from+": "+by+" does not open a key: "+err.Error(), "")
	case err != nil:
		return nil, errs.TLSStore.New(where, m.from+": "+err.Error(), "")
	case len(pairs) == 0:
		return nil, errs.TLSStore.New(where, m.from+": no private key in it, only "+strconv.Itoa(len(m.store.Entries))+" trusted certificates", "make one with keytool -genkeypair, or name it as ssl.truststore.location if it is the trust store")
	}
	return pairs, nil
}

// unescapeLines lets a certificate stand on one line of a properties file, with \n between its lines.
func unescapeLines(s string) string { return strings.ReplaceAll(s, `\n`, "\n") }

// pemPair puts together the key and the certificates of PEM blocks.
func pemPair(p Settings, m material, where string) (tls.Certificate, error) {
	data := append(append(m.pem, '\n'), unescapeLines(p.str("ssl.keystore.certificate.chain"))...)
	var chain, key []byte
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		switch {
		case block.Type == "CERTIFICATE":
			chain = append(chain, pem.EncodeToMemory(block)...)
		case block.Type == "ENCRYPTED PRIVATE KEY":
			plain, err := openPEMKey(p, block.Bytes, m.from, where)
			if err != nil {
				return tls.Certificate{}, err
			}
			key = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: plain})
		case strings.HasSuffix(block.Type, "PRIVATE KEY"):
			key = pem.EncodeToMemory(block)
		}
	}
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return pair, errs.ConfigInvalid.New(where, m.from+": no key with its certificate chain in it", "it must hold a PRIVATE KEY block and CERTIFICATE blocks, the client's certificate first").WithCause(err)
	}
	return pair, nil
}

func openPEMKey(p Settings, der []byte, from, where string) ([]byte, error) {
	if !p.isSet("ssl.key.password") {
		return nil, errs.TLSPassword.New(where, from+": the key is encrypted, and ssl.key.password is not set", "")
	}
	plain, err := keystore.DecryptKey(der, p.str("ssl.key.password"))
	switch {
	case errors.Is(err, keystore.ErrKeyPassword):
		return nil, errs.TLSPassword.New(where, from+": ssl.key.password does not open the key", "")
	case err != nil:
		return nil, errs.TLSStore.New(where, from+": the encrypted key: "+err.Error(), "")
	}
	return plain, nil
}

// StoreType is the type to assume of a store whose type is not set: PEM when the file begins as none of Java's does.
func StoreType(location string) string {
	f, err := os.Open(location)
	if err != nil {
		return pemType
	}
	defer f.Close()
	head := make([]byte, 4)
	if n, _ := io.ReadFull(f, head); keystore.Is(head[:n]) {
		return "JKS"
	}
	return pemType
}
