// Command image assembles zkine's container images without a container engine:
//
//	zkine            the program alone, for use with an ensemble; also by the name etcd
//	zkine-zookeeper  with a Java runtime and ZooKeeper besides, for docker run without anything else
//
// Each is written as a file that docker load, podman load, ctr images import and crane push take. Two builds from the
// same files are the same bytes.
//
//	image.go  what is in an image, and how it is run
//	layer.go  files, as a layer
//	java.go   the parts of a Java runtime that ZooKeeper needs, with their libraries
//	main.go   flags
package main
