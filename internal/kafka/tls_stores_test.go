package kafka

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/wasmstream/wasmstream/internal/brokertest"
	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/internal/keystore"
	"github.com/wasmstream/wasmstream/internal/tlsconfig"
)

// stored is the path of a store that Java's keytool or openssl has made.
func stored(name string) string { return filepath.Join("..", "keystore", "testdata", name) }

// TestStoresOpenListenersOfBrokers has clients with stores of Java's meet a broker that shows server.p12's certificate and wants
// clients to show one that both.p12's authority, or the client itself, vouches for.
func TestStoresOpenListenersOfBrokers(t *testing.T) {
	server, err := TLS(Properties{"ssl.keystore.location": stored("server.p12"), "ssl.keystore.password": "storepass"}, "test")
	if err != nil {
		t.Fatal(err)
	}
	friends := x509.NewCertPool()
	for name, password := range map[string]string{"both.p12": "storepass", "several.p12": "storepass", "expired.jks": "storepass", "server.jks": "storepass"} {
		data, err := os.ReadFile(stored(name))
		if err != nil {
			t.Fatal(err)
		}
		store, err := keystore.Open(data, &password)
		if err != nil {
			t.Fatal(err)
		}
		for _, cert := range store.Trusted() {
			friends.AddCert(cert)
		}
	}
	shut := brokertest.Fake(t, kfake.TLS(&tls.Config{Certificates: server.Certificates, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: friends})).Addr
	open := brokertest.Fake(t, kfake.TLS(&tls.Config{Certificates: server.Certificates})).Addr
	with := func(kind, name string, more ...string) []string {
		return append(more, "ssl."+kind+".location="+stored(name), "ssl."+kind+".password=storepass")
	}
	cases := []struct {
		name  string
		addr  string
		props []string
		want  *errs.Code
	}{
		{"JKS trust store", open, with("truststore", "trust.jks"), nil},
		{"JKS trust store without a password", open, []string{"ssl.truststore.location=" + stored("trust.jks")}, nil},
		{"PKCS12 trust store of type JKS", open, with("truststore", "trust.p12"), nil},
		{"PKCS12 trust store of its type, in small letters", open, with("truststore", "trust.p12", "ssl.truststore.type=pkcs12"), nil},
		{"one PKCS12 file for both, of type JKS", shut, with("keystore", "both.p12", with("truststore", "both.p12")...), nil},
		{"JKS key store with a password of its own for the key", shut, with("keystore", "server.jks", with("truststore", "trust.p12", "ssl.key.password=keypass1")...), nil},
		{"several keys", shut, with("keystore", "several.p12", with("truststore", "trust.jks")...), nil},
		{"a trust store that does not know the server", open, with("truststore", "several.p12"), &errs.KafkaUnreachable},
		{"no key", shut, with("truststore", "trust.jks"), &errs.KafkaUnreachable},
		{"an expired key", shut, with("keystore", "expired.jks", with("truststore", "trust.jks")...), &errs.TLSExpired},
		{"an expired key that nobody asks for", open, with("keystore", "expired.jks", with("truststore", "trust.jks")...), nil},
		{"an encrypted PEM key", shut, []string{
			"ssl.keystore.type=PEM", "ssl.keystore.location=" + stored("sealed.pem"), "ssl.key.password=keypass1", "ssl.truststore.type=PEM", "ssl.truststore.location=" + stored("ca.pem"),
		}, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			props := Properties{"bootstrap.servers": c.addr, "security.protocol": "SSL"}
			for _, p := range c.props {
				name, value, _ := strings.Cut(p, "=")
				props[name] = value
			}
			client, err := Connect(t.Context(), Admin, props, "test")
			if err == nil {
				client.Close()
			}
			var coded *errs.Error
			if (err == nil) != (c.want == nil) || (err != nil && (!errors.As(err, &coded) || coded.Code != c.want.ID)) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

// TestFaultsOfStores wants a code, the setting and the file for each fault, and no password.
func TestFaultsOfStores(t *testing.T) {
	notes := filepath.Join(t.TempDir(), "notes.jks")
	if err := os.WriteFile(notes, []byte("hunter2"), 0o600); err != nil {
		t.Fatal(err)
	}
	const wrong = "hunter2"
	cases := []struct {
		props string
		want  string
	}{
		{"ssl.truststore.location=trust.jks ssl.truststore.password=" + wrong, "E-TLS-PASSWORD|ssl.truststore.password does not open it"},
		{"ssl.truststore.location=trust.p12 ssl.truststore.password=" + wrong, "E-TLS-PASSWORD|ssl.truststore.password does not open it"},
		{"ssl.truststore.location=trust.p12", "E-TLS-PASSWORD|it is encrypted, and ssl.truststore.password is not set"},
		{"ssl.truststore.location=gone.jks ssl.truststore.password=" + wrong, "E-CONFIG-FILE|ssl.truststore.location cannot be read"},
		{"ssl.truststore.location=. ssl.truststore.password=" + wrong, "E-CONFIG-FILE|ssl.truststore.location cannot be read"},
		{"ssl.truststore.location=" + notes + " ssl.truststore.password=" + wrong, "E-TLS-STORE|not a JKS or PKCS12 store"},
		{"ssl.truststore.location=ca.pem", "E-TLS-STORE|a PEM file, but ssl.truststore.type is JKS|set ssl.truststore.type to PEM"},
		{"ssl.truststore.location=trust.jks ssl.truststore.type=PEM", "E-TLS-STORE|a store of Java's, but ssl.truststore.type is PEM"},
		{"ssl.truststore.location=unmarked.p12 ssl.truststore.password=storepass", "E-TLS-STORE|marked as trusted|keytool -importcert"},
		{"ssl.truststore.location=trust.jks ssl.truststore.type=BCFKS", "E-CONFIG-INVALID|want one of JKS, PKCS12, PEM"},
		{"ssl.truststore.password=" + wrong, "E-CONFIG-MISSING|ssl.truststore.password is set, but ssl.truststore.location is not"},
		{"ssl.truststore.certificates=" + wrong, "E-CONFIG-INVALID|ssl.truststore.certificates is PEM, but ssl.truststore.type is JKS"},
		{"ssl.truststore.certificates=" + wrong + " ssl.truststore.location=ca.pem ssl.truststore.type=PEM", "E-CONFIG-INVALID|both ssl.truststore.location and ssl.truststore.certificates are set"},
		{"ssl.truststore.location=ca.pem ssl.truststore.type=PEM ssl.truststore.password=" + wrong, "E-CONFIG-INVALID|a PEM file has no password"},
		{"ssl.keystore.location=server.jks ssl.keystore.password=" + wrong, "E-TLS-PASSWORD|ssl.keystore.password does not open it"},
		{"ssl.keystore.location=server.jks ssl.keystore.password=storepass", `E-TLS-PASSWORD|ssl.keystore.password does not open a key: the key "server"`},
		{"ssl.keystore.location=server.jks ssl.keystore.password=storepass ssl.key.password=" + wrong, `E-TLS-PASSWORD|ssl.key.password does not open a key: the key "server"`},
		{"ssl.keystore.location=server.jks", "E-CONFIG-MISSING|ssl.keystore.location is set, but ssl.keystore.password is not"},
		{"ssl.keystore.location=trust.jks ssl.keystore.password=storepass", "E-TLS-STORE|no private key in it, only 1 trusted"},
		{"ssl.keystore.type=PEM ssl.keystore.location=sealed.pem", "E-TLS-PASSWORD|the key is encrypted, and ssl.key.password is not set"},
		{"ssl.keystore.type=PEM ssl.keystore.location=sealed.pem ssl.key.password=" + wrong, "E-TLS-PASSWORD|ssl.key.password does not open the key"},
	}
	for _, c := range cases {
		props := Properties{}
		for setting := range strings.FieldsSeq(c.props) {
			name, value, _ := strings.Cut(setting, "=")
			if strings.HasSuffix(name, ".location") && !filepath.IsAbs(value) {
				value = stored(value)
			}
			props[name] = value
		}
		_, err := TLS(props, "here")
		for want := range strings.SplitSeq(c.want, "|") {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s:\ngot  %v\nwant %s", c.props, err, want)
			}
		}
		for e := err; e != nil; e = errors.Unwrap(e) {
			if strings.Contains(e.Error(), wrong) {
				t.Errorf("%s: the error tells a secret: %v", c.props, e)
			}
		}
	}
}

func TestValid(t *testing.T) {
	late, err := TLS(Properties{"ssl.keystore.location": stored("expired.jks"), "ssl.keystore.password": "storepass"}, "here")
	if err != nil {
		t.Fatal(err)
	}
	good, err := TLS(Properties{"ssl.keystore.location": stored("both.p12"), "ssl.keystore.password": "storepass"}, "here")
	if err != nil {
		t.Fatal(err)
	}
	leaf := late.Certificates[0].Leaf
	for now, want := range map[time.Time]string{
		leaf.NotAfter.Add(time.Second): "E-TLS-EXPIRED here: the certificate of CN=late in the key store expired on 2020-01-31", leaf.NotAfter: "",
		leaf.NotBefore.Add(-time.Second): "is not valid before 2020-01-01", leaf.NotBefore: "",
	} {
		_, err := tlsconfig.Valid(late.Certificates, now, "here")
		if (err == nil) != (want == "") || (err != nil && !strings.Contains(err.Error(), want)) {
			t.Errorf("at %v: %v, want %q", now, err, want)
		}
	}
	now := good.Certificates[0].Leaf.NotBefore
	got, err := tlsconfig.Valid(append(late.Certificates, good.Certificates...), now, "here")
	if err != nil || len(got) != 1 || got[0].Leaf != good.Certificates[0].Leaf {
		t.Errorf("of an expired one and a valid one: %v, %v", got, err)
	}
}
