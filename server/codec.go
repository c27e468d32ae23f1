package server

import (
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
)

// codec turns messages into bytes and back, for gRPC. It is gRPC's own for
// protobuf, but for two things: the responses that lists, watches and writes
// consist of are encoded by hand (see encode.go); and it counts the bytes, as
// etcd's does, which is much cheaper than a gRPC statistics handler: that one
// alone was a tenth of what a small call costs.
type codec struct {
	encoding.CodecV2
	traffic *traffic
}

func newCodec(t *traffic) encoding.CodecV2 {
	return &codec{CodecV2: encoding.GetCodecV2(proto.Name), traffic: t}
}

// Marshal encodes v, which it does not change and of which it keeps nothing.
func (c *codec) Marshal(v any) (mem.BufferSlice, error) {
	data, ok := encode(v)
	if !ok {
		var err error
		if data, err = c.CodecV2.Marshal(v); err != nil {
			return nil, err
		}
	}
	c.traffic.sent.Add(float64(data.Len()))
	return data, nil
}

// Unmarshal decodes data into v, which keeps nothing of it.
func (c *codec) Unmarshal(data mem.BufferSlice, v any) error {
	c.traffic.received.Add(float64(data.Len()))
	return c.CodecV2.Unmarshal(data, v)
}
