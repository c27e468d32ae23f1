package logprint

import (
	"bytes"
	"slices"
	"strings"
)

// secret says whether a value is one of Kubernetes' Secrets, or may be: by its key,
// which has the resource as a part, or by what it says that it is, as protobuf or as
// JSON.
func secret(key, value []byte) bool {
	if slices.Contains(strings.Split(string(key), "/"), "secrets") {
		return true
	}
	// Protobuf has the magic number, and a TypeMeta right behind it: field 1, the API's
	// version, and 2, the kind.
	if rest, is := bytes.CutPrefix(value, []byte("k8s\x00")); is {
		return bytes.Contains(rest[:min(len(rest), headBytes)], []byte("\x12\x06Secret"))
	}
	return jsonSecret(value)
}

// headBytes is within how many bytes of protobuf the kind stands.
const headBytes = 512

// jsonSecret looks for "kind":"Secret" anywhere: the order of fields is the writer's,
// and lists hold objects.
func jsonSecret(value []byte) bool {
	for rest := value; ; {
		_, after, found := bytes.Cut(rest, []byte(`"kind"`))
		if !found {
			return false
		}
		text := bytes.TrimLeft(after, " \t\r\n:")
		if bytes.HasPrefix(text, []byte(`"Secret"`)) || bytes.HasPrefix(text, []byte(`"SecretList"`)) {
			return true
		}
		rest = after
	}
}
