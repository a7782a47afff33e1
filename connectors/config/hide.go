package config

import "regexp"

// userinfo is the password in an address: behind the user's name, up to the last @ before the path.
var userinfo = regexp.MustCompile(`(://[^/?#\s"':@]*):[^/?#\s"']*@`)

// HidePasswords is a text in which the passwords of addresses, as in http://user:password@host, are hidden as a Secret is.
func HidePasswords(text string) string {
	return userinfo.ReplaceAllString(text, "${1}:"+Secret("").String()+"@")
}
