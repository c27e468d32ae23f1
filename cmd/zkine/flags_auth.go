package main

import (
	"strings"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/crypto/bcrypt"

	"github.com/zkine/zkine/backend"
	"github.com/zkine/zkine/backend/token"
	"github.com/zkine/zkine/server"
)

// authFlags is how users prove who they are. Names, defaults and units are
// etcd's.
type authFlags struct {
	token      string
	tokenTTL   int // seconds
	bcryptCost int

	jwt *token.JWT // what token says, once checked; nil for simple
}

func (a *authFlags) bind(f *pflag.FlagSet) {
	f.StringVar(&a.token, "auth-token", "simple", "`kind` of the tokens that users get: simple, or jwt,sign-method=...,priv-key=file,pub-key=file,ttl=5m")
	f.IntVar(&a.tokenTTL, "auth-token-ttl", int(token.DefaultTTL/time.Second), "how many `seconds` a simple token lasts after its last use")
	f.IntVar(&a.bcryptCost, "bcrypt-cost", bcrypt.DefaultCost, "how costly a password is to guess from its hash, as a `power` of two")
}

// check also reads the files that --auth-token names.
func (a *authFlags) check(v *checker) {
	jwt, err := token.Parse(a.token)
	if err != nil {
		what, remedy, found := strings.Cut(err.Error(), "; ")
		if !found {
			remedy = "write it like simple or jwt,sign-method=RS256,priv-key=file"
		}
		v.refuse("auth-token", what, remedy)
	}
	a.jwt = jwt
	v.between("auth-token-ttl", int64(a.tokenTTL), 1, 1<<31, plain)
	v.between("bcrypt-cost", int64(a.bcryptCost), int64(bcrypt.MinCost), int64(bcrypt.MaxCost), plain)
}

// config is what the backend is told. certificates says that each client has
// one, so that its name may stand for a user.
func (a *authFlags) config(certificates bool) backend.AuthConfig {
	return backend.AuthConfig{
		Credentials: server.Credentials(certificates),
		JWT:         a.jwt,
		TokenTTL:    time.Duration(a.tokenTTL) * time.Second,
		BcryptCost:  a.bcryptCost,
	}
}
