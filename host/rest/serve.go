package rest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/wasmstream/wasmstream/host/connect"
)

// Server serves the API on a worker's listeners.
type Server struct {
	servers   []*http.Server
	listeners []net.Listener
	// Addrs are the addresses in order of listeners and admin.listeners.
	Addrs []string
}

// Listen opens the listeners of the worker. Open names the addresses that are reachable from outside without authentication.
func Listen(cfg Config) (s *Server, open []string, err error) {
	w := cfg.Herder.Config()
	cfg.Admin = w.AdminListeners == nil
	s = &Server{}
	main, admin := NewHandler(cfg), http.Handler(nil)
	if len(w.AdminListeners) > 0 {
		cfg.AdminOnly = true
		admin = NewHandler(cfg)
	}
	for i, l := range append(append([]string{}, w.Listeners...), w.AdminListeners...) {
		handler := main
		if i >= len(w.Listeners) {
			handler = admin
		}
		addr, err := s.add(l, handler, w)
		if err != nil {
			s.Close()
			return nil, nil, err
		}
		w.Bound(i, addr)
		if cfg.Auth == nil && !loopback(addr) {
			open = append(open, addr.String())
		}
	}
	return s, open, nil
}

func (s *Server) add(listener string, handler http.Handler, worker *connect.WorkerConfig) (net.Addr, error) {
	u, err := url.Parse(listener)
	if err != nil {
		return nil, fmt.Errorf("reading listener %q: %w", listener, err)
	}
	ln, err := net.Listen("tcp", u.Host)
	if err != nil {
		return nil, err
	}
	if strings.EqualFold(u.Scheme, "https") {
		settings, err := worker.ListenerTLS()
		if err != nil {
			ln.Close()
			return nil, err
		}
		ln = tls.NewListener(ln, settings)
	}
	s.listeners = append(s.listeners, ln)
	s.servers = append(s.servers, &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute})
	s.Addrs = append(s.Addrs, ln.Addr().String())
	return ln.Addr(), nil
}

func loopback(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// lastRequests is how long requests may go on that are under way when a server ends.
const lastRequests = 5 * time.Second

// Run serves until ctx is done. It returns when no request is under way any more, or cuts off what takes longer than lastRequests:
// a connection that a client has opened and never used counts as a request, too, and is no fault of ours.
func (s *Server) Run(ctx context.Context) error {
	ended := make(chan error, len(s.servers))
	for i, server := range s.servers {
		go func() { ended <- server.Serve(s.listeners[i]) }()
	}
	select {
	case <-ctx.Done():
	case err := <-ended:
		s.Close()
		return err
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastRequests)
	defer cancel()
	var faults []error
	for _, server := range s.servers {
		err := server.Shutdown(stop)
		if errors.Is(err, context.DeadlineExceeded) {
			err = server.Close()
		}
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

// Close closes the listeners at once.
func (s *Server) Close() {
	for _, l := range s.listeners {
		l.Close()
	}
	for _, server := range s.servers {
		server.Close()
	}
}
