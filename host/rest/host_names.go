package rest

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/wasmstream/wasmstream/host/connect"
)

// hostNames are the names that a listener on loopback answers to beside addresses and localhost: those of the settings.
//
// A page of another site can have its own name lead to 127.0.0.1 once it is loaded (DNS rebinding). To the browser the worker then is the
// page's own site, which nothing keeps it from reading and changing; but the requests name that site as their Host. An address cannot be
// made to lead elsewhere.
func hostNames(w *connect.WorkerConfig) []string {
	var names []string
	for _, address := range append(append([]string{w.AdvertisedURL}, w.Listeners...), w.AdminListeners...) {
		if u, err := url.Parse(address); err == nil {
			names = append(names, strings.ToLower(u.Hostname()))
		}
	}
	return names
}

// onlyOwnNames refuses requests to any other name.
func onlyOwnNames(next http.Handler, names []string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := hostName(r.Host)
		if !local(name) && !slices.Contains(names, name) {
			writeError(w, http.StatusForbidden, "On loopback the worker answers to localhost, addresses, and the names of listeners and rest.advertised.host.name; "+
				"the request is to another name, which a page of that name may have sent")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// hostName is a Host header without port, brackets and the dot that may end a name.
func hostName(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.TrimSuffix(strings.ToLower(strings.Trim(host, "[]")), ".")
}

// local tells whether a name cannot be led elsewhere: addresses, localhost (RFC 6761), and none, as clients of HTTP/1.0 have it.
func local(name string) bool {
	_, err := netip.ParseAddr(name)
	return err == nil || name == "" || name == "localhost" || strings.HasSuffix(name, ".localhost")
}
