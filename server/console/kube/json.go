package kube

import (
	"bytes"
	"encoding/json"
	"io"
	"strconv"
)

// looksLikeJSON says whether it makes sense to try.
func looksLikeJSON(value []byte) bool {
	value = bytes.TrimLeft(value, " \t\r\n")
	return len(value) > 0 && (value[0] == '{' || value[0] == '[')
}

// parseJSON makes a tree of JSON: as reader.message's, with nil for null. Errors: encoding/json's; errTooLarge.
func parseJSON(value []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(value))
	d.UseNumber()
	var tree any
	if err := d.Decode(&tree); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errDamaged
	}
	if _, err := size(tree, 0); err != nil {
		return nil, err
	}
	return numbers(tree), nil
}

// size counts the values of a tree. Error: errTooLarge.
func size(tree any, depth int) (nodes int, err error) {
	if depth > maxDepth {
		return 0, errTooLarge
	}
	nodes = 1
	add := func(child any) bool {
		n, err2 := size(child, depth+1)
		nodes += n
		if err = err2; err == nil && nodes > maxNodes {
			err = errTooLarge
		}
		return err == nil
	}
	switch t := tree.(type) {
	case map[string]any:
		for _, child := range t {
			if !add(child) {
				break
			}
		}
	case []any:
		for _, child := range t {
			if !add(child) {
				break
			}
		}
	}
	return nodes, err
}

// numbers replaces the texts of numbers by numbers. One that neither int64 nor float64 holds stays as it is written.
func numbers(tree any) any {
	switch t := tree.(type) {
	case map[string]any:
		for k, child := range t {
			t[k] = numbers(child)
		}
	case []any:
		for i, child := range t {
			t[i] = numbers(child)
		}
	case json.Number:
		if n, err := t.Int64(); err == nil {
			return n
		}
		if n, err := t.Float64(); err == nil && strconv.FormatFloat(n, 'g', -1, 64) != "" {
			return n
		}
		return t.String()
	}
	return tree
}
