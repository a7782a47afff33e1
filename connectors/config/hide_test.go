package config

import "testing"

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
