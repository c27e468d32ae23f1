package identity

import (
	"fmt"
	"os"
)

// openFile opens a file that is read again at each connection. A pipe is none: to
// open one waits for its writer, and no signal ends that. Errors: those of os, and
// that it is no file.
func openFile(name string) (*os.File, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file, and it is read more than once; write what it holds to one", name)
	}
	return os.Open(name)
}
