package rest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Server serves the API on a worker's listeners.
type Server struct {
	servers   []*http.Server
	listeners []net.Listener
	// Addrs are the addresses in order of listeners and admin.listeners, URLs the same with http:// or https:// in front.
	Addrs, URLs []string

	log    *slog.Logger
	silent silentConns
}

// silentConns are connections that nothing was asked on yet, as browsers open them to be ready. They are no request that is under way,
// though http.Server.Shutdown waits for them as if they were.
type silentConns struct {
	mu struct {
		sync.Mutex
		conns map[net.Conn]bool
	}
}

func (s *silentConns) state(c net.Conn, now http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now != http.StateNew {
		delete(s.mu.conns, c)
		return
	}
	if s.mu.conns == nil {
		s.mu.conns = map[net.Conn]bool{}
	}
	s.mu.conns[c] = true
}

func (s *silentConns) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.mu.conns {
		c.Close()
	}
}

// Listen opens the listeners of the worker. Open names the addresses that are reachable from outside without authentication.
func Listen(cfg Config) (s *Server, open []string, err error) {
	w := cfg.Herder.Config()
	cfg.Admin = w.AdminListeners == nil
	s = &Server{log: cfg.Log}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
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
		addr, err := s.add(l, handler, cfg)
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

func (s *Server) add(listener string, handler http.Handler, cfg Config) (net.Addr, error) {
	worker := cfg.Herder.Config()
	u, err := url.Parse(listener)
	if err != nil {
		return nil, fmt.Errorf("reading listener %q: %w", listener, err)
	}
	ln, err := net.Listen("tcp", u.Host)
	if err != nil {
		return nil, err
	}
	scheme := "http://"
	if strings.EqualFold(u.Scheme, "https") {
		scheme = "https://"
		settings, err := worker.ListenerTLS()
		if err != nil {
			ln.Close()
			return nil, err
		}
		ln = tls.NewListener(ln, settings)
	}
	if cfg.Auth == nil && loopback(ln.Addr()) && !worker.Compat {
		handler = onlyOwnNames(handler, hostNames(worker))
	}
	s.listeners = append(s.listeners, ln)
	s.servers = append(s.servers, &http.Server{
		Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, ConnState: s.silent.state,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug), // what strangers do to a port, such as a TLS handshake that fails
	})
	s.Addrs, s.URLs = append(s.Addrs, ln.Addr().String()), append(s.URLs, scheme+ln.Addr().String())
	return ln.Addr(), nil
}

func loopback(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// lastRequests is how long requests may go on that are under way when a server ends.
const lastRequests = 5 * time.Second

// Run serves until ctx is done. It returns when no request is under way any more, or cuts off what takes longer than lastRequests.
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
	for _, l := range s.listeners {
		l.Close() // before the connections, so that none comes after them
	}
	s.silent.close()
	var faults []error
	for _, server := range s.servers {
		err := server.Shutdown(stop)
		if errors.Is(err, context.DeadlineExceeded) {
			err = server.Close()
		}
		if !errors.Is(err, net.ErrClosed) {
			faults = append(faults, err)
		}
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
