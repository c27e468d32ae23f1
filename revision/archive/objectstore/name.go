package objectstore

import (
	"errors"
	"strings"
)

// errName says that a name is none that an archive gives.
var errName = errors.New("objectstore: no object's name")

// validName says whether a name may become a part of a path.
func validName(name string) bool {
	if name == "" || len(name) > 200 || strings.HasPrefix(name, "/") || strings.HasSuffix(name, "/") {
		return false
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part[0] == '.' || strings.ContainsFunc(part, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '.'
		}) {
			return false
		}
	}
	return true
}
