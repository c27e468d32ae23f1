package secrets

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
)

// credentialsOf are secrets by which users are known.
var credentialsOf = []plant{
	{"changed password", func(s *site, secret string) {
		_, err := s.auth.UserChangePassword(s.as("root"), &pb.AuthUserChangePasswordRequest{Name: "mallory", Password: secret})
		require.NoError(s, err)
		require.NoError(s, s.login("mallory", secret))
		s.passwords["mallory"] = secret
		s.loginAgain()
	}},
	{"password that is wrong", func(s *site, secret string) {
		for _, user := range []string{"alice", "nobody", ""} {
			_, err := s.auth.Authenticate(within(s.T), &pb.AuthenticateRequest{Name: user, Password: secret})
			s.refused(err, "authentication failed")
		}
	}},
	{"password that is too long", func(s *site, secret string) {
		_, err := s.auth.UserAdd(s.as("root"), &pb.AuthUserAddRequest{Name: "long", Password: strings.Repeat(secret, 3)})
		s.refused(err, "exceeds 72 bytes")
		_, err = s.auth.UserChangePassword(s.as("root"), &pb.AuthUserChangePasswordRequest{Name: "alice", Password: strings.Repeat(secret, 3)})
		s.refused(err, "exceeds 72 bytes")
	}},
	{"password without permission", func(s *site, secret string) {
		_, err := s.auth.UserAdd(s.as("alice"), &pb.AuthUserAddRequest{Name: "new", Password: secret})
		s.refused(err, "permission denied")
		_, err = s.auth.UserChangePassword(s.as("alice"), &pb.AuthUserChangePasswordRequest{Name: "root", Password: secret})
		s.refused(err, "permission denied")
		_, err = s.auth.UserAdd(s.as("root"), &pb.AuthUserAddRequest{Name: "alice", Password: secret})
		s.refused(err, "user name already exists")
	}},
	{"hash of a password", func(s *site, secret string) {
		_, err := s.auth.UserChangePassword(s.as("root"), &pb.AuthUserChangePasswordRequest{Name: "mallory", HashedPassword: secret + "!"})
		s.hear(errorText(err))
		s.passwords["mallory"] = s.secret("password of mallory")
		_, err = s.auth.UserChangePassword(s.as("root"), &pb.AuthUserChangePasswordRequest{Name: "mallory", Password: s.passwords["mallory"]})
		require.NoError(s, err)
		s.loginAgain()
	}},
	{"token that is wrong", func(s *site, secret string) {
		header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"` + secret + `"}`))
		claims := base64.RawURLEncoding.EncodeToString([]byte(`{"username":"` + secret + `","revision":"x"}`))
		for _, token := range []string{
			secret, secret + ".1", secret + ".18446744073709551615", header + "." + claims + "." + secret, header + ".." + secret, "Bearer " + secret,
		} {
			ctx := metadata.AppendToOutgoingContext(within(s.T), "token", token)
			_, err := s.kv.Range(ctx, &pb.RangeRequest{Key: []byte("a/value")})
			s.refused(err, "")
			_, err = s.auth.UserList(ctx, &pb.AuthUserListRequest{})
			s.refused(err, "")
		}
	}},
	{"what a token names", func(s *site, secret string) {
		if s.signing == "" {
			_, err := s.auth.UserAdd(s.as("root"), &pb.AuthUserAddRequest{Name: "as-a-name", Password: secret})
			require.NoError(s, err)
			require.NoError(s, s.login("as-a-name", secret))
			return
		}
		// Signed as zkine's own: what is in it is believed.
		text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." +
			base64.RawURLEncoding.EncodeToString([]byte(`{"username":"`+secret+`","revision":1,"exp":99999999999}`))
		mac := hmac.New(sha256.New, []byte(s.signing))
		mac.Write([]byte(text))
		token := text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
		_, err := s.kv.Range(metadata.AppendToOutgoingContext(within(s.T), "token", token), &pb.RangeRequest{Key: []byte("a/value")})
		s.refused(err, "revision of auth store is old")
	}},
	{"value behind a certificate", func(s *site, secret string) {
		conn, err := grpc.NewClient(s.secure, grpc.WithTransportCredentials(credentials.NewTLS(s.clientTLS("alice"))))
		require.NoError(s, err)
		defer conn.Close()
		_, err = pb.NewKVClient(conn).Put(within(s.T), putOf("a/certificate", secret))
		require.NoError(s, err)
		s.holds("a/certificate", secret)
		_, err = pb.NewKVClient(conn).Put(within(s.T), putOf("b/certificate", secret))
		s.refused(err, "permission denied")
	}},
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// loginAgain gets tokens that are as new as the users.
func (s *site) loginAgain() {
	s.Helper()
	if s.signing == "" {
		return // such tokens last
	}
	for user, password := range s.passwords {
		require.NoError(s, s.login(user, password))
	}
}
