package identity

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

// script answers one call after the other.
type script []struct {
	reply []byte
	code  int32
	err   error
}

func (s *script) Call(int32, int32, []byte) ([]byte, int32, error) {
	next := (*s)[0]
	*s = (*s)[1:]
	return next.reply, next.code, next.err
}

var errLost = errors.New("lost")

func TestShow(t *testing.T) {
	challenge := appendBytes(nil, []byte(`realm="r",nonce="n",qop="auth",algorithm=md5-sess`))
	for name, c := range map[string]struct {
		scheme string
		script script
		want   error
		text   string
	}{
		"digest":                        {Digest, script{{}}, nil, ""},
		"digest is refused":             {Digest, script{{code: -115}}, ErrRefused, "of scheme digest (code -115)"},
		"the connection ends":           {Digest, script{{err: errLost}}, errLost, ""},
		"sasl is refused at once":       {SASL, script{{code: -115}}, ErrRefused, "of scheme sasl (code -115)"},
		"sasl is not known":             {SASL, script{{reply: appendInt(nil, -1)}}, ErrRefused, "fips-mode=false"},
		"no token":                      {SASL, script{{reply: []byte{0, 0}}}, ErrRefused, "its answer has no token"},
		"a token beyond its end":        {SASL, script{{reply: appendInt(nil, 1000)}}, ErrRefused, "its answer has no token"},
		"another mechanism":             {SASL, script{{reply: appendBytes(nil, []byte("hello"))}}, ErrRefused, "none of DIGEST-MD5"},
		"the password is wrong":         {SASL, script{{reply: challenge}, {code: -115}}, ErrRefused, "(code -115)"},
		"it is wrong, and that is fine": {SASL, script{{reply: challenge}, {reply: appendInt(nil, -1)}}, ErrRefused, "does not prove"},
		"it ends before the proof":      {SASL, script{{reply: challenge}, {err: errLost}}, errLost, ""},
	} {
		t.Run(name, func(t *testing.T) {
			err := Show(&c.script, []Credential{{Scheme: c.scheme, Secret: []byte("zkine:marker")}})
			require.ErrorIs(t, err, c.want)
			require.Empty(t, c.script, "calls that were not made")
			if err != nil {
				require.ErrorContains(t, err, c.text)
				require.NotContains(t, err.Error(), "marker")
			}
		})
	}
}

func TestWhoAmI(t *testing.T) {
	ids := func(n int32, texts ...string) []byte {
		reply := appendInt(nil, n)
		for _, text := range texts {
			reply = appendBytes(reply, []byte(text))
		}
		return reply
	}
	for name, c := range map[string]struct {
		script script
		want   []ID
		text   string
	}{
		"two":            {script{{reply: ids(2, "ip", "127.0.0.1", "x509", "CN=zkine,O=Shop")}}, []ID{{"ip", "127.0.0.1"}, {"x509", "CN=zkine,O=Shop"}}, ""},
		"an old server":  {script{{code: codeUnimplemented}}, nil, ""},
		"lost":           {script{{err: errLost}}, nil, "lost"},
		"refused":        {script{{code: -101}}, nil, "code -101"},
		"demanded":       {script{{code: codeDemands}}, nil, "demands authentication by another scheme"},
		"nothing":        {script{{}}, nil, "does not say"},
		"too many":       {script{{reply: ids(1 << 30)}}, nil, "1073741824 identities"},
		"less than none": {script{{reply: ids(-1)}}, nil, "-1 identities"},
		"cut off":        {script{{reply: ids(1, "ip")}}, nil, "cut off"},
		"beyond":         {script{{reply: binary.BigEndian.AppendUint32(ids(1), 9)}}, nil, "cut off"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := WhoAmI(&c.script)
			if c.text != "" {
				require.ErrorContains(t, err, c.text)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
}
