package keystore

import (
	"crypto/sha1"
	"crypto/subtle"
	"crypto/x509"
	"encoding/asn1"
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf16"
)

// whitener stands between the password and the store in the digest at the end of a JKS file.
const whitener = "Mighty Aphrodite"

// Tags of the entries of a JKS file.
const (
	jksKey         = 1
	jksCertificate = 2
)

// openJKS reads magic, version, number of entries, entries and digest; numbers are big-endian.
func openJKS(data []byte, password *string, _ *budget) ([]Entry, error) {
	if len(data) < 12+sha1.Size {
		return nil, fmt.Errorf("%w: cut short", ErrFormat)
	}
	body, digest := data[:len(data)-sha1.Size], data[len(data)-sha1.Size:]
	if password != nil && !jksDigestFits(body, digest, *password) {
		return nil, ErrPassword
	}
	c := &cursor{rest: body[4:]}
	version, count := c.uint32(), c.uint32()
	if version != 1 && version != 2 {
		return nil, fmt.Errorf("%w: JKS of version %d", ErrFormat, version)
	}
	var entries []Entry
	for range count {
		e, err := jksEntry(c, version)
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	if len(c.rest) > 0 {
		return nil, fmt.Errorf("%w: %d bytes behind the last entry", ErrFormat, len(c.rest))
	}
	return entries, nil
}

func jksDigestFits(body, digest []byte, password string) bool {
	h := sha1.New()
	h.Write(utf16Bytes(password))
	h.Write([]byte(whitener))
	h.Write(body)
	return subtle.ConstantTimeCompare(h.Sum(nil), digest) == 1
}

// jksEntry reads tag, alias, time and what the tag says. A cursor that ran out gives an error here, so that a number of entries
// that is too large ends with the bytes.
func jksEntry(c *cursor, version uint32) (Entry, error) {
	tag, alias := c.uint32(), c.text()
	c.take(8) // when it was made
	e := Entry{Alias: strings.ToLower(alias)}
	certificates := uint32(1)
	switch tag {
	case jksKey:
		sealed := c.take(c.uint32())
		e.open = func(password string) ([]byte, error) { return openJKSKey(sealed, password) }
		certificates = c.uint32()
	case jksCertificate:
	default:
		return e, fmt.Errorf("%w: an entry of kind %d", ErrFormat, tag)
	}
	for range certificates {
		if version == 2 {
			c.text() // X.509
		}
		der := c.take(c.uint32())
		if c.short {
			return e, fmt.Errorf("%w: cut short", ErrFormat)
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return e, fmt.Errorf("%w: the certificate of %q: %w", ErrFormat, e.Alias, err)
		}
		e.Chain = append(e.Chain, cert)
	}
	if c.short {
		return e, fmt.Errorf("%w: cut short", ErrFormat)
	}
	return e, nil
}

// oidJKSKey is Sun's own way to protect a key.
var oidJKSKey = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 42, 2, 17, 1, 1}

// openJKSKey opens salt, key and digest: the key is mixed with a chain of SHA-1 over password and salt.
func openJKSKey(sealed []byte, password string) ([]byte, error) {
	var info encryptedKey
	if err := unmarshal(sealed, &info); err != nil {
		return nil, err
	}
	if !info.Algorithm.Algorithm.Equal(oidJKSKey) {
		return nil, fmt.Errorf("%w: %s", ErrCipher, info.Algorithm.Algorithm)
	}
	data := info.Data
	if len(data) < 2*sha1.Size {
		return nil, fmt.Errorf("%w: a key of %d bytes", ErrFormat, len(data))
	}
	secret := utf16Bytes(password)
	mix, sum := data[:sha1.Size], data[len(data)-sha1.Size:]
	plain := append([]byte(nil), data[sha1.Size:len(data)-sha1.Size]...)
	for at := 0; at < len(plain); at += sha1.Size {
		mix = sha1Of(secret, mix)
		subtle.XORBytes(plain[at:], plain[at:], mix)
	}
	if subtle.ConstantTimeCompare(sha1Of(secret, plain), sum) != 1 {
		return nil, ErrKeyPassword
	}
	return plain, nil
}

func sha1Of(parts ...[]byte) []byte {
	h := sha1.New()
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

// utf16Bytes is a text as Java hashes it: two bytes for each of its chars.
func utf16Bytes(s string) []byte {
	var out []byte
	for _, unit := range utf16.Encode([]rune(s)) {
		out = binary.BigEndian.AppendUint16(out, unit)
	}
	return out
}

// cursor reads from the front of bytes; once they do not suffice it is short and gives zeros.
type cursor struct {
	rest  []byte
	short bool
}

func (c *cursor) take(n uint32) []byte {
	if c.short || uint64(n) > uint64(len(c.rest)) {
		c.rest, c.short = nil, true
		return nil
	}
	taken := c.rest[:n]
	c.rest = c.rest[n:]
	return taken
}

func (c *cursor) uint32() uint32 {
	b := c.take(4)
	if b == nil {
		return 0
	}
	return binary.BigEndian.Uint32(b)
}

// text is a text of Java's DataOutput: two bytes of length and UTF-8 but for NUL and what is beyond the basic plane.
func (c *cursor) text() string {
	b := c.take(2)
	if b == nil {
		return ""
	}
	return strings.ToValidUTF8(string(c.take(uint32(binary.BigEndian.Uint16(b)))), "\uFFFD")
}
