package secrets

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"index/suffixarray"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// marker is a secret of which what is found in any place can only come from here.
type marker struct {
	class string
	// parts are pieces of it; one is enough to find it, should the rest have been cut off.
	parts []string
}

const partLength = 16

// newMarker draws a secret. Its text has 33 letters and digits, and so fits where passwords do.
func newMarker(class string) (marker, string) {
	text := "m" + hex.EncodeToString(random(partLength))
	return markerOf(class, text), text
}

// markerOf makes a marker of a text that is secret already, such as a token.
func markerOf(class, text string) marker {
	m := marker{class: class}
	for at := 1; at+partLength <= len(text); at += partLength {
		m.parts = append(m.parts, text[at:at+partLength])
	}
	return m
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// needles are the forms in which programs print bytes.
func needles(part string) [][]byte {
	raw := []byte(part)
	forms := [][]byte{raw, []byte(strings.ToUpper(part)), []byte(hex.EncodeToString(raw)), []byte(strings.ToUpper(hex.EncodeToString(raw)))}
	wide := make([]byte, 0, 2*len(raw)) // UTF-16, as Java has it in memory
	for _, b := range raw {
		wide = append(wide, b, 0)
	}
	decimal := fmt.Sprint(raw)
	decimal = strings.Trim(decimal, "[]")
	forms = append(forms, wide, []byte(decimal), []byte(strings.ReplaceAll(decimal, " ", ", ")))
	for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		// Within a longer text, at each of three places that it may begin at. What depends on the neighbours is cut off.
		for before := range 3 {
			coded := e.EncodeToString(append(make([]byte, before), raw...))
			from, to := (before*8+5)/6, (before+len(raw))*8/6
			forms = append(forms, []byte(coded[from:to]))
		}
	}
	return forms
}

// index is a text that is searched many times.
func index(text []byte) *suffixarray.Index { return suffixarray.New(text) }

// in returns what surrounds the marker in a text; "" if it is not there.
func (m marker) in(text *suffixarray.Index) string {
	for _, part := range m.parts {
		for _, needle := range needles(part) {
			if found := text.Lookup(needle, 1); len(found) > 0 {
				all, at := text.Bytes(), found[0]
				return fmt.Sprintf("%q", all[max(0, at-200):min(len(all), at+len(needle)+100)])
			}
		}
	}
	return ""
}

// TestMarkersAreFound has the search find what it is for.
func TestMarkersAreFound(t *testing.T) {
	m, text := newMarker("any")
	require.Len(t, m.parts, 2)
	wide := ""
	for _, r := range text {
		wide += string(r) + "\x00"
	}
	for _, told := range []string{
		text, "key=" + text[:20] + "...", text[10:], strings.ToUpper(text), hex.EncodeToString([]byte(text)),
		fmt.Sprint([]byte(text)), fmt.Sprintf("%#v", text), fmt.Sprintf("%q", "\n"+text), wide,
		fmt.Sprintf("%X", "in"+text), base64.StdEncoding.EncodeToString([]byte(text)),
		base64.StdEncoding.EncodeToString([]byte("user:" + text + "!")), base64.URLEncoding.EncodeToString([]byte("???" + text)),
		base64.StdEncoding.EncodeToString([]byte("1" + text)), base64.StdEncoding.EncodeToString([]byte("12" + text + "34")),
	} {
		require.NotEmpty(t, m.in(index([]byte("before "+told+" after"))), told)
	}
	_, other := newMarker("any")
	require.Empty(t, m.in(index([]byte(other))))
}
