// Package gateway is the JSON gateway: etcd's API over HTTP and over websockets, with
// the same library and options as etcd's (embed/serve.go), so that forms and errors
// are the same. It is a client of the gRPC API, and knows nothing of the store.
//
// A client's JSON is read before anybody knows who sends it, so every message of it is
// bounded before memory is taken: message.go. Websockets are websocket.go, since etcd's
// proxy for them reads messages of any size.
//
// # Imports
//
// grpc-gateway, gorilla/websocket, etcd's API messages and errors. Nothing of zkine.
package gateway
