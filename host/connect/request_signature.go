package connect

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"hash"
)

// Headers of requests between workers (KIP-507, InternalRequestSignature).
const (
	SignatureHeader          = "X-Connect-Authorization"
	SignatureAlgorithmHeader = "X-Connect-Request-Signature-Algorithm"
)

// macAlgorithms are Java's names of the algorithms that may sign.
var macAlgorithms = map[string]func() hash.Hash{
	"HmacSHA1":   sha1.New,
	"HmacSHA224": sha256.New224,
	"HmacSHA256": sha256.New,
	"HmacSHA384": sha512.New384,
	"HmacSHA512": sha512.New,
}

// RequestSignature is what the headers of an internal request say.
type RequestSignature struct {
	Algorithm string
	MAC       []byte
}

// Sign signs the body of a request.
func Sign(body, key []byte, algorithm string) (RequestSignature, error) {
	newHash := macAlgorithms[algorithm]
	if newHash == nil {
		return RequestSignature{}, fmt.Errorf("there is no signature algorithm %q", algorithm)
	}
	mac := hmac.New(newHash, key)
	mac.Write(body)
	return RequestSignature{algorithm, mac.Sum(nil)}, nil
}

// ParseSignature reads the values of the two headers. Their absence, an unknown algorithm and what is no base64 are
// errors for the sender.
func ParseSignature(signature, algorithm string) (RequestSignature, error) {
	if signature == "" || algorithm == "" {
		return RequestSignature{}, fmt.Errorf("request was not signed: it needs the headers %s and %s", SignatureHeader, SignatureAlgorithmHeader)
	}
	if macAlgorithms[algorithm] == nil {
		return RequestSignature{}, fmt.Errorf("there is no signature algorithm %q", algorithm)
	}
	mac, err := base64.StdEncoding.DecodeString(signature)
	if err != nil {
		return RequestSignature{}, fmt.Errorf("the signature is not base64")
	}
	return RequestSignature{algorithm, mac}, nil
}

// Header is the value of SignatureHeader.
func (s RequestSignature) Header() string { return base64.StdEncoding.EncodeToString(s.MAC) }

// Valid tells whether the signature is that of body, in constant time.
func (s RequestSignature) Valid(body, key []byte) bool {
	want, err := Sign(body, key, s.Algorithm)
	return err == nil && hmac.Equal(want.MAC, s.MAC)
}
