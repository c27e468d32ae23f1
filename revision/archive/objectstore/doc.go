// Package objectstore keeps the objects of an archive: in a folder, in a bucket of an
// object store that speaks S3, or in one file. Open finds out which by a URL.
//
// It imports archive, whose Store it satisfies, and durable. What talks to S3 is in one
// file.
package objectstore
