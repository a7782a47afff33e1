package guest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/wasmstream/wasmstream/abi"
)

// EgressConfig says what connectors in guests may reach. The zero value is nothing.
type EgressConfig struct {
	// Allow are places as HOST:PORT; HOST alone is port 443 by https, *.HOST any name below it.
	Allow []string
	// Networks are ranges of addresses that are reached although they are not public.
	Networks []netip.Prefix
	// Timeout bounds a request with its answer; RequestBytes and AnswerBytes their sizes; Concurrency how many run at once
	// for all connectors together. Zero fields take the defaults.
	Timeout                   time.Duration
	RequestBytes, AnswerBytes int
	Concurrency               int
}

// Defaults of EgressConfig.
const (
	defaultTimeout      = 10 * time.Second
	defaultRequestBytes = 4 << 20
	defaultAnswerBytes  = 8 << 20
	defaultConcurrency  = 16
	// maxURL and maxHeaders bound what a request may look like, maxAnswerHeader the answer's header.
	maxURL          = 8 << 10
	maxHeaders      = 100
	maxAnswerHeader = 64 << 10
	// maxHeader bounds the value of one header, before and after secrets are put in.
	maxHeader = 64 << 10
	// leastSecret is the shortest secret that answers are searched for: shorter ones are in every text.
	leastSecret = 4
)

// secretWord stands for a secret in what a guest sees.
func secretWord(key string) string { return "{{secret:" + key + "}}" }

// egress is the way out for all guests of a worker. It may be used by any number of goroutines.
type egress struct {
	config EgressConfig
	places []place
	client *http.Client
	slots  chan struct{}
}

// place is an entry of the allow list.
type place struct {
	host  string // lower case, without the dot at the end
	below bool   // any name below host
	port  string // "" is 443 by https
}

func newEgress(c EgressConfig) (*egress, error) {
	fill(&c.Timeout, defaultTimeout)
	fill(&c.RequestBytes, defaultRequestBytes)
	fill(&c.AnswerBytes, defaultAnswerBytes)
	fill(&c.Concurrency, defaultConcurrency)
	e := &egress{config: c, slots: make(chan struct{}, c.Concurrency)}
	for _, entry := range c.Allow {
		p, err := parsePlace(entry)
		if err != nil {
			return nil, err
		}
		e.places = append(e.places, p)
	}
	dialer := &net.Dialer{Timeout: c.Timeout, Control: e.control}
	e.client = &http.Client{
		// An answer that redirects is an answer: the guest may ask for the new place, if that is allowed.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy: nil, DialContext: dialer.DialContext, DisableCompression: true, MaxResponseHeaderBytes: maxAnswerHeader,
			TLSHandshakeTimeout: c.Timeout, IdleConnTimeout: 30 * time.Second, MaxConnsPerHost: c.Concurrency,
		},
	}
	return e, nil
}

func fill[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func parsePlace(entry string) (place, error) {
	p := place{host: entry}
	if host, port, err := net.SplitHostPort(entry); err == nil {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return p, fmt.Errorf("%q: the port is not a number from 1 to 65535", entry)
		}
		p.host, p.port = host, port
	}
	p.host = normalHost(strings.Trim(p.host, "[]"))
	if rest, ok := strings.CutPrefix(p.host, "*."); ok {
		p.host, p.below = rest, true
	}
	_, noAddress := netip.ParseAddr(p.host)
	if p.host == "" || strings.ContainsAny(p.host, "*/@ ") || strings.Contains(p.host, ":") && noAddress != nil {
		return p, fmt.Errorf("%q is not of the form HOST, HOST:PORT or *.HOST:PORT", entry)
	}
	return p, nil
}

func normalHost(host string) string { return strings.TrimSuffix(strings.ToLower(host), ".") }

// allowed tells whether a URL leads to a place of the list.
func (e *egress) allowed(u *url.URL) bool {
	host, port := normalHost(u.Hostname()), u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return slices.ContainsFunc(e.places, func(p place) bool {
		if p.port != port && !(p.port == "" && port == "443" && u.Scheme == "https") {
			return false
		}
		return !p.below && host == p.host || p.below && strings.HasSuffix(host, "."+p.host)
	})
}

// errAddress is why a connection is not made.
var errAddress = errors.New("the address is not public, and not in the networks that are allowed")

// control looks at the address that is really dialled: what a name means may change between two look-ups.
func (e *egress) control(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return errAddress
	}
	addr := at.Addr().Unmap().WithZone("")
	if slices.ContainsFunc(e.config.Networks, func(n netip.Prefix) bool { return n.Contains(addr) }) || public(addr) {
		return nil
	}
	return errAddress
}

// reserved are ranges that are not public beside those that netip knows (RFC 6890), among them those of IPv6 in which an
// address of IPv4 is hidden.
var reserved = func() (out []netip.Prefix) {
	for _, s := range []string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "5f00::/16", "fec0::/10",
	} {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}()

func public(addr netip.Addr) bool {
	return addr.IsGlobalUnicast() && !addr.IsPrivate() && !addr.IsLoopback() && !addr.IsLinkLocalUnicast() &&
		!slices.ContainsFunc(reserved, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// grant is the way out for one component; secrets are what words in headers stand for. nil where nothing is allowed.
func (e *egress) grant(secrets map[string]string) func(context.Context, []byte) ([]byte, int32) {
	if len(e.places) == 0 {
		return nil
	}
	return func(ctx context.Context, request []byte) ([]byte, int32) {
		ctx, cancel := context.WithTimeout(ctx, e.config.Timeout)
		defer cancel()
		if len(request) > e.config.RequestBytes {
			return nil, int32(abi.Limit)
		}
		req, code := e.request(ctx, request, secrets)
		if code < 0 {
			return nil, int32(code)
		}
		select {
		case e.slots <- struct{}{}:
			defer func() { <-e.slots }()
		case <-ctx.Done():
			return nil, int32(abi.Limit)
		}
		answer, code := e.send(req, secrets)
		return answer, int32(code)
	}
}

// methods are those that a guest may use: none that turns a connection into something else.
var methods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

// ownHeaders are up to the host.
var ownHeaders = []string{"host", "connection", "content-length", "transfer-encoding", "te", "trailer", "upgrade", "expect", "keep-alive", "accept-encoding"}

// request makes a request of a block of pairs.
func (e *egress) request(ctx context.Context, block []byte, secrets map[string]string) (*http.Request, abi.Errno) {
	var method, address, body string
	header := http.Header{}
	pairs, n := abi.ReadPairs(block), 0
	for key, value, ok := pairs.Next(); ok; key, value, ok = pairs.Next() {
		if n++; n > maxHeaders+3 {
			return nil, abi.Limit
		}
		switch name := string(key); {
		case name == "method":
			method = string(value)
		case name == "url":
			address = string(value)
		case name == "body":
			body = string(value)
		case strings.HasPrefix(name, "header."):
			name = strings.ToLower(name[len("header."):])
			if slices.Contains(ownHeaders, name) || strings.HasPrefix(name, "proxy-") {
				return nil, abi.Denied
			}
			if len(value) > maxHeader {
				return nil, abi.Limit
			}
			shown := unveil(string(value), secrets)
			if len(shown) > maxHeader {
				return nil, abi.Limit
			}
			header.Add(name, shown)
		default:
			return nil, abi.InvalidArg
		}
	}
	if pairs.Err() != nil || !slices.Contains(methods, method) || len(address) > maxURL {
		return nil, abi.InvalidArg
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.Host == "" || u.Opaque != "" {
		return nil, abi.InvalidArg
	}
	if !e.allowed(u) {
		return nil, abi.Denied
	}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), strings.NewReader(body))
	if err != nil {
		return nil, abi.InvalidArg
	}
	req.Header = header
	if header.Get("User-Agent") == "" {
		req.Header.Set("User-Agent", "wasmstream")
	}
	return req, 0
}

// unveil puts secrets where words stand for them.
func unveil(text string, secrets map[string]string) string {
	if !strings.Contains(text, "{{secret:") {
		return text
	}
	for word, secret := range secrets {
		text = strings.ReplaceAll(text, word, secret)
	}
	return text
}

// veil is the opposite: a server may answer with what it was sent.
func veil(text string, secrets map[string]string) string {
	for word, secret := range secrets {
		if len(secret) >= leastSecret {
			text = strings.ReplaceAll(text, secret, word)
		}
	}
	return text
}

// send sends the request and makes a block of pairs of the answer.
func (e *egress) send(req *http.Request, secrets map[string]string) ([]byte, abi.Errno) {
	resp, err := e.client.Do(req)
	switch {
	case errors.Is(err, errAddress):
		return nil, abi.Denied
	case err != nil && strings.Contains(err.Error(), "net/http: invalid"):
		return nil, abi.InvalidArg
	case err != nil:
		return nil, abi.Retry
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, int64(e.config.AnswerBytes)+1))
	switch {
	case err != nil:
		return nil, abi.Retry
	case len(body) > e.config.AnswerBytes:
		return nil, abi.Limit
	}
	block := abi.AppendPair(nil, "status", strconv.Itoa(resp.StatusCode))
	for name, values := range resp.Header {
		for _, v := range values {
			block = abi.AppendPair(block, "header."+strings.ToLower(name), veil(v, secrets))
		}
	}
	return abi.AppendPair(block, "body", veil(string(body), secrets)), 0
}

// close ends idle connections.
func (e *egress) close() { e.client.CloseIdleConnections() }
