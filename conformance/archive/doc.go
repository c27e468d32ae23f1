// Package archive proves what zkine keeps outside of ZooKeeper: on a real server of S3,
// that refuses, is busy, hangs up, or is not there; and on a disk that fills.
package archive
