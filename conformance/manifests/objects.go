package manifests

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"go.yaml.in/yaml/v3"
)

// Object is one of Kubernetes', as YAML gives it.
type Object = map[string]any

// Parse reads the objects of a YAML text by "Kind/name". An object without either, or twice the same, is an error.
func Parse(text []byte) (map[string]Object, error) {
	all := map[string]Object{}
	for decoder := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var o Object
		err := decoder.Decode(&o)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		if o == nil {
			continue
		}
		kind, name := At(o, "kind"), At(o, "metadata", "name")
		if kind == nil || name == nil {
			return nil, fmt.Errorf("an object without kind or name: %v", o)
		}
		key := fmt.Sprint(kind, "/", name)
		if all[key] != nil {
			return nil, fmt.Errorf("%s is there twice", key)
		}
		all[key] = o
	}
}

// At is what a path of names and numbers leads to, nil if there is nothing.
func At(from any, path ...any) any {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			o, _ := from.(Object)
			from = o[step]
		case int:
			list, _ := from.([]any)
			if step >= len(list) {
				return nil
			}
			from = list[step]
		}
	}
	return from
}

// List is what a path leads to, as a list; nothing is an empty one.
func List(from any, path ...any) []any {
	list, _ := At(from, path...).([]any)
	return list
}
