package objectstore

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/zkine/zkine/revision/archive"
)

// Open finds the store that a URL names, and asks it for nothing yet:
//
//	file:///folder                       a folder; with create it is made if only it is missing
//	file:///file                         a file that CreateFile has written, to read
//	s3://bucket/prefix?endpoint=URL      an object store; see openS3
//
// A path that begins with / or . stands for a file URL, as does the name of a file that is
// there. An error says what is wrong with
// the URL, and never repeats it: someone may have written a password into it.
func Open(location string, create bool) (archive.Store, error) {
	if strings.HasPrefix(location, "/") || strings.HasPrefix(location, ".") {
		return openPath(location, create)
	}
	u, err := url.Parse(location)
	if err != nil {
		return nil, errors.New("it is not a URL like file:///folder or s3://bucket/prefix?endpoint=https://host:port")
	}
	if u.User != nil {
		return nil, errors.New("it holds a user or a password; name a credentials-file instead, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
	}
	switch u.Scheme {
	case "file":
		if u.Host != "" || u.Path == "" || u.RawQuery != "" {
			return nil, errors.New("a folder is written file:///with/all/of/its/path")
		}
		return openPath(localPath(u.Path), create)
	case "s3":
		return openS3(u)
	}
	if u.Scheme == "" {
		if info, err := os.Stat(location); err == nil && info.Mode().IsRegular() {
			return openPath(location, create)
		}
		return nil, errors.New("it is no URL, and no file here; write file:///folder or s3://bucket/prefix?endpoint=https://host:port")
	}
	return nil, fmt.Errorf("there are no archives on %q; write file:///folder or s3://bucket/prefix?endpoint=https://host:port", u.Scheme)
}

func openPath(path string, create bool) (archive.Store, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
		return OpenFile(path)
	}
	return folder{path, create}, nil
}

// localPath is the path of a file URL as the system has it: on Windows C:/folder, for file:///C:/folder.
func localPath(path string) string {
	if rest := strings.TrimPrefix(path, "/"); filepath.VolumeName(rest) != "" {
		return filepath.FromSlash(rest)
	}
	return path
}
