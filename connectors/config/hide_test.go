package config

import (
	"errors"
	"testing"
)

func TestHidePasswords(t *testing.T) {
	for text, want := range map[string]string{
		"http://u:p@h/x":                        "http://u:[hidden]@h/x",
		"a http://u:p@q@h, https://:p@h:1 b":    "a http://u:[hidden]@h, https://:[hidden]@h:1 b",
		`unable to POST "http://u:p%40@h:1/s":`: `unable to POST "http://u:[hidden]@h:1/s":`,
		"http://u@h/x:y@z":                      "http://u@h/x:y@z",
		"http://h:1/x?mail=a@b":                 "http://h:1/x?mail=a@b",
		"HOST:1@x":                              "HOST:1@x",
		"":                                      "",
	} {
		if got := HidePasswords(text); got != want || HidePasswords(got) != want {
			t.Errorf("%s: %s", text, got)
		}
	}
}

// TestHider: what variables stand for is hidden wherever a text has it, whole or in parts, and nothing else is.
func TestHider(t *testing.T) {
	raw := PropsOf(map[string]string{"a": "x${f:p:one}y${f:p:two}", "b": "${f:p:list}", "c": "${f:p:short}", "d": "plain", "e": "${f:p:quoted}", "f": "${unknown:x}"})
	resolved := PropsOf(map[string]string{"a": "xfirst-secrety2nd-secret", "b": "left, right", "c": "abc", "d": "plain", "e": "say \"hush\"", "f": "${unknown:x}"})
	h := NewHider(raw, resolved)
	for text, want := range map[string]string{
		"xfirst-secrety2nd-secret is wrong": "x${f:p:one}y${f:p:two} is wrong",
		"first-secret, 2nd-secret":          "${f:p:one}, ${f:p:two}",
		"left|right|left, right":            "${f:p:list}|${f:p:list}|${f:p:list}",
		"abc is too short to be a secret":   "abc is too short to be a secret",
		`in quotes: "say \"hush\""`:         `in quotes: "${f:p:quoted}"`,
		"plain":                             "plain",
	} {
		if got := h.Text(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	cause := Exception("first-secret")
	if err := h.Error(cause); err.Error() != "${f:p:one}" || !errors.Is(err, cause) {
		t.Errorf("%v", err)
	}
	var none Hider
	if none.Error(nil) != nil || none.Text("first-secret") != "first-secret" {
		t.Error("the zero Hider hides")
	}
}
