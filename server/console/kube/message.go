package kube

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

const (
	// maxDepth is how deep messages may be nested. Kubernetes' own are below 20, but for the schemas of custom
	// resources, which are JSON.
	maxDepth = 64
	// maxNodes is how many values a tree may have: some megabytes.
	maxNodes = 200_000
)

// reader makes one tree of a message.
type reader struct{ depth, nodes int }

func newReader() *reader { return &reader{} }

// count takes one more node into account.
func (r *reader) count() error {
	if r.nodes++; r.nodes > maxNodes || r.depth > maxDepth {
		return errTooLarge
	}
	return nil
}

// message is the tree of a message of a type: maps, lists, strings, int64, float64, bool. Errors: errDamaged,
// errTooLarge.
func (r *reader) message(t message, raw []byte) (map[string]any, error) {
	tree := map[string]any{}
	return tree, r.into(tree, t, raw)
}

// into adds the fields of a message to a tree.
func (r *reader) into(tree map[string]any, t message, raw []byte) error {
	r.depth++
	defer func() { r.depth-- }()
	return fields(raw, func(n protowire.Number, v wireValue) error {
		if err := r.count(); err != nil {
			return err
		}
		f, known := t[n]
		if !known {
			return r.addUnknown(tree, n, v)
		}
		return r.add(tree, f, v)
	})
}

func (r *reader) add(tree map[string]any, f Field, v wireValue) error {
	switch {
	case f.Inline && f.Kind == KindMessage:
		if v.wire != protowire.BytesType {
			return errDamaged
		}
		return r.into(tree, table().types[f.Type], v.bytes)
	case f.Map:
		return r.addEntry(tree, f, v)
	case f.Repeated && v.wire == protowire.BytesType && numeric(f.Kind):
		return r.addPacked(tree, f, v.bytes)
	}
	value, err := r.value(f, v)
	switch {
	case err != nil:
		return err
	case f.Repeated:
		list, _ := tree[f.Name].([]any)
		tree[f.Name] = append(list, value)
	case f.OmitZero && zero(value):
	case value != nil:
		tree[f.Name] = value
	}
	return nil
}

// addEntry adds an entry of a map: a message of the key, 1, and the value, 2.
func (r *reader) addEntry(tree map[string]any, f Field, v wireValue) error {
	if v.wire != protowire.BytesType {
		return errDamaged
	}
	entries, ok := tree[f.Name].(map[string]any)
	if !ok {
		entries = map[string]any{}
		tree[f.Name] = entries
	}
	key, of := "", f
	of.Map, of.Inline, of.OmitZero = false, false, false
	value, err := r.value(of, wireValue{wire: wireOf(f.Kind)}) // what is left out is zero
	if err != nil {
		return err
	}
	err = fields(v.bytes, func(n protowire.Number, v wireValue) (err error) {
		switch n {
		case 1:
			key = validText(v.bytes)
		case 2:
			value, err = r.value(of, v)
		}
		return err
	})
	entries[key] = value
	return err
}

// addPacked adds numbers that stand in a row.
func (r *reader) addPacked(tree map[string]any, f Field, packed []byte) error {
	list, _ := tree[f.Name].([]any)
	for len(packed) > 0 {
		n, length := protowire.ConsumeVarint(packed)
		if f.Kind == KindDouble {
			n, length = protowire.ConsumeFixed64(packed)
		}
		if length < 0 {
			return errDamaged
		}
		if err := r.count(); err != nil {
			return err
		}
		packed = packed[length:]
		value, err := r.value(f, wireValue{wire: wireOf(f.Kind), bits: n})
		if err != nil {
			return err
		}
		list = append(list, value)
	}
	tree[f.Name] = list
	return nil
}

func numeric(kind string) bool { return kind == KindInt || kind == KindBool || kind == KindDouble }

// wireOf is how a kind stands in a message.
func wireOf(kind string) protowire.Type {
	switch kind {
	case KindInt, KindBool:
		return protowire.VarintType
	case KindDouble:
		return protowire.Fixed64Type
	}
	return protowire.BytesType
}

// value is one value of a field; nil for one that JSON shows as null.
func (r *reader) value(f Field, v wireValue) (any, error) {
	if v.wire != wireOf(f.Kind) {
		return nil, errDamaged
	}
	switch f.Kind {
	case KindString:
		return validText(v.bytes), nil
	case KindBytes:
		return base64.StdEncoding.EncodeToString(v.bytes), nil
	case KindBool:
		return v.bits != 0, nil
	case KindInt:
		return int64(v.bits), nil
	case KindDouble:
		return math.Float64frombits(v.bits), nil
	case KindMessage:
		return r.message(table().types[f.Type], v.bytes)
	}
	return r.special(f.Kind, v.bytes)
}

// zero says whether JSON would leave a value out.
func zero(value any) bool {
	switch v := value.(type) {
	case string:
		return v == ""
	case int64:
		return v == 0
	case float64:
		return v == 0
	case bool:
		return !v
	case map[string]any:
		return len(v) == 0
	case []any:
		return len(v) == 0
	}
	return value == nil
}

// unknown is the tree of a message of which no type is known: what stands under each number.
func (r *reader) unknown(raw []byte) (map[string]any, error) {
	tree := map[string]any{}
	return tree, r.into(tree, nil, raw)
}

// addUnknown adds a field that the table does not have, under its number: bytes as text if they are some, or else as a
// message if they are one.
func (r *reader) addUnknown(tree map[string]any, n protowire.Number, v wireValue) error {
	name := fmt.Sprintf("field%d", n)
	var value any
	switch {
	case v.wire != protowire.BytesType:
		value = int64(v.bits)
	case printable(v.bytes) && mentionsSecret(v.bytes):
		value = notShown
	case printable(v.bytes):
		value = string(v.bytes)
	default:
		nested, err := r.unknown(v.bytes)
		switch {
		case err == nil:
			value = nested
		case errors.Is(err, errDamaged):
			value = base64.StdEncoding.EncodeToString(v.bytes)
		default:
			return err
		}
	}
	if old, twice := tree[name]; twice {
		list, is := old.([]any)
		if !is {
			list = []any{old}
		}
		list = append(list, value)
		value = list
	}
	tree[name] = value
	return nil
}
