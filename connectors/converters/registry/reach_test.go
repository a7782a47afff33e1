package registry_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/converters/registry"
	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/internal/tlsconfig"
)

func write(a *registry.Avro, topic string) error {
	_, _, err := a.FromConnectData(nil, topic, nil, data.SchemaAndValue{Schema: data.StringSchema, Value: data.StringValue("x")})
	return err
}

// TestRegistryOfSeveralAddresses asks the next address when one is away or out of order, and stays with the one that answers.
func TestRegistryOfSeveralAddresses(t *testing.T) {
	reg := srfake.New()
	defer reg.Close()
	asked := 0
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		http.Error(w, `{"error_code":50003,"message":"no leader"}`, http.StatusInternalServerError)
	}))
	defer broken.Close()
	a := newAvro(t, "http://127.0.0.1:1,"+broken.URL+","+reg.URL())
	for _, topic := range []string{"a", "b", "c"} {
		if err := write(a, topic); err != nil {
			t.Error(err)
		}
	}
	if asked != 1 {
		t.Errorf("the broken one was asked %d times", asked)
	}
	err := write(newAvro(t, broken.URL+",http://127.0.0.1:1"), "a")
	if !fault.Retriable.Is(err) || !errs.ConnectRegistry.Is(err) {
		t.Errorf("with none in order: %v", err)
	}
	reg.Intercept(func(w http.ResponseWriter, _ *http.Request) bool {
		http.Error(w, `{"error_code":42201,"message":"bad schema"}`, http.StatusUnprocessableEntity)
		return true
	})
	if err := write(newAvro(t, reg.URL()+","+broken.URL), "a"); !fault.Data.Is(err) || !strings.Contains(err.Error(), "bad schema") || asked != 2 {
		t.Errorf("a refusal: %v, asked %d", err, asked)
	}
}

// TestWhoAsksTheRegistry wants each kind of credentials to be shown, and none to be told.
func TestWhoAsksTheRegistry(t *testing.T) {
	var got http.Header
	tokens := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, secret, _ := r.BasicAuth(); r.URL.Path == "/token" {
			tokens++
			if r.FormValue("grant_type") != "client_credentials" || r.FormValue("scope") != "read" || user != "client" || secret != "s3cret" {
				t.Errorf("asked for a token by %q with %v", user, r.Form)
			}
			fmt.Fprint(w, `{"access_token":"t0ken","expires_in":3600}`)
			return
		}
		got = r.Header
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer server.Close()
	for _, c := range []struct{ settings, want string }{
		{"basic.auth.credentials.source=USER_INFO basic.auth.user.info=who:s3cret", "Basic d2hvOnMzY3JldA=="},
		{"basic.auth.credentials.source=USER_INFO schema.registry.basic.auth.user.info=who:s3cret", "Basic d2hvOnMzY3JldA=="},
		{`basic.auth.credentials.source=SASL_INHERIT sasl.jaas.config=M\trequired\tusername="who"\tpassword="s3cret";`, "Basic d2hvOnMzY3JldA=="},
		{"bearer.auth.token=s3cret bearer.auth.logical.cluster=lsrc-1", "Bearer s3cret"},
		{"bearer.auth.credentials.source=OAUTHBEARER bearer.auth.issuer.endpoint.url=" + server.URL + "/token bearer.auth.client.id=client bearer.auth.client.secret=s3cret bearer.auth.scope=read", "Bearer t0ken"},
	} {
		var settings []string
		for s := range strings.SplitSeq(c.settings, " ") {
			name, value, _ := strings.Cut(s, "=")
			settings = append(settings, name, strings.ReplaceAll(value, `\t`, " "))
		}
		a := newAvro(t, server.URL, settings...)
		for range 2 {
			if err := write(a, "t"); !fault.Config.Is(err) || !strings.Contains(err.Error(), "401") || strings.Contains(fault.Trace(err), "s3cret") {
				t.Errorf("%s: %v", c.settings, err)
			}
		}
		if got.Get("Authorization") != c.want || strings.Contains(c.settings, "lsrc") && got.Get("target-sr-cluster") != "lsrc-1" {
			t.Errorf("%s: %v", c.settings, got)
		}
	}
	if tokens != 1 {
		t.Errorf("%d tokens were asked for", tokens)
	}
	for _, settings := range []string{
		"basic.auth.credentials.source=USER_INFO", "basic.auth.credentials.source=SASL_INHERIT sasl.jaas.config=s3cret", "bearer.auth.credentials.source=OAUTHBEARER bearer.auth.client.secret=s3cret",
		"schema.registry.ssl.truststore.location=gone.jks", "schema.registry.ssl.truststore.certificates=s3cret", "schema.registry.url=registry:8081", "value.schema.id.serializer=MySerializer",
	} {
		props := config.PropsOf(map[string]string{"schema.registry.url": server.URL})
		for s := range strings.SplitSeq(settings, " ") {
			name, value, _ := strings.Cut(s, "=")
			props.Set(name, value)
		}
		if err := (&registry.Avro{}).Configure(props, false); !fault.Config.Is(err) || strings.Contains(fault.Trace(err), "s3cret") {
			t.Errorf("%s: %v", settings, err)
		}
	}
}

func stored(name string) string {
	return filepath.Join("..", "..", "..", "internal", "keystore", "testdata", name)
}

// TestRegistryOverHTTPS meets a registry whose certificate a store of Java's, or a PEM file, vouches for, and which wants one itself.
func TestRegistryOverHTTPS(t *testing.T) {
	key, err := tlsconfig.New(tlsconfig.Settings{
		"ssl.keystore.location": stored("server.p12"), "ssl.keystore.password": "storepass", "ssl.keystore.type": "PKCS12",
		"ssl.endpoint.identification.algorithm": "https", "ssl.protocol": "TLSv1.3",
		"ssl.truststore.location": stored("both.p12"), "ssl.truststore.password": "storepass", "ssl.truststore.type": "PKCS12",
	}, "test")
	if err != nil {
		t.Fatal(err)
	}
	reg := srfake.NewRegistry()
	start := func(auth tls.ClientAuthType, cas *x509.CertPool) string {
		server := httptest.NewUnstartedServer(reg.Handler())
		server.TLS = &tls.Config{Certificates: key.Certificates, ClientAuth: auth, ClientCAs: cas}
		server.StartTLS()
		t.Cleanup(server.Close)
		return server.URL
	}
	open, shut := start(tls.NoClientCert, nil), start(tls.RequireAndVerifyClientCert, key.RootCAs)
	pem, err := os.ReadFile(stored("ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		url, settings string
		fits          bool
	}{
		{open, "truststore.location=" + stored("trust.jks") + " truststore.password=storepass", true},
		{open, "truststore.location=" + stored("trust.p12") + " truststore.password=storepass truststore.type=pkcs12", true},
		{open, "truststore.location=" + stored("ca.pem") + " truststore.type=PEM", true},
		{open, "truststore.certificates=" + strings.ReplaceAll(string(pem), "\n", "\\n"), true},
		{open, "truststore.location=" + stored("several.p12") + " truststore.password=storepass", false},
		{shut, "truststore.location=" + stored("both.p12") + " truststore.password=storepass keystore.location=" + stored("both.p12") + " keystore.password=storepass", true},
		{shut, "truststore.location=" + stored("trust.jks"), false},
		{open, "protocol=TLSv1.2", false},
	} {
		var settings []string
		for s := range strings.SplitSeq(strings.ReplaceAll(c.settings, " CERT", "\tCERT"), " ") {
			name, value, _ := strings.Cut(s, "=")
			settings = append(settings, "schema.registry.ssl."+name, strings.ReplaceAll(value, "\t", " "))
		}
		err := write(newAvro(t, c.url, settings...), "t")
		if (err == nil) != c.fits || err != nil && !errs.ConnectRegistry.Is(err) {
			t.Errorf("%.80s: %v", c.settings, err)
		}
	}
}

// TestIDsInHeaders wants ids to go into the header of their side, and to be found there, and GUIDs in front of the data.
func TestIDsInHeaders(t *testing.T) {
	reg := srfake.New()
	defer reg.Close()
	s := data.NewStructSchema().Name("R").Field("x", data.StringSchema).MustBuild()
	v := data.SchemaAndValue{Schema: s, Value: data.StructValue(data.StructOf(s, []data.Value{data.StringValue("v")}))}
	for class, path := range map[string]string{"AvroConverter": "", "JsonSchemaConverter": "", "ProtobufConverter": "\x00"} {
		c := newConverter(t, reg.URL(), class, "value.schema.id.serializer", "io.confluent.kafka.serializers.schema.id.HeaderSchemaIdSerializer")
		headers := connectors.Headers{{Key: "h", Value: data.SchemaAndValue{Schema: data.StringSchema, Value: data.StringValue("mine")}}}
		var bytes []byte
		for range 2 {
			var err error
			if bytes, _, err = c.FromConnectData(nil, class, &headers, v); err != nil {
				t.Fatal(err)
			}
		}
		id, _ := headers.Last("__value_schema_id")
		if b := id.Value.Bytes(); len(headers) != 2 || len(b) != 17+len(path) || b[0] != 1 || string(b[17:]) != path {
			t.Errorf("%s: % x, %v", class, b, headers)
		}
		reader := newConverter(t, reg.URL(), class)
		for how, message := range map[string]struct {
			headers connectors.Headers
			bytes   []byte
		}{"header": {headers, bytes}, "prefix": {nil, append(append([]byte{}, id.Value.Bytes()...), bytes...)}} {
			if got, err := reader.ToConnectData(class, message.headers, message.bytes); err != nil || got.Value.String() != "Struct{x=v}" {
				t.Errorf("%s by %s: %v %s", class, how, err, got.Value)
			}
		}
		without, _, err := c.FromConnectData(nil, class, nil, v)
		if err != nil || without[0] != 0 {
			t.Errorf("%s without headers: %v % x", class, err, without)
		}
	}
	old := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"id":1}`) }))
	defer old.Close()
	if err := write(newAvro(t, old.URL, "value.schema.id.serializer", "HeaderSchemaIdSerializer"), "t"); !fault.Config.Is(err) {
		t.Errorf("a registry without GUIDs: %v", err)
	}
}

// TestSchemasAreRememberedByWhatTheySay wants one request for schemas of the same content, and few to be kept.
func TestSchemasAreRememberedByWhatTheySay(t *testing.T) {
	reg := srfake.New()
	defer reg.Close()
	asked := 0
	reg.Intercept(func(http.ResponseWriter, *http.Request) bool { asked++; return false })
	a := newAvro(t, reg.URL(), "schemas.cache.config", "2")
	message := func(field string) []byte {
		s := data.NewStructSchema().Name("R").Field(field, data.OptionalStringSchema).MustBuild()
		b, _, err := a.FromConnectData(nil, "t", nil, data.SchemaAndValue{Schema: s, Value: data.StructValue(data.StructOf(s, []data.Value{{}}))})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for range 10 {
		message("x")
	}
	if asked != 1 {
		t.Errorf("%d requests for one schema", asked)
	}
	for i := range 5 {
		b := message(fmt.Sprint("f", i))
		for range 3 {
			if _, err := a.ToConnectData("t", nil, b); err != nil {
				t.Fatal(err)
			}
		}
	}
	if asked != 11 {
		t.Errorf("%d requests for six schemas written and five read", asked)
	}
}

// TestNewestSchemaHasToFit wants data that the newest schema cannot read to be refused, unless that is asked for.
func TestNewestSchemaHasToFit(t *testing.T) {
	reg := srfake.New()
	defer reg.Close()
	register(t, reg, sr.TypeAvro, "t-value", `{"type":"record","name":"R","fields":[{"name":"x","type":"string"},{"name":"more","type":"int","default":7}]}`)
	settings := []string{"auto.register.schemas", "false", "use.latest.version", "true", "latest.compatibility.strict"}
	record := func(b *data.SchemaBuilder, values ...data.Value) data.SchemaAndValue {
		s := b.MustBuild()
		return data.SchemaAndValue{Schema: s, Value: data.StructValue(data.StructOf(s, values))}
	}
	old := record(data.NewStructSchema().Name("R").Field("x", data.StringSchema).Field("gone", data.Int32Schema), data.StringValue("v"), data.Int32Value(1))
	out, _, err := newAvro(t, reg.URL(), append(settings, "true")...).FromConnectData(nil, "t", nil, old)
	if err != nil || string(out[5:]) != "\x02v\x0e" {
		t.Errorf("%v % x", err, out)
	}
	other := record(data.NewStructSchema().Name("Other").Field("y", data.StringSchema).Field("x", data.StringSchema), data.StringValue("v"), data.StringValue("w"))
	if _, _, err := newAvro(t, reg.URL(), append(settings, "true")...).FromConnectData(nil, "t", nil, other); !fault.Data.Is(err) || !strings.Contains(err.Error(), "latest.compatibility.strict") {
		t.Errorf("strict: %v", err)
	}
	if out, _, err := newAvro(t, reg.URL(), append(settings, "false")...).FromConnectData(nil, "t", nil, other); err != nil || string(out[5:]) != "\x02w\x0e" {
		t.Errorf("not strict: %v % x", err, out)
	}
	if _, _, err := newAvro(t, reg.URL(), "auto.register.schemas", "false").FromConnectData(nil, "t", nil, old); !fault.Data.Is(err) {
		t.Errorf("a schema that is not registered: %v", err)
	}
}
