package kube

import "encoding/hex"

// maxDump is how many bytes of a value are shown as hexadecimal numbers; a line has 16.
const maxDump = 16 << 10

// raw shows a value as it is: text, or a dump of its beginning.
func raw(value []byte) Document {
	if printable(value) {
		doc := Document{Format: FormatText}
		doc.Text, doc.Truncated = cutText(string(value))
		return doc
	}
	shown := value[:min(len(value), maxDump)]
	return Document{Format: FormatBinary, Text: hex.Dump(shown), Truncated: len(shown) < len(value)}
}
