package keystore

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"strings"
	"unicode/utf16"
)

// The kinds of things in a PKCS12 store (RFC 7292), and Java's mark of a certificate that is trusted.
var (
	oidData          = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidEncryptedData = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 6}
	oidKeyBag        = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 1}
	oidShroudedBag   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 2}
	oidCertBag       = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 3}
	oidX509          = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 22, 1}
	oidFriendlyName  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 20}
	oidLocalKeyID    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 21}
	oidTrustedUsage  = asn1.ObjectIdentifier{2, 16, 840, 1, 113894, 746875, 1, 1}
)

// The structures of RFC 7292 and RFC 5652, as far as they are read.
type (
	pfx struct {
		Version  int
		AuthSafe contentInfo
		Mac      macData `asn1:"optional"`
	}
	contentInfo struct {
		Type    asn1.ObjectIdentifier
		Content asn1.RawValue `asn1:"tag:0,explicit,optional"`
	}
	macData struct {
		Mac        digestInfo
		Salt       []byte
		Iterations int `asn1:"optional,default:1"`
	}
	digestInfo struct {
		Algorithm pkix.AlgorithmIdentifier
		Digest    []byte
	}
	encryptedData struct {
		Version int
		Content struct {
			Type      asn1.ObjectIdentifier
			Algorithm pkix.AlgorithmIdentifier
			Data      []byte `asn1:"tag:0,optional"`
		}
	}
	encryptedKey struct {
		Algorithm pkix.AlgorithmIdentifier
		Data      []byte
	}
	safeBag struct {
		ID         asn1.ObjectIdentifier
		Value      asn1.RawValue  `asn1:"tag:0,explicit"`
		Attributes []bagAttribute `asn1:"set,optional"`
	}
	bagAttribute struct {
		ID     asn1.ObjectIdentifier
		Values asn1.RawValue `asn1:"set"`
	}
	certBag struct {
		ID   asn1.ObjectIdentifier
		Data []byte `asn1:"tag:0,explicit"`
	}
)

// unmarshal reads DER that ends where the value ends.
func unmarshal(der []byte, into any) error {
	rest, err := asn1.Unmarshal(der, into)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if len(rest) > 0 {
		return fmt.Errorf("%w: %d bytes too many", ErrFormat, len(rest))
	}
	return nil
}

// openPKCS12 checks the store's digest, opens its parts and puts keys and certificates together.
func openPKCS12(data []byte, password *string, work *budget) ([]Entry, error) {
	var store pfx
	if err := unmarshal(data, &store); err != nil {
		return nil, err
	}
	if store.Version != 3 || !store.AuthSafe.Type.Equal(oidData) {
		return nil, fmt.Errorf("%w: PKCS12 of version %d, signed by %s", ErrCipher, store.Version, store.AuthSafe.Type)
	}
	var safe []byte
	if err := unmarshal(store.AuthSafe.Content.Bytes, &safe); err != nil {
		return nil, err
	}
	if password != nil && len(store.Mac.Mac.Digest) > 0 {
		if err := store.Mac.check(safe, *password, work); err != nil {
			return nil, err
		}
	}
	var parts []contentInfo
	if err := unmarshal(safe, &parts); err != nil {
		return nil, err
	}
	c := &collection{work: work}
	for _, part := range parts {
		bags, err := part.bags(password, work)
		if err != nil {
			return nil, err
		}
		for _, bag := range bags {
			if err := c.add(bag); err != nil {
				return nil, err
			}
		}
	}
	return c.entries(), nil
}

// bags opens one part of a store, which is plain or encrypted.
func (part contentInfo) bags(password *string, work *budget) (bags []safeBag, err error) {
	var plain []byte
	switch {
	case part.Type.Equal(oidData):
		if err := unmarshal(part.Content.Bytes, &plain); err != nil {
			return nil, err
		}
	case part.Type.Equal(oidEncryptedData):
		var sealed encryptedData
		if err := unmarshal(part.Content.Bytes, &sealed); err != nil {
			return nil, err
		}
		if password == nil {
			return nil, fmt.Errorf("%w: the store is encrypted, and there is no password", ErrPassword)
		}
		plain, err = decrypt(sealed.Content.Algorithm, sealed.Content.Data, *password, work)
		if errors.Is(err, ErrKeyPassword) {
			err = ErrPassword
		}
		if err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("%w: a part of kind %s", ErrCipher, part.Type)
	}
	err = unmarshal(plain, &bags)
	return bags, err
}

// collection is what the bags of a store hold, before keys have found their certificates.
type collection struct {
	work  *budget
	keys  []foundKey
	certs []foundCert
}

type foundKey struct {
	bag  bagNames
	open func(password string) ([]byte, error)
}

type foundCert struct {
	bag  bagNames
	cert *x509.Certificate
}

// bagNames are the attributes of a bag.
type bagNames struct {
	alias   string
	keyID   []byte
	trusted bool
}

func (c *collection) add(bag safeBag) error {
	names := namesOf(bag.Attributes)
	switch {
	case bag.ID.Equal(oidKeyBag):
		c.keys = append(c.keys, foundKey{names, func(string) ([]byte, error) { return bag.Value.Bytes, nil }})
	case bag.ID.Equal(oidShroudedBag):
		c.keys = append(c.keys, foundKey{names, func(password string) ([]byte, error) { return openKey(bag.Value.Bytes, password, c.work) }})
	case bag.ID.Equal(oidCertBag):
		var held certBag
		if err := unmarshal(bag.Value.Bytes, &held); err != nil {
			return err
		}
		if !held.ID.Equal(oidX509) {
			return nil
		}
		cert, err := x509.ParseCertificate(held.Data)
		if err != nil {
			return fmt.Errorf("%w: the certificate of %q: %w", ErrFormat, names.alias, err)
		}
		c.certs = append(c.certs, foundCert{names, cert})
	}
	return nil // lists of revoked certificates and secrets are of no use here
}

func namesOf(attributes []bagAttribute) (names bagNames) {
	for _, a := range attributes {
		var value asn1.RawValue
		if _, err := asn1.Unmarshal(a.Values.Bytes, &value); err != nil {
			continue
		}
		switch {
		case a.ID.Equal(oidFriendlyName):
			names.alias = strings.ToLower(utf16Text(value.Bytes))
		case a.ID.Equal(oidLocalKeyID):
			names.keyID = value.Bytes
		case a.ID.Equal(oidTrustedUsage):
			names.trusted = true
		}
	}
	return names
}

func utf16Text(b []byte) string {
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = uint16(b[2*i])<<8 | uint16(b[2*i+1])
	}
	return string(utf16.Decode(units))
}

// entries gives each key the chain of its certificate, and each certificate with Java's mark an entry of its own. Certificates
// with neither are links of chains only.
func (c *collection) entries() []Entry {
	var entries []Entry
	for _, k := range c.keys {
		entries = append(entries, Entry{Alias: k.bag.alias, Chain: c.chain(k.bag), open: k.open})
	}
	for _, f := range c.certs {
		if f.bag.trusted && len(f.bag.keyID) == 0 {
			entries = append(entries, Entry{Alias: f.bag.alias, Chain: []*x509.Certificate{f.cert}})
		}
	}
	return entries
}

// chain begins at the certificate with the key's id (or, in stores that give none, with its alias) and goes up from issuer to
// issuer as far as the store knows them.
func (c *collection) chain(of bagNames) []*x509.Certificate {
	var next *x509.Certificate
	for _, f := range c.certs {
		if bytes.Equal(f.bag.keyID, of.keyID) && (len(of.keyID) > 0 || f.bag.alias == of.alias) {
			next = f.cert
			break
		}
	}
	var chain []*x509.Certificate
	for next != nil && len(chain) < len(c.certs) {
		chain = append(chain, next)
		if bytes.Equal(next.RawIssuer, next.RawSubject) {
			break
		}
		next = c.bySubject(next.RawIssuer)
	}
	return chain
}

func (c *collection) bySubject(name []byte) *x509.Certificate {
	for _, f := range c.certs {
		if bytes.Equal(f.cert.RawSubject, name) {
			return f.cert
		}
	}
	return nil
}
