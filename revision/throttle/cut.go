package throttle

import "unicode/utf8"

// MaxText is how many bytes of a text that a client has given go into a log.
const MaxText = 128

// Cut is text, or its first MaxText bytes and three dots: clients may give texts as
// large as a request.
func Cut[T ~string | ~[]byte](text T) string {
	if len(text) <= MaxText {
		return string(text)
	}
	head := string(text[:MaxText])
	// Not within a rune, unless it is none.
	if i := len(head) - 1; !utf8.ValidString(head) {
		for i > MaxText-utf8.UTFMax && !utf8.RuneStart(head[i]) {
			i--
		}
		if utf8.ValidString(head[:i]) {
			head = head[:i]
		}
	}
	return head + "..."
}
