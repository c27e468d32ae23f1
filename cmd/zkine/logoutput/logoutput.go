// Package logoutput opens what a log is written to: stdout, stderr, files, and
// files that are rotated. Names and values are etcd's.
package logoutput

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"gopkg.in/natefinch/lumberjack.v2"
)

// The outputs that are no files. Default is Stderr.
const (
	Default = "default"
	Stderr  = "stderr"
	Stdout  = "stdout"
	// journal is etcd's word for a connection to systemd's journal.
	journal = "systemd/journal"
)

// DefaultRotation is etcd's: at 100 MB a file is set aside, and none is deleted.
const DefaultRotation = `{"maxsize": 100, "maxage": 0, "maxbackups": 0, "localtime": false, "compress": false}`

// Config says where a log goes. Its zero value is stderr alone.
type Config struct {
	// Outputs are Default, Stderr, Stdout or files, each once. A file is appended to,
	// and made, for its owner alone, if it is not there.
	Outputs []string
	// Rotate has the one file among them rotated, as Rotation says: a JSON object with
	// maxsize in MB, maxage in days, maxbackups, localtime and compress.
	Rotate   bool
	Rotation string
}

// Check says what cannot be. The flag that is to be changed comes with it.
func (c Config) Check() (flag string, err error) {
	const outputs = "log-outputs"
	files := 0
	for i, name := range c.Outputs {
		switch {
		case name == "":
			return outputs, errors.New("an output without a name; write stderr, stdout or a file")
		case name == journal:
			return outputs, errors.New("zkine does not speak to the journal itself; write stderr, which systemd hands to it")
		case slices.Contains(c.Outputs[:i], name):
			return outputs, fmt.Errorf("%s is named twice; name it once", name)
		case isFile(name):
			files++
		}
	}
	if !c.Rotate {
		return "", nil
	}
	if files != 1 {
		return outputs, fmt.Errorf("%d files are to be rotated; name one, or leave out --enable-log-rotation", files)
	}
	if _, err := c.rotation(); err != nil {
		return "log-rotation-config-json", fmt.Errorf("%w; write it like %s", err, DefaultRotation)
	}
	return "", nil
}

func isFile(name string) bool { return name != Default && name != Stderr && name != Stdout }

// rotation reads Rotation.
func (c Config) rotation() (*lumberjack.Logger, error) {
	d := json.NewDecoder(strings.NewReader(c.Rotation))
	d.DisallowUnknownFields()
	var r lumberjack.Logger
	if err := d.Decode(&r); err != nil {
		return nil, err
	}
	if d.More() {
		return nil, errors.New("there is something after its end")
	}
	if r.Filename != "" {
		return nil, errors.New("the file is named by --log-outputs")
	}
	if r.MaxSize < 0 || r.MaxAge < 0 || r.MaxBackups < 0 {
		return nil, errors.New("a number is negative")
	}
	return &r, nil
}

// Open opens the outputs. stderr and stdout stand for those of the process. Files
// stay open until the process ends. It expects that Check has found nothing.
func (c Config) Open(stderr, stdout io.Writer) (io.Writer, error) {
	var all fanOut
	for _, name := range c.Outputs {
		switch name {
		case Default, Stderr:
			all = append(all, stderr)
		case Stdout:
			all = append(all, stdout)
		default:
			file, err := c.file(name)
			if err != nil {
				return nil, err
			}
			all = append(all, file)
		}
	}
	switch len(all) {
	case 0:
		return stderr, nil
	case 1:
		return all[0], nil
	}
	return all, nil
}

// file opens a file. A rotated one is opened too, once, so that one that cannot be
// written ends a start.
func (c Config) file(name string) (io.Writer, error) {
	plain, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil || !c.Rotate {
		return plain, err
	}
	if err := plain.Close(); err != nil {
		return nil, err
	}
	rotated, err := c.rotation()
	if err != nil {
		return nil, err
	}
	rotated.Filename = name
	return rotated, nil
}

// fanOut writes to all, also if one fails.
type fanOut []io.Writer

// Write implements io.Writer. Its error is that of the first that failed.
func (f fanOut) Write(line []byte) (int, error) {
	var first error
	for _, w := range f {
		if _, err := w.Write(line); err != nil && first == nil {
			first = err
		}
	}
	if first != nil {
		return 0, first
	}
	return len(line), nil
}
