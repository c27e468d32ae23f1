// Package progress shows how far a transfer of keys has come: as a bar on a
// terminal, with a line now and then elsewhere.
//
//	bar := progress.New(stderr, "copying")
//	defer bar.Done()
//	bar.Total(keys, bytes)
//	bar.Add(1, size)
//
// The bar itself is github.com/cheggaaa/pb's; golang.org/x/term says what is a
// terminal, and how wide.
package progress
