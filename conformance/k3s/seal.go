package k3s

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
)

// prefix is where k3s keeps what a server needs to join.
const prefix = "/bootstrap"

// keyOf is the key of the data that a token opens: another token leads elsewhere.
func keyOf(token string) string {
	sum := sha256.Sum256([]byte(token))
	return prefix + "/" + hex.EncodeToString(sum[:])[:12]
}

// seal encrypts data with a token, as "salt:base64".
func seal(token string, data []byte) ([]byte, error) {
	random := make([]byte, 8)
	rand.Read(random) // it never fails
	salt := hex.EncodeToString(random)
	gcm, err := cipherOf(token, salt)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, gcm.NonceSize())
	rand.Read(nonce)
	return []byte(salt + ":" + base64.StdEncoding.EncodeToString(gcm.Seal(nonce, nonce, data, nil))), nil
}

// open is the reverse of seal. Another token, or a changed byte, is an error.
func open(token string, sealed []byte) ([]byte, error) {
	salt, text, found := strings.Cut(string(sealed), ":")
	if !found {
		return nil, errors.New("the bootstrap data has no salt")
	}
	gcm, err := cipherOf(token, salt)
	if err != nil {
		return nil, err
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, err
	}
	if len(raw) < gcm.NonceSize() {
		return nil, errors.New("the bootstrap data is cut off")
	}
	return gcm.Open(nil, raw[:gcm.NonceSize()], raw[gcm.NonceSize():], nil)
}

func cipherOf(token, salt string) (cipher.AEAD, error) {
	key, err := pbkdf2.Key(sha1.New, token, []byte(salt), 4096, 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
