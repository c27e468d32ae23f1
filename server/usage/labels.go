package usage

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxLabel bounds each text that is kept of a client, in bytes.
const maxLabel = 128

// label makes a text of a client's choice one that can be shown: of at most most bytes,
// on one line, without control characters or broken UTF-8.
func label(s string, most int) string {
	const left = "…"
	plain := true
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' {
			plain = false
			break
		}
	}
	if plain && len(s) <= most {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			r = '?'
		}
		if b.Len()+utf8.RuneLen(r) > most-len(left) && i+utf8.RuneLen(r) < len(s) {
			b.WriteString(left)
			break
		}
		b.WriteRune(r)
	}
	return b.String()
}
