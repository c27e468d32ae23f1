package kube

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
)

// password is in the sample of a Secret, in its data and in an annotation.
const password = "correct-horse-battery-staple"

func sample(t testing.TB, name string) []byte {
	t.Helper()
	value, err := os.ReadFile(filepath.Join("testdata", name+".pb"))
	require.NoError(t, err)
	return value
}

func decode(key string, value []byte) Document {
	return NewDecoder().Decode([]byte(key), value, Options{})
}

func TestPod(t *testing.T) {
	doc := decode("/registry/pods/shop/web-0", sample(t, "pod"))
	require.Equal(t, FormatProtobuf, doc.Format)
	require.Equal(t, []string{"v1", "Pod", "shop", "web-0"}, []string{doc.APIVersion, doc.Kind, doc.Namespace, doc.Name})
	require.Contains(t, doc.Text, "    resources:\n      requests:\n        cpu: 250m\n        memory: 128Mi\n")
	require.Contains(t, doc.Text, "port: http\n")
	require.NotContains(t, doc.Text, "managedFields")
	require.Zero(t, doc.Masked)
	doc = NewDecoder().Decode(nil, sample(t, "pod"), Options{ManagedFields: true})
	require.Contains(t, doc.Text, "managedFields:")
	require.Contains(t, doc.Text, "f:app.kubernetes.io/name: {}")
}

func TestLease(t *testing.T) {
	require.Contains(t, decode("x", sample(t, "lease")).Text, `renewTime: "2026-11-28T12:03:00.123456Z"`)
}

func secretJSON(more string) string {
	return `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"db","annotations":{"` + "kubectl.kubernetes.io/last-applied-configuration" + `":"{` + password + `","long":"` + strings.Repeat(password, 9) + `"}},"data":{"p":"` + password + `"},"stringData":{"q":"` + password + `"}` + more + `}`
}

func TestMayBeSecret(t *testing.T) {
	for _, c := range []struct {
		key, value string
		may        bool
	}{
		{key: "/registry/secrets/shop/db", may: true},
		{key: "/registry/secrets", may: true},
		{key: "secrets/db", may: true},
		{key: "/registry/configmaps/shop/secrets-of-the-sea"},
		{key: "/a", value: `{"kind":"Secret"}`, may: true},
		{key: "/a", value: "{\"kind\" :\n\"SecretList\"}", may: true},
		{key: "/a", value: `{"kind":"ExternalSecret"}`},
		{key: "/a", value: "kind: Secret\n", may: true},
		{key: "/a", value: "kind: Pod\n"},
		{key: "/a", value: string(sample(t, "secret")), may: true},
		{key: "/a", value: string(sample(t, "configmap"))},
	} {
		require.Equal(t, c.may, MayBeSecret([]byte(c.key), []byte(c.value)), "%s %q", c.key, c.value)
	}
}

// No form of a Secret, whole or damaged, shows its data.
func TestSecretsAreMasked(t *testing.T) {
	whole := sample(t, "secret")
	forms := map[string][]byte{
		"protobuf":                 whole,
		"json":                     []byte(secretJSON("")),
		"json with unknown fields": []byte(secretJSON(`,"dat":"` + password + `"`)),
		"in a list":                []byte(`{"apiVersion":"v1","kind":"List","items":[` + secretJSON("") + `]}`),
		"data that is no map":      []byte(`{"apiVersion":"v1","kind":"Secret","data":["` + password + `"]}`),
		"damaged json":             []byte(secretJSON("")[:100] + password),
		"json after json":          []byte(secretJSON("") + secretJSON("")),
		"yaml":                     []byte("kind: Secret\ndata:\n  p: " + password),
		"yaml in quotes":           []byte("kind: 'Secret'\ndata:\n  p: " + password),
		"damaged list":             []byte(`{"kind":"SecretList","items":[{"data":{"p":"` + password),
		"deep":                     []byte(`{"kind":"Secret","data":` + strings.Repeat(`{"a":`, 100) + `"` + password + `"` + strings.Repeat("}", 101)),
	}
	for i := range whole {
		forms[fmt.Sprintf("cut at %d", i)] = whole[:i]
	}
	for i := len(protobufPrefix); i < len(whole); i += 2 {
		altered := bytes.Clone(whole)
		altered[i] ^= 0x55
		forms[fmt.Sprintf("altered at %d", i)] = altered
	}
	encoded := envelopeOf("v1", "Secret", []byte(password))
	forms["no protobuf inside"] = encoded
	forms["newer version"] = envelopeOf("v2", "Secret", []byte(password))
	forms["encoded"] = protowire.AppendString(protowire.AppendTag(bytes.Clone(encoded), 3, protowire.BytesType), "gzip")
	for name, value := range forms {
		for _, key := range []string{"/registry/secrets/shop/db", "/k8s/secrets", "secrets/x"} {
			text, err := json.Marshal(decode(key, value))
			require.NoError(t, err)
			require.NotContains(t, string(text), password, "%s under %s", name, key)
			require.NotContains(t, string(text), "Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5LXN0YXBsZQ", "%s under %s", name, key)
		}
		if strings.HasPrefix(name, "altered") || strings.HasPrefix(name, "cut") {
			continue // elsewhere it may have stopped to be a Secret
		}
		text, err := json.Marshal(decode("/copies/db", value))
		require.NoError(t, err)
		require.NotContains(t, string(text), password, name)
	}
	field := func(n protowire.Number, value []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, n, protowire.BytesType), value)
	}
	inside := field(2, []byte(secretJSON("")))
	require.NotContains(t, decode("/x", envelopeOf("x/v1", "X", inside)).Text, password, "in a type that is not known")
	for _, raw := range [][]byte{whole, []byte(secretJSON("")[:150] + password)} {
		revision := envelopeOf("apps/v1", "ControllerRevision", field(2, field(1, raw)))
		text := decode("/x", revision).Text
		require.Contains(t, text, notShown)
		require.NotContains(t, text, password, "in what should be JSON")
	}
	doc := decode("/registry/secrets/shop/db", whole)
	require.Equal(t, 3, doc.Masked)
	require.Contains(t, doc.Text, "password: '<masked: 28 bytes, mark ")
	require.Contains(t, doc.Text, `short: "yes"`)
}

// Equal data have equal marks, of one decoder.
func TestMarks(t *testing.T) {
	d := NewDecoder()
	require.Equal(t, d.marked("a"), d.marked("a"))
	require.NotEqual(t, d.marked("a"), d.marked("b"))
	require.NotEqual(t, d.marked("a"), NewDecoder().marked("a"))
}

// envelopeOf is what Kubernetes stores.
func envelopeOf(apiVersion, kind string, raw []byte) []byte {
	typ := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), apiVersion)
	typ = protowire.AppendString(protowire.AppendTag(typ, 2, protowire.BytesType), kind)
	value := protowire.AppendBytes(protowire.AppendTag(bytes.Clone(protobufPrefix), 1, protowire.BytesType), typ)
	return protowire.AppendBytes(protowire.AppendTag(value, 2, protowire.BytesType), raw)
}

func TestUnknownTypesAndFields(t *testing.T) {
	inner := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), "web")
	raw := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), inner)
	raw = protowire.AppendVarint(protowire.AppendTag(raw, 900, protowire.VarintType), 7)
	raw = protowire.AppendVarint(protowire.AppendTag(raw, 900, protowire.VarintType), 8)
	doc := decode("/registry/x", envelopeOf("new.example/v9", "Thing", raw))
	require.Contains(t, doc.Note, "does not know new.example/v9 Thing")
	require.Contains(t, doc.Text, "field900:\n- 7\n- 8\n")

	doc = decode("/registry/x", envelopeOf("v1", "ConfigMap", raw))
	require.Empty(t, doc.Note)
	require.Contains(t, doc.Text, "name: web")
	require.Contains(t, doc.Text, "field900:")
}

func TestOtherFormats(t *testing.T) {
	for _, c := range []struct{ value, format, text string }{
		{"", FormatText, ""},
		{"hello\nworld", FormatText, "hello\nworld"},
		{`{"a":[1,2.5,12345678901234567890,null,"x"]}`, FormatPlainJSON, "a:\n- 1\n- 2.5\n- 1.2345678901234567e+19\n- null\n- x\n"},
		{`{"apiVersion":"e.example/v1","kind":"CronTab","metadata":{"name":"nightly"}}`, FormatJSON, "apiVersion: e.example/v1\nkind: CronTab\nmetadata:\n  name: nightly\n"},
		{`{"cut`, FormatText, `{"cut`},
		{"\x00\x01", FormatBinary, "00000000  00 01                                             |..|\n"},
		{"k8s:enc:aescbc:v1:key1:\x01\x02", FormatEncrypted, ""},
		{"text \u202e turned", FormatBinary, "00000000  74 65 78 74 20 e2 80 ae  20 74 75 72 6e 65 64     |text ... turned|\n"},
	} {
		doc := decode("/a", []byte(c.value))
		require.Equal(t, c.format, doc.Format, c.value)
		require.Equal(t, c.text, doc.Text, c.value)
	}
	require.Contains(t, decode("/a", []byte("k8s:enc:aescbc:v1:key1:\x01\x02")).Note, "aescbc v1, key key1")
}

// What is large is cut, and what would be made larger is given up.
func TestBounds(t *testing.T) {
	doc := decode("/a", bytes.Repeat([]byte("line\n"), 1<<20))
	require.True(t, doc.Truncated)
	require.LessOrEqual(t, len(doc.Text), maxText)
	require.True(t, decode("/a", bytes.Repeat([]byte{0}, 1<<20)).Truncated)

	many := bytes.Repeat(protowire.AppendBytes(protowire.AppendTag(nil, 5, protowire.BytesType), nil), maxNodes+1)
	require.Contains(t, decode("/a", envelopeOf("v1", "Pod", many)).Note, errTooLarge.Error())
	deep := []byte{}
	for range 2 * maxDepth {
		deep = protowire.AppendBytes(protowire.AppendTag(nil, 5, protowire.BytesType), deep)
	}
	require.Contains(t, decode("/a", envelopeOf("x/v1", "X", deep)).Note, errTooLarge.Error())
	nested := strings.Repeat("[", 5000) + strings.Repeat("]", 5000)
	require.Equal(t, FormatText, decode("/a", []byte(nested)).Format)
}

// FuzzDecode has any value be text for a page, and within bounds.
func FuzzDecode(f *testing.F) {
	for _, name := range []string{"pod", "secret", "configmap", "deployment", "lease"} {
		f.Add([]byte("/registry/x"), sample(f, name))
	}
	f.Add([]byte("/registry/secrets/x"), []byte(secretJSON("")))
	d := NewDecoder()
	f.Fuzz(func(t *testing.T, key, value []byte) {
		doc := d.Decode(key, value, Options{})
		for _, text := range []string{doc.Text, doc.Note, doc.Kind, doc.Name} {
			if !utf8.ValidString(text) || len(text) > maxText {
				t.Fatalf("%d bytes: %.100q", len(text), text)
			}
		}
	})
}
