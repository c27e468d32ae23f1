package undelete

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/mvccpb"
)

// keys are written "key=value", apart by spaces; "!" is an error.
func keys(text string) Keys {
	return func(yield func(*mvccpb.KeyValue, error) bool) {
		for pair := range strings.FieldsSeq(text) {
			if pair == "!" {
				yield(nil, errTest)
				return
			}
			key, value, _ := strings.Cut(pair, "=")
			if !yield(&mvccpb.KeyValue{Key: []byte(key), Value: []byte(value)}, nil) {
				return
			}
		}
	}
}

var errTest = errors.New("test")

func TestMerge(t *testing.T) {
	for _, c := range []struct{ then, now, want string }{
		{"", "", ""},
		{"a=1 b=2", "", "a:missing b:missing"},
		{"", "a=1 b=2", "a:new b:new"},
		{"a=1 c=3 d=4 e=", "b=2 c=3 d=5 e= f=6", "a:missing b:new c:same d:differs e:same f:new"},
		{"a=1 ! b=2", "a=1 c=3", "a:same error"},
		{"a=1 b=2", "!", "error"},
	} {
		var got []string
		for p, err := range merge(keys(c.then), keys(c.now)) {
			switch {
			case err != nil:
				require.ErrorIs(t, err, errTest)
				got = append(got, "error")
			case p.then == nil:
				got = append(got, string(p.now.Key)+":new")
			default:
				got = append(got, string(p.then.Key)+":"+string(p.state()))
			}
		}
		require.Equal(t, c.want, strings.Join(got, " "), "%q, %q", c.then, c.now)
	}
}
