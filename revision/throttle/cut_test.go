package throttle

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestCut(t *testing.T) {
	long := strings.Repeat("x", MaxText)
	for text, want := range map[string]string{
		"":                             "",
		"short":                        "short",
		long:                           long,
		long + "y":                     long + "...",
		long[1:] + "é":                 long[1:] + "...", // not half a letter
		long[3:] + "𝄞!":                long[3:] + "...",
		strings.Repeat("\xff", 2*128):  strings.Repeat("\xff", 128) + "...",
		strings.Repeat("\x80", 1<<20):  strings.Repeat("\x80", 128) + "...",
		strings.Repeat("é", MaxText/2): strings.Repeat("é", MaxText/2),
	} {
		require.Equal(t, want, Cut(text))
		require.Equal(t, want, Cut([]byte(text)))
	}
}

func FuzzCut(f *testing.F) {
	f.Add(strings.Repeat("é", MaxText))
	f.Fuzz(func(t *testing.T, text string) {
		got := Cut(text)
		require.LessOrEqual(t, len(got), MaxText+3)
		head := strings.TrimSuffix(got, "...")
		require.True(t, strings.HasPrefix(text, head))
		if utf8.ValidString(text) {
			require.True(t, utf8.ValidString(got))
		}
	})
}
