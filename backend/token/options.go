package token

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// optionNames are the options of jwt; etcd's.
var optionNames = []string{"sign-method", "pub-key", "priv-key", "ttl"}

// Parse reads etcd's --auth-token: "simple", or "jwt,sign-method=...,
// pub-key=file,priv-key=file,ttl=5m", and the files that it names. The JWT is
// nil for simple tokens. Errors are for the person who has written the flag, and
// do not repeat it: its name invites to write a secret there.
func Parse(spec string) (*JWT, error) {
	kind, rest, _ := strings.Cut(spec, ",")
	options, err := parseOptions(rest)
	switch {
	case err != nil:
		return nil, err
	case kind == "simple" && len(options) == 0:
		return nil, nil
	case kind == "simple":
		return nil, errors.New("simple has no options; write simple alone")
	case kind != "jwt":
		return nil, errors.New("this token type is not known; write simple or jwt,sign-method=RS256,priv-key=file")
	}
	return newJWT(options)
}

func parseOptions(list string) (map[string]string, error) {
	options := make(map[string]string)
	if list == "" {
		return options, nil
	}
	for i, option := range strings.Split(list, ",") {
		name, value, found := strings.Cut(option, "=")
		_, twice := options[name]
		switch {
		case !found:
			return nil, fmt.Errorf("option %d has no value; write name=value", i+1)
		case !slices.Contains(optionNames, name):
			return nil, fmt.Errorf("option %d is not known; there are %s", i+1, strings.Join(optionNames, ", "))
		case twice:
			return nil, fmt.Errorf("option %q is there twice; write it once", name)
		}
		options[name] = value
	}
	return options, nil
}

func newJWT(options map[string]string) (*JWT, error) {
	j := &JWT{ttl: DefaultTTL, method: jwt.GetSigningMethod(options["sign-method"])}
	if j.method == nil {
		return nil, fmt.Errorf("sign-method %q is not known; write one like RS256, ES256, EdDSA or HS256", options["sign-method"])
	}
	if ttl := options["ttl"]; ttl != "" {
		var err error
		if j.ttl, err = time.ParseDuration(ttl); err != nil || j.ttl <= 0 {
			return nil, fmt.Errorf("ttl %q is not a duration; write one like 5m", ttl)
		}
	}
	private, err := readKey(options["priv-key"])
	if err != nil {
		return nil, err
	}
	public, err := readKey(options["pub-key"])
	if err != nil {
		return nil, err
	}
	if err := j.setKeys(private, public); err != nil {
		return nil, err
	}
	return j, nil
}

func readKey(file string) ([]byte, error) {
	if file == "" {
		return nil, nil
	}
	key, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if len(bytes.TrimSpace(key)) == 0 {
		return nil, fmt.Errorf("key file %s is empty", file)
	}
	return key, nil
}

// setKeys takes PEM, or for HMAC the file as it is. One of the two is enough to
// verify, signing takes the private one.
func (j *JWT) setKeys(private, public []byte) error {
	switch j.method.(type) {
	case *jwt.SigningMethodHMAC:
		if private == nil {
			return errors.New("no key: " + j.method.Alg() + " needs priv-key=file")
		}
		j.sign, j.verify = private, private
		return nil
	case *jwt.SigningMethodRSA, *jwt.SigningMethodRSAPSS:
		return setPair(j, private, public, jwt.ParseRSAPrivateKeyFromPEM, jwt.ParseRSAPublicKeyFromPEM)
	case *jwt.SigningMethodECDSA:
		return setPair(j, private, public, jwt.ParseECPrivateKeyFromPEM, jwt.ParseECPublicKeyFromPEM)
	case *jwt.SigningMethodEd25519:
		return setPair(j, private, public, jwt.ParseEdPrivateKeyFromPEM, jwt.ParseEdPublicKeyFromPEM)
	}
	return fmt.Errorf("sign-method %s does not sign; write one like RS256, ES256, EdDSA or HS256", j.method.Alg())
}

// setPair parses what there is of a pair of keys.
func setPair[Private, Public any](j *JWT, private, public []byte,
	parsePrivate func([]byte) (Private, error), parsePublic func([]byte) (Public, error)) error {
	if private == nil && public == nil {
		return errors.New("no key: " + j.method.Alg() + " needs priv-key=file, or pub-key=file to verify only")
	}
	if public != nil {
		key, err := parsePublic(public)
		if err != nil {
			return fmt.Errorf("pub-key is not a public key for %s: %w", j.method.Alg(), err)
		}
		j.verify = key
	}
	if private == nil {
		return nil
	}
	key, err := parsePrivate(private)
	if err != nil {
		return fmt.Errorf("priv-key is not a private key for %s: %w", j.method.Alg(), err)
	}
	own := any(key).(crypto.Signer).Public()
	if equal, ok := j.verify.(interface{ Equal(crypto.PublicKey) bool }); ok && !equal.Equal(own) {
		return errors.New("priv-key and pub-key do not belong together")
	}
	j.sign, j.verify = key, own
	return nil
}
