package token

import (
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// ErrVerifyOnly says that this zkine has the public key only: it can verify a
// token, and cannot make one.
var ErrVerifyOnly = errors.New("token: signing attempted with a verify-only key")

// JWT makes and reads JSON web tokens. It may be used from any goroutine.
type JWT struct {
	method jwt.SigningMethod
	// sign is nil if there is the public key only.
	sign, verify any
	ttl          time.Duration
}

// The claims are etcd's: a token is taken no matter which program with the key has
// made it.
const (
	claimUser     = "username"
	claimRevision = "revision"
	claimExpiry   = "exp"
)

// Sign makes a token for the user at an auth revision. Errors: ErrVerifyOnly,
// or that of a method and a key which do not fit.
func (j *JWT) Sign(user string, revision uint64) (string, error) {
	if j.sign == nil {
		return "", ErrVerifyOnly
	}
	return jwt.NewWithClaims(j.method, jwt.MapClaims{
		claimUser:     user,
		claimRevision: revision,
		claimExpiry:   time.Now().Add(j.ttl).Unix(),
	}).SignedString(j.sign)
}

// Verify is the user that the token stands for, and the auth revision at which it
// was made. An error says what is wrong with it.
func (j *JWT) Verify(token string) (user string, revision uint64, err error) {
	parsed, err := jwt.Parse(token, func(*jwt.Token) (any, error) { return j.verify, nil },
		jwt.WithValidMethods([]string{j.method.Alg()}))
	if err != nil {
		return "", 0, fmt.Errorf("token: %w", err)
	}
	claims, _ := parsed.Claims.(jwt.MapClaims)
	user, named := claims[claimUser].(string)
	number, numbered := claims[claimRevision].(float64)
	if !named || !numbered || number < 0 {
		return "", 0, errors.New("token: it does not name a user and an auth revision")
	}
	return user, uint64(number), nil
}
