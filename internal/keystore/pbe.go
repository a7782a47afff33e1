package keystore

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"hash"
)

// The ways to make keys of passwords: PBES2 (RFC 8018), which Java and openssl write today, and the older ones of RFC 7292.
var (
	oidPBES2    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	oidPBKDF2   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}
	oid3DES     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 1, 3}
	oidRC2of128 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 1, 5}
	oidRC2of40  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 1, 6}
)

// What a key is derived for, by RFC 7292, B.3.
const (
	forKey = 1
	forIV  = 2
	forMAC = 3
)

// digests are the hash functions of a store's digest, by their ids.
var digests = map[string]func() hash.Hash{
	"1.3.14.3.2.26":          sha1.New,
	"2.16.840.1.101.3.4.2.4": sha256.New224,
	"2.16.840.1.101.3.4.2.1": sha256.New,
	"2.16.840.1.101.3.4.2.2": sha512.New384,
	"2.16.840.1.101.3.4.2.3": sha512.New,
}

// hmacs are the functions of PBKDF2, by their ids.
var hmacs = map[string]func() hash.Hash{
	"":                    sha1.New, // when none is named
	"1.2.840.113549.2.7":  sha1.New,
	"1.2.840.113549.2.8":  sha256.New224,
	"1.2.840.113549.2.9":  sha256.New,
	"1.2.840.113549.2.10": sha512.New384,
	"1.2.840.113549.2.11": sha512.New,
}

// blockCiphers are the ciphers of PBES2, by their ids, with the size of their keys.
var blockCiphers = map[string]struct {
	size int
	make func(key []byte) (cipher.Block, error)
}{
	"2.16.840.1.101.3.4.1.2":  {16, aes.NewCipher},
	"2.16.840.1.101.3.4.1.22": {24, aes.NewCipher},
	"2.16.840.1.101.3.4.1.42": {32, aes.NewCipher},
	"1.2.840.113549.3.7":      {24, des.NewTripleDESCipher},
}

type (
	pbes2Params struct {
		KDF    pkix.AlgorithmIdentifier
		Cipher pkix.AlgorithmIdentifier
	}
	pbkdf2Params struct {
		Salt       []byte
		Iterations int
		KeyLength  int                      `asn1:"optional"`
		PRF        pkix.AlgorithmIdentifier `asn1:"optional"`
	}
	pbeParams struct {
		Salt       []byte
		Iterations int
	}
)

// DecryptKey opens a private key in PKCS#8 that a password protects: the bytes of a PEM block ENCRYPTED PRIVATE KEY.
// It returns the key in plain PKCS#8.
func DecryptKey(der []byte, password string) ([]byte, error) {
	return openKey(der, password, &budget{left: maxRounds})
}

func openKey(der []byte, password string, work *budget) ([]byte, error) {
	var sealed encryptedKey
	if err := unmarshal(der, &sealed); err != nil {
		return nil, err
	}
	plain, err := decrypt(sealed.Algorithm, sealed.Data, password, work)
	if err != nil {
		return nil, err
	}
	var value asn1.RawValue
	if unmarshal(plain, &value) != nil {
		return nil, ErrKeyPassword // the filling of the last block fitted by chance
	}
	return plain, nil
}

// check compares the digest of a store with the one that password gives.
func (m macData) check(content []byte, password string, work *budget) error {
	newHash, known := digests[m.Mac.Algorithm.Algorithm.String()]
	if !known {
		return fmt.Errorf("%w: digest %s", ErrCipher, m.Mac.Algorithm.Algorithm)
	}
	for _, secret := range bmpPasswords(password) {
		if err := work.take(m.Iterations); err != nil {
			return err
		}
		h := hmac.New(newHash, derive(newHash, secret, m.Salt, m.Iterations, forMAC, newHash().Size()))
		h.Write(content)
		if hmac.Equal(h.Sum(nil), m.Mac.Digest) {
			return nil
		}
	}
	return ErrPassword
}

// bmpPasswords are the bytes that a password may stand for: UTF-16 and an end of two zeros. An empty one is sometimes no byte at
// all.
func bmpPasswords(password string) [][]byte {
	ways := [][]byte{append(utf16Bytes(password), 0, 0)}
	if password == "" {
		ways = append(ways, nil)
	}
	return ways
}

// decrypt opens data by the way that algorithm names.
func decrypt(algorithm pkix.AlgorithmIdentifier, data []byte, password string, work *budget) ([]byte, error) {
	var err error
	for _, secret := range bmpPasswords(password) {
		var block cipher.Block
		var iv, plain []byte
		if block, iv, err = cipherOf(algorithm, password, secret, work); err != nil {
			return nil, err
		}
		if plain, err = decryptBlocks(block, iv, data); err == nil {
			return plain, nil
		}
	}
	return nil, err
}

func cipherOf(algorithm pkix.AlgorithmIdentifier, password string, secret []byte, work *budget) (cipher.Block, []byte, error) {
	id := algorithm.Algorithm
	switch {
	case id.Equal(oidPBES2):
		return pbes2(algorithm.Parameters.FullBytes, password, work)
	case id.Equal(oid3DES):
		return oldCipher(algorithm.Parameters.FullBytes, secret, 24, des.NewTripleDESCipher, work)
	case id.Equal(oidRC2of128):
		return oldCipher(algorithm.Parameters.FullBytes, secret, 16, newRC2, work)
	case id.Equal(oidRC2of40):
		return oldCipher(algorithm.Parameters.FullBytes, secret, 5, newRC2, work)
	}
	return nil, nil, fmt.Errorf("%w: %s", ErrCipher, id)
}

// pbes2 takes the password as UTF-8, as Java does.
func pbes2(params []byte, password string, work *budget) (cipher.Block, []byte, error) {
	var p pbes2Params
	if err := unmarshal(params, &p); err != nil {
		return nil, nil, err
	}
	var kdf pbkdf2Params
	if !p.KDF.Algorithm.Equal(oidPBKDF2) {
		return nil, nil, fmt.Errorf("%w: key derivation %s", ErrCipher, p.KDF.Algorithm)
	}
	if err := unmarshal(p.KDF.Parameters.FullBytes, &kdf); err != nil {
		return nil, nil, err
	}
	prf, known := hmacs[kdf.PRF.Algorithm.String()]
	c, supported := blockCiphers[p.Cipher.Algorithm.String()]
	if !known || !supported {
		return nil, nil, fmt.Errorf("%w: %s with %s", ErrCipher, p.Cipher.Algorithm, kdf.PRF.Algorithm)
	}
	if err := work.take(kdf.Iterations); err != nil {
		return nil, nil, err
	}
	key, err := pbkdf2.Key(prf, password, kdf.Salt, kdf.Iterations, c.size)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrCipher, err)
	}
	block, err := c.make(key)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrCipher, err)
	}
	return block, p.Cipher.Parameters.Bytes, nil
}

// oldCipher derives key and first block by RFC 7292.
func oldCipher(params, secret []byte, size int, newCipher func([]byte) (cipher.Block, error), work *budget) (cipher.Block, []byte, error) {
	var p pbeParams
	if err := unmarshal(params, &p); err != nil {
		return nil, nil, err
	}
	if err := work.take(p.Iterations); err != nil {
		return nil, nil, err
	}
	block, err := newCipher(derive(sha1.New, secret, p.Salt, p.Iterations, forKey, size))
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrCipher, err)
	}
	return block, derive(sha1.New, secret, p.Salt, p.Iterations, forIV, block.BlockSize()), nil
}

// decryptBlocks undoes chained blocks and takes off the filling, which a wrong password leaves without sense.
func decryptBlocks(block cipher.Block, iv, data []byte) ([]byte, error) {
	size := block.BlockSize()
	if len(iv) != size || len(data) == 0 || len(data)%size != 0 {
		return nil, fmt.Errorf("%w: %d encrypted bytes", ErrFormat, len(data))
	}
	plain := make([]byte, len(data))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, data)
	fill := int(plain[len(plain)-1])
	if fill < 1 || fill > size || !bytes.Equal(plain[len(plain)-fill:], bytes.Repeat([]byte{byte(fill)}, fill)) {
		return nil, ErrKeyPassword
	}
	return plain[:len(plain)-fill], nil
}

// derive makes size bytes of a password by RFC 7292, B.2: blocks of the purpose, of salt and of password, hashed for so many
// rounds, and each next block with the last result added to salt and password.
func derive(newHash func() hash.Hash, password, salt []byte, rounds int, purpose byte, size int) []byte {
	h := newHash()
	v := h.BlockSize()
	diversifier := bytes.Repeat([]byte{purpose}, v)
	input := append(fillBlocks(salt, v), fillBlocks(password, v)...)
	var out []byte
	for {
		sum := hashOf(h, diversifier, input)
		for range rounds - 1 {
			sum = hashOf(h, sum)
		}
		if out = append(out, sum...); len(out) >= size {
			return out[:size]
		}
		add := fillBlocks(sum, v)[:v]
		for at := 0; at < len(input); at += v {
			addOne(input[at:at+v], add)
		}
	}
}

func hashOf(h hash.Hash, parts ...[]byte) []byte {
	h.Reset()
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

// fillBlocks repeats b until it fills whole blocks of v bytes.
func fillBlocks(b []byte, v int) []byte {
	if len(b) == 0 {
		return nil
	}
	length := (len(b) + v - 1) / v * v
	return bytes.Repeat(b, length/len(b)+1)[:length]
}

// addOne adds b and one to a, both big numbers of the same length, and drops what flows over.
func addOne(a, b []byte) {
	carry := 1
	for i := len(a) - 1; i >= 0; i-- {
		carry += int(a[i]) + int(b[i])
		a[i] = byte(carry)
		carry >>= 8
	}
}
