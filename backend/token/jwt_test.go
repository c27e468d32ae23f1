package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"
)

// keyFiles writes a pair of keys as PEM.
func keyFiles(t *testing.T, private crypto.Signer) (priv, pub string) {
	der, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	priv = file(t, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	der, err = x509.MarshalPKIXPublicKey(private.Public())
	require.NoError(t, err)
	return priv, file(t, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func file(t *testing.T, content []byte) string {
	name := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(name, content, 0o600))
	return name
}

func keys(t *testing.T) map[string]crypto.Signer {
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	e, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	_, d, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	return map[string]crypto.Signer{"RS256": r, "PS512": r, "ES256": e, "EdDSA": d}
}

func TestJWT(t *testing.T) {
	for method, key := range keys(t) {
		priv, pub := keyFiles(t, key)
		j, err := Parse("jwt,sign-method=" + method + ",priv-key=" + priv + ",pub-key=" + pub + ",ttl=1h")
		require.NoError(t, err, method)
		token, err := j.Sign("alice", 7)
		require.NoError(t, err)
		verifier, err := Parse("jwt,sign-method=" + method + ",pub-key=" + pub)
		require.NoError(t, err)
		for _, v := range []*JWT{j, verifier} {
			user, revision, err := v.Verify(token)
			require.NoError(t, err, method)
			require.Equal(t, "alice", user)
			require.Equal(t, uint64(7), revision)
		}
		_, err = verifier.Sign("alice", 7)
		require.ErrorIs(t, err, ErrVerifyOnly)
	}
}

func TestWrongJWT(t *testing.T) {
	secret := file(t, []byte("secret"))
	j, err := Parse("jwt,sign-method=HS256,priv-key=" + secret)
	require.NoError(t, err)
	sign := func(method jwt.SigningMethod, key any, claims jwt.MapClaims) string {
		s, err := jwt.NewWithClaims(method, claims).SignedString(key)
		require.NoError(t, err)
		return s
	}
	good := jwt.MapClaims{"username": "alice", "revision": 7}
	_, _, err = j.Verify(sign(jwt.SigningMethodHS256, []byte("secret"), good))
	require.NoError(t, err)
	for name, token := range map[string]string{
		"empty":             "",
		"simple":            "abc.17",
		"another key":       sign(jwt.SigningMethodHS256, []byte("other"), good),
		"another method":    sign(jwt.SigningMethodHS384, []byte("secret"), good),
		"no method":         sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, good),
		"no user":           sign(jwt.SigningMethodHS256, []byte("secret"), jwt.MapClaims{"revision": 7}),
		"no revision":       sign(jwt.SigningMethodHS256, []byte("secret"), jwt.MapClaims{"username": "alice"}),
		"negative revision": sign(jwt.SigningMethodHS256, []byte("secret"), jwt.MapClaims{"username": "alice", "revision": -1}),
		"expired":           sign(jwt.SigningMethodHS256, []byte("secret"), jwt.MapClaims{"username": "alice", "revision": 7, "exp": 1}),
	} {
		_, _, err := j.Verify(token)
		require.Error(t, err, name)
	}
}

func TestParse(t *testing.T) {
	j, err := Parse("simple")
	require.NoError(t, err)
	require.Nil(t, j)
	all := keys(t)
	rsaPriv, rsaPub := keyFiles(t, all["RS256"])
	ecPriv, ecPub := keyFiles(t, all["ES256"])
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	_, otherPub := keyFiles(t, other)
	for spec, want := range map[string]string{
		"":                      "token type",
		"paper":                 "token type",
		"simple,ttl=1s":         "simple has no options",
		"jwt":                   "sign-method",
		"jwt,sign-method=X":     "sign-method",
		"jwt,sign-method":       "has no value",
		"jwt,color=red":         "option 1 is not known",
		"jwt,ttl=1s,ttl=2s":     "twice",
		"jwt,sign-method=none":  "does not sign",
		"jwt,sign-method=RS256": "no key",
		"jwt,sign-method=HS256,pub-key=" + rsaPub:                            "no key",
		"jwt,sign-method=RS256,priv-key=/nowhere":                            "no such file",
		"jwt,sign-method=RS256,priv-key=" + file(t, nil):                     "is empty",
		"jwt,sign-method=RS256,priv-key=" + ecPriv:                           "not a private key for RS256",
		"jwt,sign-method=RS256,pub-key=" + ecPub:                             "not a public key for RS256",
		"jwt,sign-method=RS256,priv-key=" + rsaPriv + ",pub-key=" + otherPub: "do not belong together",
		"jwt,sign-method=RS256,ttl=soon,priv-key=" + rsaPriv:                 "ttl",
	} {
		_, err := Parse(spec)
		require.ErrorContains(t, err, want, spec)
	}
}
