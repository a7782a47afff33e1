package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

func TestProviders(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	secrets := write("in/secrets.properties", "user=alice\npass word : x\\u0041=\\\n  y\n# no\nempty\n")
	outside := write("out/secrets.properties", "user=mallory")
	write("in/dir/token", "t1\n")
	t.Setenv("WS_TEST_A", "env-a")
	worker := config.PropsOf(map[string]string{
		"config.providers": "file, dir,env", "config.providers.file.class": "org.apache.kafka.common.config.provider.FileConfigProvider",
		"config.providers.file.param.allowed.paths": filepath.Join(dir, "in"), "config.providers.dir.class": "DirectoryConfigProvider",
		"config.providers.env.class": "EnvVarConfigProvider", "config.providers.env.param.allowlist.pattern": "WS_TEST_.*",
	})
	providers, err := config.NewProviders(worker)
	if err != nil {
		t.Fatal(err)
	}
	in := map[string]string{
		"a": "${file:" + secrets + ":user}-${file:" + secrets + ":nobody}", "b": "${file:" + outside + ":user}",
		"c": "${file:" + filepath.Join(dir, "in", "..", "out", "secrets.properties") + ":user}",
		"d": "${dir:" + filepath.Join(dir, "in", "dir") + ":token}", "e": "${env:WS_TEST_A}${env:HOME}", "f": "${none:x:y}", "g": "${file:x}",
		"h": "${file:" + secrets + ":pass}", "i": "$ {x} ${", "j": "${file:" + secrets + ":empty}|",
	}
	got, ttls, err := config.NewTransformer(providers).Transform(config.PropsOf(in))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"a": "alice-${file:" + secrets + ":nobody}", "b": in["b"], "c": in["c"], "d": "t1\n", "e": "env-a${env:HOME}", "f": in["f"], "g": in["g"],
		"h": "word : xA=y", "i": in["i"], "j": "|",
	}
	if diff := cmp.Diff(want, got.Map()); diff != "" || len(ttls) != 0 {
		t.Error(diff, ttls)
	}
}

// TestProviderTTL has answers from files say for how long they are good.
func TestProviderTTL(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "secrets.properties")
	if err := os.WriteFile(path, []byte("a=1"), 0o600); err != nil {
		t.Fatal(err)
	}
	providers, err := config.NewProviders(config.PropsOf(map[string]string{
		"config.providers": "file,dir", "config.providers.file.class": "FileConfigProvider", "config.providers.file.param.ttl.ms": "60000",
		"config.providers.dir.class": "DirectoryConfigProvider", "config.providers.dir.param.ttl.ms": "5000",
	}))
	if err != nil {
		t.Fatal(err)
	}
	_, ttls, err := config.NewTransformer(providers).Transform(config.PropsOf(map[string]string{
		"a": "${file:" + path + ":a}", "b": "${dir:" + dir + ":secrets.properties}", "c": "${file:/no:",
	}))
	if diff := cmp.Diff(map[string]int64{path: 60000, dir: 5000}, ttls); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

func TestProviderFaults(t *testing.T) {
	if _, err := config.NewProviders(config.PropsOf(map[string]string{"config.providers": "x", "config.providers.x.class": "Nope"})); !fault.Config.Is(err) {
		t.Errorf("an unknown class: %v", err)
	}
	for _, paths := range []string{"relative", "/no/such/path/here"} {
		if err := (&config.FileProvider{}).Configure(config.PropsOf(map[string]string{"allowed.paths": paths})); !fault.Config.Is(err) {
			t.Errorf("allowed.paths %s: %v", paths, err)
		}
	}
	for _, ttl := range []string{"0", "-1", "soon"} {
		if err := (&config.DirectoryProvider{}).Configure(config.PropsOf(map[string]string{"ttl.ms": ttl})); !fault.Config.Is(err) {
			t.Errorf("ttl.ms %s: %v", ttl, err)
		}
	}
	var p config.FileProvider
	if _, err := p.Get("/no/such/file", []string{"a"}); !fault.Config.Is(err) || !strings.Contains(err.Error(), "/no/such/file") {
		t.Errorf("a missing file: %v", err)
	}
	var env config.EnvVarProvider
	if err := env.Configure(nil); err != nil {
		t.Fatal(err)
	}
	if _, err := env.Get("path", nil); !fault.Config.Is(err) {
		t.Errorf("a path for the environment: %v", err)
	}
}

func TestParseProperties(t *testing.T) {
	text := "a=1\nb:2\rc 3\r\n  d = 4 \n! no\n#e=5\nf\\ g=h\\=i\nj=k\\\n   l\\\\\nm=\\u00e9\\t\nn\n=o\np=\\"
	want := map[string]string{"a": "1", "b": "2", "c": "3", "d": "4 ", "f g": "h=i", "j": "kl\\", "m": "é\t", "n": "", "": "o", "p": ""}
	if diff := cmp.Diff(want, config.ParseProperties(text)); diff != "" {
		t.Error(diff)
	}
}

func FuzzParseProperties(f *testing.F) {
	f.Add("a=b\\\n c\n\\u12")
	f.Fuzz(func(_ *testing.T, text string) { config.ParseProperties(text) })
}

// TestValidateAllAtOnce wants every fault reported, in Kafka's words.
func TestValidateAllAtOnce(t *testing.T) {
	def := config.NewDef(
		config.Key{Name: "need", Type: config.String, Importance: config.High},
		config.Key{Name: "n", Type: config.Int, Default: 1, Validator: config.AtLeast(1), Group: "G"},
		config.Key{Name: "b", Type: config.Boolean, Default: false},
		config.Key{Name: "secret", Type: config.Password, Nullable: true, Dependents: []string{"ghost"}},
		config.Key{Name: "list", Type: config.List, Default: []string{}, Validator: config.FilledElements},
		config.Key{Name: "twice", Type: config.List, Default: []string{}, Validator: config.FilledElements},
	)
	props := config.PropsOf(map[string]string{"n": "x", "b": "maybe", "secret": "hush", "list": "a,,b", "twice": "a, b,a"})
	values := def.ValidateAll(props)
	want := map[string][]string{
		"need":  {`Missing required configuration "need" which has no default value.`},
		"n":     {"Invalid value x for configuration n: Not a number of type INT", "Invalid value null for configuration n: Value must be non-null"},
		"b":     {"Invalid value maybe for configuration b: Expected value to be either true or false"},
		"list":  {"Configuration 'list' values must not be empty."},
		"twice": {"Configuration 'twice' values must not be duplicated."},
		"ghost": {"ghost is referred in the dependents, but not defined."},
	}
	got := map[string][]string{}
	for name, v := range values {
		if len(v.Errors) > 0 {
			got[name] = v.Errors
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	infos := config.NewInfos("c", []*config.Key{def.Key("secret")}, []*config.Value{values["secret"], values["ghost"]}, def.Groups())
	if *infos.Configs[1].Value.Value != "[hidden]" || infos.Configs[0].Key != nil || infos.ErrorCount != 1 {
		t.Errorf("%+v", infos)
	}
}
