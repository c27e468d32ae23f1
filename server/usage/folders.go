package usage

import "strings"

// Folders finds the folders of keys by the rule by which requests are counted: below a root of Kubernetes
// [group/]resource is one part of a path. Make it with NewFolders. One goroutine at a time may use it.
type Folders struct{ keys *keys }

// NewFolders knows of /registry/; other roots show themselves by their keys.
func NewFolders() *Folders { return &Folders{newKeys()} }

// Of is the beginning of a key with so many parts, such as 2 for /registry/pods/ and 3 for /registry/pods/default/. It
// ends with a slash, or is empty. What would be longer than 256 bytes ends at a slash before that.
func (f *Folders) Of(key []byte, parts int) []byte {
	root := f.keys.rootOf(key)
	if root == 0 && f.keys.learn(key) {
		root = f.keys.rootOf(key)
	}
	own := 0
	if root > 0 {
		own = strings.Count(string(key[1:root]), "/")
	}
	if own == 0 || parts <= own {
		return key[:folder(key, parts, false)]
	}
	return key[:root+folder(key[root:], parts-own, true)]
}
