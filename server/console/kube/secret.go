package kube

import (
	"bytes"
	"slices"
	"strings"
)

// MayBeSecret says whether a value is a Secret or holds one, or may, as far as that shows without decoding it: it lies
// where Kubernetes keeps Secrets, or names their kind. It is never wrong about what Kubernetes wrote; what merely
// names the kind, such as a reference to a Secret, counts as one as well.
func MayBeSecret(key, value []byte) bool { return holdsSecrets(key) || mentionsSecret(value) }

// holdsSecrets says whether Kubernetes keeps Secrets under the key.
func holdsSecrets(key []byte) bool { return strings.Contains("/"+string(key)+"/", "/secrets/") }

// secretMarks stand in Secrets: in JSON, in YAML and in protobuf.
var secretMarks = [][]byte{[]byte(`"Secret"`), []byte(`"SecretList"`), []byte("kind: Secret"), []byte("kind: 'Secret"), []byte("\x06Secret"), []byte("\x0aSecretList")}

// mentionsSecret says whether a value, or a part of one, may hold a Secret.
func mentionsSecret(value []byte) bool {
	return slices.ContainsFunc(secretMarks, func(m []byte) bool { return bytes.Contains(value, m) })
}

// isSecret says whether objects of a kind are Secrets, of whatever group.
func isSecret(kind string) bool { return kind == "Secret" || kind == "SecretList" }

// notShown stands, within an object, for what was not understood and may hold a Secret.
const notShown = "<not shown: it may be a Secret>"
