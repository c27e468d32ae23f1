package kube

import (
	"bytes"
	"crypto/rand"
	"errors"
	"strings"
)

// Formats of values, for people.
const (
	FormatProtobuf  = "Kubernetes protobuf"
	FormatJSON      = "Kubernetes JSON"
	FormatPlainJSON = "JSON"
	FormatText      = "text"
	FormatBinary    = "binary"
	FormatEncrypted = "encrypted by Kubernetes"
	FormatHidden    = "not shown"
)

// maxText bounds the text of a Document, in bytes.
const maxText = 1 << 20

// Document is a value, readable. It holds no data of a Secret.
type Document struct {
	// Format is one of the formats above.
	Format string `json:"format"`
	// APIVersion, Kind, Namespace and Name are those of a Kubernetes object, else empty.
	APIVersion string `json:"api_version,omitempty"`
	Kind       string `json:"kind,omitempty"`
	Namespace  string `json:"namespace,omitempty"`
	Name       string `json:"name,omitempty"`
	// Text is YAML or plain text. It is valid UTF-8.
	Text string `json:"text"`
	// YAML says that Text is YAML.
	YAML bool `json:"yaml,omitempty"`
	// Masked counts the data that were taken out.
	Masked int `json:"masked,omitempty"`
	// Truncated says that Text is not all.
	Truncated bool `json:"truncated,omitempty"`
	// Note says what was not understood, for people.
	Note string `json:"note,omitempty"`
}

// Decoder decodes values. It may be used by many goroutines at once. Make it with NewDecoder.
type Decoder struct {
	// secret keys the marks of masked data; see mask.go.
	secret [32]byte
}

// NewDecoder makes a Decoder, whose marks of masked data no other one makes.
func NewDecoder() *Decoder {
	d := &Decoder{}
	_, _ = rand.Read(d.secret[:]) // never fails
	return d
}

// Options say what to show.
type Options struct {
	// ManagedFields has metadata.managedFields shown, which are long.
	ManagedFields bool
}

// errTooLarge says that a value has more parts than are shown.
var errTooLarge = errors.New("it has more parts, or is nested deeper, than the console shows")

var (
	protobufPrefix  = []byte("k8s\x00")
	encryptedPrefix = []byte("k8s:enc:")
)

// Decode makes a value readable. The key says what the value cannot: where the Secrets are, which are not shown as
// long as they are not understood. value is not kept, nor changed.
func (d *Decoder) Decode(key, value []byte, o Options) Document {
	switch {
	case bytes.HasPrefix(value, encryptedPrefix):
		return encrypted(value)
	case bytes.HasPrefix(value, protobufPrefix):
		return d.protobuf(key, value, o)
	case looksLikeJSON(value):
		if tree, err := parseJSON(value); err == nil {
			doc := Document{Format: FormatPlainJSON}
			if object, ok := tree.(map[string]any); ok && isText(object["apiVersion"]) && isText(object["kind"]) {
				doc.Format = FormatJSON
			} else if holdsSecrets(key) {
				return hidden()
			}
			return d.finish(doc, tree, o)
		}
	}
	return unread(key, value)
}

// unread shows a value that was not understood as it is, unless it may be a Secret.
func unread(key, value []byte) Document {
	if MayBeSecret(key, value) {
		return hidden()
	}
	return raw(value)
}

// protobuf decodes what is in Kubernetes' envelope.
func (d *Decoder) protobuf(key, value []byte, o Options) Document {
	e, err := openEnvelope(value)
	switch {
	case err != nil:
		return unread(key, value).noted("the envelope of Kubernetes is damaged: " + err.Error())
	case e.encoding != "":
		return unread(key, value).noted("its content is encoded as " + clip(e.encoding, 64))
	}
	doc := Document{Format: FormatProtobuf, APIVersion: e.apiVersion, Kind: e.kind}
	typ, known := lookup(e.apiVersion, e.kind)
	if !known {
		if holdsSecrets(key) || isSecret(e.kind) {
			return hidden()
		}
		return d.unknownType(doc, e, o)
	}
	tree, err := newReader().message(typ, e.raw)
	if err != nil {
		return unread(key, value).noted("as " + clip(e.apiVersion, 128) + " " + clip(e.kind, 128) + " it cannot be shown: " + err.Error())
	}
	tree["apiVersion"], tree["kind"] = e.apiVersion, e.kind
	return d.finish(doc, tree, o)
}

// unknownType shows a message of a type that the table does not have, by its field numbers.
func (d *Decoder) unknownType(doc Document, e envelope, o Options) Document {
	note := "zkine does not know " + clip(e.apiVersion, 128) + " " + clip(e.kind, 128) + ": fields are shown by their numbers"
	tree, err := newReader().unknown(e.raw)
	if err != nil {
		return raw(e.raw).noted(note + "; " + err.Error())
	}
	tree["apiVersion"], tree["kind"] = e.apiVersion, e.kind
	return d.finish(doc, tree, o).noted(note)
}

// finish masks a tree and writes it down.
func (d *Decoder) finish(doc Document, tree any, o Options) Document {
	doc.Masked = d.mask(tree)
	if object, ok := tree.(map[string]any); ok {
		doc.describe(object)
		if metadata, ok := object["metadata"].(map[string]any); ok && !o.ManagedFields {
			delete(metadata, "managedFields")
		}
	}
	text, err := toYAML(tree)
	if err != nil {
		doc.Note = errTooLarge.Error()
		return doc
	}
	doc.Text, doc.Truncated = cutText(text)
	doc.YAML = true
	return doc
}

// describe takes over what an object says of itself.
func (doc *Document) describe(object map[string]any) {
	doc.APIVersion, _ = object["apiVersion"].(string)
	doc.Kind, _ = object["kind"].(string)
	if metadata, ok := object["metadata"].(map[string]any); ok {
		doc.Namespace, _ = metadata["namespace"].(string)
		doc.Name, _ = metadata["name"].(string)
	}
	for _, field := range []*string{&doc.APIVersion, &doc.Kind, &doc.Namespace, &doc.Name} {
		*field = clip(*field, 256)
	}
}

// hidden stands for a value that may be a Secret's, and was not understood.
func hidden() Document {
	return Document{Format: FormatHidden, Masked: 1, Note: "it may be a Secret, and zkine does not understand it: it is not shown"}
}

// encrypted names the provider that has encrypted a value: k8s:enc:aescbc:v1:name:…
func encrypted(value []byte) Document {
	parts := strings.SplitN(string(value[:min(len(value), 256)]), ":", 6)
	doc := Document{Format: FormatEncrypted, Note: "kube-apiserver has encrypted it (--encryption-provider-config)"}
	if len(parts) >= 5 {
		doc.Note += ": " + clip(parts[2]+" "+parts[3]+", key "+parts[4], 128)
	}
	return doc
}

// noted adds a note, if there is none that weighs more.
func (doc Document) noted(note string) Document {
	if doc.Note == "" {
		doc.Note = note
	}
	return doc
}

func isText(v any) bool { s, ok := v.(string); return ok && s != "" }
