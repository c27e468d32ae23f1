package listener

// Speaks is what a Mux serves.
type Speaks int

// GRPCAndHTTP is etcd's default. The others are for URLs of which some serve HTTP
// alone, and then the rest gRPC alone.
const (
	GRPCAndHTTP Speaks = iota
	GRPCOnly
	HTTPOnly
)

// String is etcd's word for it.
func (s Speaks) String() string {
	return [...]string{GRPCAndHTTP: "grpc+http", GRPCOnly: "grpc", HTTPOnly: "http"}[s]
}
