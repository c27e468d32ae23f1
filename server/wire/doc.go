// Package wire is the gRPC codec of the server: it encodes the responses that
// matter by hand, byte for byte as protobuf does (encode.go, encode_list.go), into
// buffers from pools (buffers.go), counts what is sent and received
// (codec.go), and bounds what waits for clients that do not read (sending.go).
//
// It may import etcd's API messages, gRPC's encoding and buffers, and protobuf;
// nothing of zkine.
package wire
