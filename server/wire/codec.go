package wire

import (
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
)

// Counter counts bytes. Its method is called for each message, by many
// goroutines at once; a Prometheus counter is one.
type Counter interface{ Add(bytes float64) }

// codec turns messages into bytes and back, for gRPC. It is gRPC's own for
// protobuf, but for two things. The responses that lists, watches and writes
// consist of are encoded by hand (see encode.go). And it counts the bytes, as
// etcd's metrics do: a gRPC statistics handler for that alone was a tenth of what
// a small call costs.
type codec struct {
	encoding.CodecV2
	sent, received Counter
}

// NewCodec returns a codec that counts the encoded bytes of messages, without
// gRPC's framing.
func NewCodec(sent, received Counter) encoding.CodecV2 {
	return &codec{CodecV2: encoding.GetCodecV2(proto.Name), sent: sent, received: received}
}

// Marshal encodes v, which it does not change and of which it keeps nothing.
func (c *codec) Marshal(v any) (mem.BufferSlice, error) {
	if m, ok := v.(*Metered); ok {
		data, err := c.Marshal(m.Message)
		if err != nil {
			m.reserved.Release()
			return nil, err
		}
		return m.reserved.meter(data), nil
	}
	data, ok := encode(v)
	if !ok {
		var err error
		if data, err = c.CodecV2.Marshal(v); err != nil {
			return nil, err
		}
	}
	c.sent.Add(float64(data.Len()))
	return data, nil
}

// Unmarshal decodes data into v, which keeps nothing of it.
func (c *codec) Unmarshal(data mem.BufferSlice, v any) error {
	c.received.Add(float64(data.Len()))
	return c.CodecV2.Unmarshal(data, v)
}
