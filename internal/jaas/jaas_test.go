package jaas

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	cases := []struct {
		text  string
		want  Login
		fault string
	}{
		{
			text: `org.apache.kafka.common.security.plain.PlainLoginModule required username="alice" password="a b\"c=;";`,
			want: Login{"org.apache.kafka.common.security.plain.PlainLoginModule", "required", map[string]string{"username": "alice", "password": `a b"c=;`}},
		},
		{text: " M\n  REQUIRED\n  a='x y' b=z ; ", want: Login{"M", "required", map[string]string{"a": "x y", "b": "z"}}},
		{text: `M required u="secret"`, fault: "semicolon"},
		{text: `M required u="secret;`, fault: "quote"},
		{text: `M;`, fault: "control flag"},
		{text: `M always u="secret";`, fault: "want required"},
		{text: `M required secret;`, fault: "option 1"},
		{text: `M required u=secret u=secret;`, fault: "twice"},
		{text: `M required u="secret"; N required;`, fault: "second entry"},
	}
	for _, c := range cases {
		got, err := Parse(c.text)
		if c.fault != "" {
			if err == nil || !strings.Contains(err.Error(), c.fault) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%s: got %v, want an error about %q without the password", c.text, err, c.fault)
			}
			continue
		}
		if d := cmp.Diff(c.want, got); err != nil || d != "" {
			t.Errorf("%s: %v\n%s", c.text, err, d)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`M required a="b";`)
	f.Fuzz(func(t *testing.T, text string) {
		login, err := Parse(text)
		if err == nil && (login.Module == "" || login.Options == nil) {
			t.Errorf("%q gives %+v without an error", text, login)
		}
	})
}
