package kube

import (
	"strconv"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// Kinds of messages that JSON has another form for.
const (
	KindTime        = "time"        // 1: seconds, 2: nanoseconds; RFC 3339, or null
	KindMicroTime   = "microtime"   // the same, with microseconds
	KindDuration    = "duration"    // 1: nanoseconds; as Go writes them
	KindQuantity    = "quantity"    // 1: text
	KindIntOrString = "intorstring" // 1: which, 2: number, 3: text
	KindRaw         = "raw"         // 1: JSON
	KindList        = "list"        // 1: texts
)

// special is the value of one of these messages.
func (r *reader) special(kind string, raw []byte) (any, error) {
	var numbers [4]int64
	var last []byte
	var list []any
	err := fields(raw, func(n protowire.Number, v wireValue) error {
		if err := r.count(); err != nil {
			return err
		}
		if v.wire != protowire.BytesType {
			if n < protowire.Number(len(numbers)) {
				numbers[n] = int64(v.bits)
			}
			return nil
		}
		last = v.bytes
		if kind == KindList {
			list = append(list, validText(v.bytes))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	switch kind {
	case KindTime, KindMicroTime:
		return timeText(kind, len(raw), numbers[1], numbers[2]), nil
	case KindDuration:
		return time.Duration(numbers[1]).String(), nil
	case KindIntOrString:
		if numbers[1] == 1 {
			return validText(last), nil
		}
		return numbers[2], nil
	case KindRaw:
		return r.embedded(last)
	case KindList:
		return list, nil
	case KindQuantity:
		if last == nil {
			return "0", nil
		}
		return validText(last), nil
	}
	return nil, errDamaged
}

// timeText is a time as Kubernetes writes it; nil for the one that is not set, of which nothing is stored.
func timeText(kind string, stored int, seconds, nanoseconds int64) any {
	if stored == 0 {
		return nil
	}
	t := time.Unix(seconds, nanoseconds).UTC()
	if y := t.Year(); y < 0 || y > 9999 {
		return strconv.FormatInt(seconds, 10) + " s since 1970"
	}
	if kind == KindMicroTime {
		return t.Format("2006-01-02T15:04:05.000000Z07:00")
	}
	return t.Format(time.RFC3339)
}

// embedded is JSON within protobuf: an object of any type.
func (r *reader) embedded(raw []byte) (any, error) {
	if len(raw) == 0 {
		return nil, nil //nolint:nilnil // null is a value
	}
	tree, err := parseJSON(raw)
	switch {
	case err != nil && mentionsSecret(raw):
		return notShown, nil
	case err != nil:
		return validText(raw), nil // as Kubernetes leaves it
	}
	nodes, err := size(tree, r.depth)
	if r.nodes += nodes; err != nil || r.nodes > maxNodes {
		return nil, errTooLarge
	}
	return tree, nil
}
