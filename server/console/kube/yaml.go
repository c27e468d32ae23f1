package kube

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// toYAML writes a tree down as kubectl does: two spaces, keys in order.
func toYAML(tree any) (string, error) {
	var out bytes.Buffer
	e := yaml.NewEncoder(&out)
	e.SetIndent(2)
	e.CompactSeqIndent()
	if err := e.Encode(tree); err != nil {
		return "", fmt.Errorf("kube: %w", err)
	}
	if err := e.Close(); err != nil {
		return "", fmt.Errorf("kube: %w", err)
	}
	return out.String(), nil
}

// cutText keeps the first lines of a text that is too long.
func cutText(text string) (string, bool) {
	if len(text) <= maxText {
		return text, false
	}
	text = text[:maxText]
	if end := strings.LastIndexByte(text, '\n'); end > maxText/2 {
		return text[:end+1], true
	}
	return strings.ToValidUTF8(text, ""), true
}

// validText is bytes as text, with what is no UTF-8 replaced.
func validText(raw []byte) string { return strings.ToValidUTF8(string(raw), "\uFFFD") }

// printable says whether bytes are text for people.
func printable(raw []byte) bool {
	if !utf8.Valid(raw) {
		return false
	}
	for _, c := range string(raw) {
		if !unicode.IsPrint(c) && c != '\n' && c != '\t' && c != '\r' {
			return false
		}
	}
	return true
}

// clip cuts a text that clients give.
func clip(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}
