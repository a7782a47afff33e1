package rest

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/wasmstream/wasmstream/connectors/config"
)

// Settings of a worker that say who may use its API. Both name files, so that no secret stands among settings.
const (
	basicFileKey  = "rest.authentication.basic.file"  // user=password lines
	bearerFileKey = "rest.authentication.bearer.file" // a token in each line
)

// Auth admits requests with a user's password or a token. Only hashes are kept.
type Auth struct {
	users  map[string][sha256.Size]byte
	tokens [][sha256.Size]byte
}

// NewAuth reads the files that a worker's settings name; nil if they name none.
func NewAuth(worker config.Props) (*Auth, error) {
	basic, bearer := worker.Or(basicFileKey, ""), worker.Or(bearerFileKey, "")
	if basic == "" && bearer == "" {
		return nil, nil
	}
	a := &Auth{users: map[string][sha256.Size]byte{}}
	var faults []error
	if basic != "" {
		b, err := os.ReadFile(basic)
		if err != nil {
			faults = append(faults, fmt.Errorf("reading %s: %w", basicFileKey, err))
		}
		for user, password := range config.ParseProperties(string(b)) {
			a.users[user] = sha256.Sum256([]byte(password))
		}
	}
	if bearer != "" {
		b, err := os.ReadFile(bearer)
		if err != nil {
			faults = append(faults, fmt.Errorf("reading %s: %w", bearerFileKey, err))
		}
		for _, token := range strings.Fields(string(b)) {
			a.tokens = append(a.tokens, sha256.Sum256([]byte(token)))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return a, nil
}

func (a *Auth) admits(r *http.Request) bool {
	if user, password, ok := r.BasicAuth(); ok {
		want, known := a.users[user]
		got := sha256.Sum256([]byte(password))
		return subtle.ConstantTimeCompare(want[:], got[:]) == 1 && known
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return false
	}
	got, admitted := sha256.Sum256([]byte(token)), 0
	for _, want := range a.tokens {
		admitted |= subtle.ConstantTimeCompare(want[:], got[:])
	}
	return admitted == 1
}

func (a *Auth) refuse(w http.ResponseWriter) {
	if len(a.users) > 0 {
		w.Header().Set("WWW-Authenticate", "Basic")
	}
	writeError(w, http.StatusUnauthorized, "User cannot access the resource.")
}
