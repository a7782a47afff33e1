// Package keystore reads the key stores and trust stores of Java: JKS and PKCS12, told apart by their bytes as Java does
// since version 9, and private keys in PKCS#8 that a password protects.
//
// It knows formats, ciphers and bounds. It knows neither files nor Kafka's properties, and its errors never hold a
// password or a part of a key. It writes nothing: stores are made with keytool or openssl.
package keystore

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// What a store is refused for. Errors wrap one of them.
var (
	// ErrFormat: these bytes are no store, or a damaged one.
	ErrFormat = errors.New("not a JKS or PKCS12 store, or a damaged one")
	// ErrPassword: the password of the store is wrong, or the store was changed by someone who does not know it.
	ErrPassword = errors.New("the password does not fit")
	// ErrKeyPassword: the password of a key in the store is wrong.
	ErrKeyPassword = errors.New("the password of the key does not fit")
	// ErrCipher: the store is protected in a way that is not read.
	ErrCipher = errors.New("unknown way of protection")
	// ErrTooMuch: opening the store would cost more than it may.
	ErrTooMuch = errors.New("asks for too much work")
)

// MaxBytes is the size up to which a file is worth reading: Java's own store of all authorities has some 200 KiB.
const MaxBytes = 16 << 20

// maxRounds bounds the rounds of hashing that a store may ask for, all its parts together, so that a damaged number does not
// hold up a start for hours. Java takes five million for a single part and writes 10,000.
const maxRounds = 10_000_000

// Store are the entries of a key store, sorted by alias.
type Store struct {
	Entries []Entry
}

// Entry is a key with its certificates, or a certificate that is trusted.
type Entry struct {
	// Alias is the name that the entry was made under, in small letters as Java keeps it; empty when the store has none.
	Alias string
	// Chain are the certificates of a key, its own first; of an entry that is trusted just that certificate.
	Chain []*x509.Certificate

	open func(password string) (pkcs8 []byte, err error) // nil where a certificate is trusted
}

// HasKey tells a key from a trusted certificate.
func (e Entry) HasKey() bool { return e.open != nil }

// Is tells whether data begins as a store does.
func Is(data []byte) bool { return isJKS(data) || isPKCS12(data) }

func isJKS(data []byte) bool { return bytes.HasPrefix(data, []byte{0xfe, 0xed, 0xfe, 0xed}) }

// isPKCS12 tells by the first byte: a sequence in DER.
func isPKCS12(data []byte) bool { return len(data) > 0 && data[0] == 0x30 }

// Open reads a store. Without a password (nil) nothing is checked, and what is encrypted stays closed, which of PKCS12 are
// mostly the certificates too. Keys are opened by Keys.
func Open(data []byte, password *string) (*Store, error) { return open(data, password, maxRounds) }

func open(data []byte, password *string, rounds int) (*Store, error) {
	if len(data) > MaxBytes {
		return nil, fmt.Errorf("%w: larger than %d bytes", ErrTooMuch, MaxBytes)
	}
	read := openPKCS12
	if isJKS(data) {
		read = openJKS
	}
	entries, err := read(data, password, &budget{left: rounds})
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(entries, func(a, b Entry) int { return strings.Compare(a.Alias, b.Alias) })
	return &Store{Entries: entries}, nil
}

// Keys opens every key with password, as Java does: one that does not open is an error. A store without keys gives none.
func (s *Store) Keys(password string) ([]tls.Certificate, error) {
	var keys []tls.Certificate
	for _, e := range s.Entries {
		if !e.HasKey() {
			continue
		}
		pair, err := e.key(password)
		if err != nil {
			return nil, fmt.Errorf("the key %q: %w", e.Alias, err)
		}
		keys = append(keys, pair)
	}
	return keys, nil
}

func (e Entry) key(password string) (tls.Certificate, error) {
	if len(e.Chain) == 0 {
		return tls.Certificate{}, fmt.Errorf("%w: it has no certificate", ErrFormat)
	}
	der, err := e.open(password)
	if err != nil {
		return tls.Certificate{}, err
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("%w: no private key that TLS can use", ErrFormat)
	}
	pair := tls.Certificate{PrivateKey: key, Leaf: e.Chain[0]}
	for _, cert := range e.Chain {
		pair.Certificate = append(pair.Certificate, cert.Raw)
	}
	if !fits(pair) {
		return tls.Certificate{}, fmt.Errorf("%w: its certificate is of another key", ErrFormat)
	}
	return pair, nil
}

// fits tells whether the first certificate is the key's. Every private key of Go has these methods.
func fits(pair tls.Certificate) bool {
	private, ok := pair.PrivateKey.(crypto.Signer)
	if !ok {
		return false
	}
	public, ok := private.Public().(interface{ Equal(crypto.PublicKey) bool })
	return ok && public.Equal(pair.Leaf.PublicKey)
}

// Trusted are the certificates that the store vouches for, as Java's trust managers see it: those entered as trusted, and of a
// key its own certificate.
func (s *Store) Trusted() []*x509.Certificate {
	var certs []*x509.Certificate
	for _, e := range s.Entries {
		if len(e.Chain) > 0 {
			certs = append(certs, e.Chain[0])
		}
	}
	return certs
}

// budget is what is left of the work that a store may ask for.
type budget struct{ left int }

func (b *budget) take(rounds int) error {
	if rounds < 1 || rounds > b.left {
		return fmt.Errorf("%w: %d rounds of hashing", ErrTooMuch, rounds)
	}
	b.left -= rounds
	return nil
}
