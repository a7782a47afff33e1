package rest

import (
	"encoding/json"
	"net/url"
)

// ErrorBody is the answer that an error becomes: its status and body.
func ErrorBody(err error) (status int, body []byte) {
	status, message := statusOf(err)
	body, _ = json.Marshal(errorMessage{status, message})
	return status, body
}

// CreationName reads the body of POST /connectors: the name of the connector, and the one that its settings get, "" for both
// where the body does not fit.
func CreationName(body []byte) (name, inSettings string) {
	c, err := parseCreation(body)
	if err != nil || named(c.config, c.name) != nil {
		return "", ""
	}
	return c.name, c.config.Or("name", "")
}

// Location is the URL of a connector.
func Location(scheme, host, name string) string {
	return scheme + "://" + host + "/connectors/" + url.PathEscape(name)
}
