package keystore

import (
	"crypto/sha1"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func load(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func word(s string) *string { return &s }

// TestStoresOfJavaAndOpenssl reads every store of testdata, which make.sh has made, with its keys.
func TestStoresOfJavaAndOpenssl(t *testing.T) {
	const euro = "pässwörd€"
	cases := []struct {
		file          string
		store         *string
		key           string
		keys, trusted string // subjects: of a key its chain, of the store what it vouches for
	}{
		{"server.jks", word("storepass"), "keypass1", "server>ca", "ca server"},
		{"server.jks", nil, "keypass1", "server>ca", "ca server"},
		{"server.p12", word("storepass"), "storepass", "server>ca", "server"},
		{"legacy.p12", word("storepass"), "storepass", "server>ca", "server"},
		{"openssl.p12", word("storepass"), "storepass", "server>ca", "server"},
		{"empty.p12", word(""), "", "server>ca", "server"},
		{"trust.jks", word("storepass"), "", "", "ca"},
		{"trust.jks", nil, "", "", "ca"},
		{"trust.p12", word("storepass"), "", "", "ca"},
		{"open.p12", nil, "", "", "ca"},
		{"open.p12", word("whatever"), "", "", "ca"},
		{"unmarked.p12", word("storepass"), "", "", ""},
		{"both.p12", word("storepass"), "storepass", "client", "ca client"},
		{"several.p12", word("storepass"), "storepass", "adam zoe", "adam zoe"},
		{"expired.jks", word("storepass"), "storepass", "late", "late"},
		{"umlaut.jks", word(euro), euro, "late", "late"},
		{"umlaut.p12", word(euro), euro, "server>ca", "server"},
	}
	for _, c := range cases {
		s, err := Open(load(t, c.file), c.store)
		if err != nil {
			t.Errorf("%s: %v", c.file, err)
			continue
		}
		pairs, err := s.Keys(c.key)
		if err != nil {
			t.Errorf("%s: %v", c.file, err)
		}
		var keys []string
		for _, pair := range pairs {
			var chain []string
			for _, der := range pair.Certificate {
				cert, err := x509.ParseCertificate(der)
				if err != nil {
					t.Fatal(err)
				}
				chain = append(chain, strings.ToLower(cert.Subject.CommonName))
			}
			keys = append(keys, strings.Join(chain, ">"))
		}
		var trusted []string
		for _, cert := range s.Trusted() {
			trusted = append(trusted, strings.ToLower(cert.Subject.CommonName))
		}
		if d := cmp.Diff([]string{c.keys, c.trusted}, []string{strings.Join(keys, " "), strings.Join(trusted, " ")}); d != "" {
			t.Errorf("%s: keys, trusted (-want +got)\n%s", c.file, d)
		}
	}
}

func TestRefusals(t *testing.T) {
	jks, p12 := load(t, "server.jks"), load(t, "server.p12")
	changed := func(data []byte, at int) []byte {
		c := append([]byte(nil), data...)
		c[at] ^= 1
		return c
	}
	// Lengths of half a gigabyte in forty bytes, and a store that wants 2 billion rounds.
	greedy := append([]byte("\xfe\xed\xfe\xed\x00\x00\x00\x02\x00\x00\x00\x01\x00\x00\x00\x01\x00\x01a\x00\x00\x00\x00\x00\x00\x00\x00\x20\x00\x00\x00"), make([]byte, sha1.Size)...)
	cases := []struct {
		name  string
		data  []byte
		store *string
		key   string
		want  error
	}{
		{"JKS, wrong password", jks, word("hunter2"), "", ErrPassword},
		{"JKS, changed", changed(jks, 100), word("storepass"), "", ErrPassword},
		{"JKS, wrong key password", jks, word("storepass"), "hunter2", ErrKeyPassword},
		{"JKS, cut", jks[:200], nil, "", ErrFormat},
		{"JKS, only its beginning", jks[:4], nil, "", ErrFormat},
		{"JKS, more behind it", append(append([]byte(nil), jks...), 0), nil, "", ErrFormat},
		{"JKS, greedy", greedy, nil, "", ErrFormat},
		{"PKCS12, wrong password", p12, word("hunter2"), "", ErrPassword},
		{"PKCS12, no password", p12, nil, "", ErrPassword},
		{"PKCS12, changed", changed(p12, 400), word("storepass"), "", ErrPassword},
		{"PKCS12, wrong key password", p12, word("storepass"), "hunter2", ErrKeyPassword},
		{"PKCS12, cut", p12[:300], word("storepass"), "", ErrFormat},
		{"PKCS12, too large", append([]byte{0x30}, make([]byte, MaxBytes)...), nil, "", ErrTooMuch},
		{"a text", []byte("hunter2"), nil, "", ErrFormat},
		{"nothing", nil, nil, "", ErrFormat},
	}
	for _, c := range cases {
		s, err := Open(c.data, c.store)
		if err == nil {
			_, err = s.Keys(c.key)
		}
		if !errors.Is(err, c.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
	}
	if _, err := open(p12, word("storepass"), 15_000); !errors.Is(err, ErrTooMuch) {
		t.Errorf("a store beyond its budget of rounds gives %v", err)
	}
}

func TestDecryptKey(t *testing.T) {
	var sealed []byte
	for block, rest := pem.Decode(load(t, "sealed.pem")); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "ENCRYPTED PRIVATE KEY" {
			sealed = block.Bytes
		}
	}
	der, err := DecryptKey(sealed, "keypass1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := x509.ParsePKCS8PrivateKey(der); err != nil {
		t.Error(err)
	}
	if _, err := DecryptKey(sealed, "hunter2"); !errors.Is(err, ErrKeyPassword) {
		t.Errorf("a wrong password gives %v", err)
	}
	if _, err := DecryptKey(sealed[:50], "keypass1"); !errors.Is(err, ErrFormat) {
		t.Errorf("half a key gives %v", err)
	}
}

// FuzzOpen wants an answer in bounded time and memory for any bytes, and of what it opens keys that fit their certificates.
func FuzzOpen(f *testing.F) {
	names, err := filepath.Glob("testdata/*.[jp][k1]*")
	if err != nil || len(names) < 10 {
		f.Fatal(names, err)
	}
	for _, name := range names {
		f.Add(load(f, filepath.Base(name)), "storepass", true)
	}
	f.Add(load(f, "empty.p12"), "", true)
	f.Fuzz(func(t *testing.T, data []byte, password string, given bool) {
		var store *string
		if given {
			store = &password
		}
		s, err := open(data, store, 7_000) // what openssl writes asks for 6,144; Java's 30,000 would be all that the fuzzer does
		if err != nil {
			return
		}
		if len(s.Entries) > len(data) {
			t.Errorf("%d entries in %d bytes", len(s.Entries), len(data))
		}
		pairs, err := s.Keys(password)
		for _, pair := range pairs {
			if !fits(pair) {
				t.Error("a key with another's certificate")
			}
		}
		if err == nil && len(pairs) > len(s.Entries) {
			t.Error("more keys than entries")
		}
		s.Trusted()
	})
}
