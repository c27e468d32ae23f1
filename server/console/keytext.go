package console

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// maxKey bounds a key, in bytes, that the page asks for.
const maxKey = 32 << 10

// keyText is a key as text: what is printable stands for itself, but for %, and each other byte is written as %XX. So
// no key looks like another one, none alters the text around it, and parseKey gets it back.
func keyText(key []byte) string {
	clean := true
	for _, c := range string(key) {
		if c == '%' || c == utf8.RuneError || !unicode.IsPrint(c) {
			clean = false
			break
		}
	}
	if clean {
		return string(key)
	}
	var text strings.Builder
	for len(key) > 0 {
		c, n := utf8.DecodeRune(key)
		if c != '%' && unicode.IsPrint(c) && (c != utf8.RuneError || n > 1) {
			text.Write(key[:n])
		} else {
			for _, b := range key[:n] {
				fmt.Fprintf(&text, "%%%02X", b)
			}
		}
		key = key[n:]
	}
	return text.String()
}

// parseKey is the key of a text. A % that no two hexadecimal digits follow stands for itself, as people write it.
func parseKey(text string) []byte {
	key := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		var b byte
		if text[i] == '%' && i+2 < len(text) {
			if n, err := fmt.Sscanf(text[i+1:i+3], "%02X", &b); n == 1 && err == nil && isHex(text[i+1]) && isHex(text[i+2]) {
				key = append(key, b)
				i += 2
				continue
			}
		}
		key = append(key, text[i])
	}
	return key
}

func isHex(b byte) bool {
	return '0' <= b && b <= '9' || 'A' <= b && b <= 'F' || 'a' <= b && b <= 'f'
}

// keyOf is the key in a parameter of a request.
func keyOf(r *http.Request, name string) ([]byte, error) {
	text := r.URL.Query().Get(name)
	if len(text) > 3*maxKey {
		return nil, refusal{http.StatusBadRequest, "the key is too long"}
	}
	return parseKey(text), nil
}

// startOf is the prefix that a request asks about, and the key to begin at: from, if that is below the prefix.
func startOf(r *http.Request) (prefix, from []byte, err error) {
	if prefix, err = keyOf(r, "prefix"); err != nil {
		return nil, nil, err
	}
	if from, err = keyOf(r, "from"); err != nil {
		return nil, nil, err
	}
	if first := firstKey(prefix); bytes.Compare(from, first) < 0 {
		from = first
	}
	return prefix, from, nil
}

// prefixEnd is the end of the range of keys that begin with a prefix, as etcd's clients write it.
func prefixEnd(prefix []byte) []byte { return []byte(clientv3.GetPrefixRangeEnd(string(prefix))) }

// firstKey is where a range begins: no key is empty.
func firstKey(prefix []byte) []byte {
	if len(prefix) == 0 {
		return []byte{0}
	}
	return prefix
}
