package kube

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"regexp"
)

// harmless are the texts of a Secret's metadata, and its type, that are shown: short ones without what an object or an
// encoding has. Tools keep whole objects in annotations: kubectl's last-applied-configuration is one of many.
var harmless = regexp.MustCompile(`^[\w./:+ -]{0,64}$`)

// aName is what a label or an annotation may be called.
var aName = regexp.MustCompile(`^[\w./-]{1,320}$`)

// mask replaces the data of each Secret in a tree, however deep, and returns how many data that were. Each is replaced
// by its length and a mark: equal data of one process have equal marks, so that a change shows, and a mark says nothing
// else.
func (d *Decoder) mask(tree any) (masked int) {
	switch t := tree.(type) {
	case []any:
		for _, child := range t {
			masked += d.mask(child)
		}
	case map[string]any:
		if kind, _ := t["kind"].(string); isSecret(kind) {
			masked += d.maskSecret(t)
		}
		for _, child := range t {
			masked += d.mask(child)
		}
	}
	return masked
}

func (d *Decoder) maskSecret(object map[string]any) (masked int) {
	masked += d.maskField(object, "data", true) + d.maskField(object, "stringData", false)
	if metadata, ok := object["metadata"].(map[string]any); ok {
		managed := metadata["managedFields"] // the names of fields
		delete(metadata, "managedFields")
		masked += d.maskTexts(metadata)
		if managed != nil {
			metadata["managedFields"] = managed
		}
	}
	if text, isText := object["type"].(string); !isText || !harmless.MatchString(text) {
		masked += d.maskField(object, "type", false)
	}
	// What is not known of a Secret may be data, too.
	for name := range object {
		switch name {
		case "apiVersion", "kind", "metadata", "type", "immutable", "data", "stringData", "items":
		default:
			masked += d.maskField(object, name, false)
		}
	}
	return masked
}

// maskTexts masks what is not harmless in a tree.
func (d *Decoder) maskTexts(tree map[string]any) (masked int) {
	for name, value := range tree {
		switch v := value.(type) {
		case map[string]any:
			masked += d.maskTexts(v)
		case []any:
			for _, child := range v {
				if object, ok := child.(map[string]any); ok {
					masked += d.maskTexts(object)
				} else if !harmless.MatchString(fmt.Sprint(child)) {
					tree[name] = d.marked(fmt.Sprint(v))
					masked++
					break
				}
			}
		case string:
			if !harmless.MatchString(v) {
				tree[name] = d.marked(v)
				masked++
			}
		}
		if !aName.MatchString(name) {
			delete(tree, name)
			masked++
		}
	}
	return masked
}

// maskField masks a field that holds a map of data, or anything else.
func (d *Decoder) maskField(object map[string]any, name string, encoded bool) (masked int) {
	value, there := object[name]
	if !there || value == nil {
		return 0
	}
	data, isMap := value.(map[string]any)
	if !isMap {
		object[name] = d.marked(fmt.Sprint(value))
		return 1
	}
	for key, value := range data {
		text := fmt.Sprint(value)
		if encoded {
			if bytes, err := base64.StdEncoding.DecodeString(text); err == nil {
				text = string(bytes)
			}
		}
		data[key] = d.marked(text)
	}
	return len(data)
}

// marked stands for data.
func (d *Decoder) marked(data string) string {
	h := hmac.New(sha256.New, d.secret[:])
	h.Write([]byte(data))
	return fmt.Sprintf("<masked: %d bytes, mark %x>", len(data), h.Sum(nil)[:4])
}
