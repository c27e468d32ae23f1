package kube

import (
	"errors"

	"google.golang.org/protobuf/encoding/protowire"
)

// envelope is what Kubernetes stores around protobuf (runtime.Unknown):
//
//	"k8s\0"
//	1: type    1: apiVersion, 2: kind
//	2: raw     the object
//	3: contentEncoding
//	4: contentType
type envelope struct {
	apiVersion, kind string
	encoding         string
	raw              []byte // of the value that was opened
}

var errDamaged = errors.New("it ends in the middle, or is no protobuf")

func openEnvelope(value []byte) (e envelope, err error) {
	err = fields(value[len(protobufPrefix):], func(n protowire.Number, v wireValue) error {
		switch {
		case v.wire != protowire.BytesType:
		case n == 1:
			return fields(v.bytes, func(n protowire.Number, v wireValue) error {
				switch {
				case v.wire != protowire.BytesType:
				case n == 1:
					e.apiVersion = validText(v.bytes)
				case n == 2:
					e.kind = validText(v.bytes)
				}
				return nil
			})
		case n == 2:
			e.raw = v.bytes
		case n == 3:
			e.encoding = validText(v.bytes)
		}
		return nil
	})
	return e, err
}

// wireValue is a field's value as it stands in a message.
type wireValue struct {
	wire  protowire.Type
	bytes []byte // of BytesType; shared
	bits  uint64 // of the others
}

// fields calls each with the fields of a message in order. Errors: errDamaged; those of each.
func fields(message []byte, each func(protowire.Number, wireValue) error) error {
	for len(message) > 0 {
		number, wire, n := protowire.ConsumeTag(message)
		if n < 0 {
			return errDamaged
		}
		message = message[n:]
		v := wireValue{wire: wire}
		switch wire {
		case protowire.BytesType:
			v.bytes, n = protowire.ConsumeBytes(message)
		case protowire.VarintType:
			v.bits, n = protowire.ConsumeVarint(message)
		case protowire.Fixed64Type:
			v.bits, n = protowire.ConsumeFixed64(message)
		case protowire.Fixed32Type:
			var bits uint32
			bits, n = protowire.ConsumeFixed32(message)
			v.bits = uint64(bits)
		default: // groups, which no Kubernetes has
			return errDamaged
		}
		if n < 0 {
			return errDamaged
		}
		message = message[n:]
		if err := each(number, v); err != nil {
			return err
		}
	}
	return nil
}
