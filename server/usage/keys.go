package usage

import (
	"bytes"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

const (
	// maxPrefix bounds a prefix, in bytes. Longer ones count together.
	maxPrefix = 256
	// maxRoots bounds how many prefixes of Kubernetes' API servers are told apart, and
	// maxRoot how long each may be.
	maxRoots = 8
	maxRoot  = 64
)

// keys says which prefix a key counts for.
//
// Below a root of Kubernetes, keys are [group/]resource/[namespace/]name: the prefix
// ends before the name. Elsewhere it is the first two segments of a path, without the
// last one. A root is what an API server is told with --etcd-prefix: /registry, or one
// that shows itself by a resource that others do not have.
type keys struct {
	roots atomic.Pointer[[]string] // each ends with a slash
	mu    sync.Mutex               // held while one is added
}

func newKeys() *keys {
	k := new(keys)
	k.roots.Store(&[]string{"/registry/"})
	return k
}

// telling are names that stand directly below a root of Kubernetes, and that are
// unlikely elsewhere.
var telling = map[string]bool{
	"apiextensions.k8s.io": true, "apiregistration.k8s.io": true, "clusterrolebindings": true, "clusterroles": true,
	"configmaps": true, "controllerrevisions": true, "csinodes": true, "daemonsets": true, "endpointslices": true,
	"flowschemas": true, "masterleases": true, "minions": true, "persistentvolumeclaims": true, "priorityclasses": true,
	"prioritylevelconfigurations": true, "replicasets": true, "rolebindings": true, "serviceaccounts": true,
	"statefulsets": true, "storageclasses": true,
}

// of is the prefix of a key, or of a range of keys. It is a part of key.
func (k *keys) of(key, end []byte) []byte {
	if len(end) > 0 {
		key = scope(key, end)
	}
	if root := k.rootOf(key); root > 0 {
		return key[:root+folder(key[root:], 2, true)]
	}
	return key[:folder(key, 2, false)]
}

// rootOf is where the root of Kubernetes ends that a key lies below; 0 if there is none.
func (k *keys) rootOf(key []byte) int {
	for _, root := range *k.roots.Load() {
		if len(key) >= len(root) && string(key[:len(root)]) == root {
			return len(root)
		}
	}
	return 0
}

// scope is the longest prefix that all keys of a range have.
func scope(key, end []byte) []byte {
	if len(end) == 1 && end[0] == 0 {
		return nil // from key on
	}
	n := 0
	for n < len(key) && n < len(end) && key[n] == end[n] {
		n++
	}
	if n < len(key) && len(end) == n+1 && end[n] == key[n]+1 {
		n++ // all that begins with key[:n+1]
	}
	return key[:n]
}

// folder is where a path's first parts end, each with its slash; what follows the last slash is none of them, nor what
// ends beyond maxPrefix. Below a root of Kubernetes the first part is [group/]resource.
func folder(path []byte, parts int, belowRoot bool) (end int) {
	segment := func() (text []byte, ok bool) {
		n := bytes.IndexByte(path[end:], '/')
		if n < 0 || end+n >= maxPrefix {
			return nil, false
		}
		text = path[end : end+n]
		end += n + 1
		return text, true
	}
	if !belowRoot && len(path) > 0 && path[0] == '/' {
		end = 1
	}
	for part := range parts {
		text, ok := segment()
		if !ok {
			return end
		}
		if belowRoot && part == 0 && (bytes.IndexByte(text, '.') >= 0 || string(text) == "services") {
			// The group of a custom resource; or Kubernetes' services/specs and services/endpoints.
			if _, ok = segment(); !ok {
				return end
			}
		}
	}
	return end
}

// learn looks whether a key shows a root of Kubernetes, and keeps that.
func (k *keys) learn(key []byte) bool {
	from := 0
	for range 4 {
		at := bytes.IndexByte(key[from:], '/')
		if at < 0 {
			return false
		}
		if from > 1 && telling[string(key[from:from+at])] {
			return k.add(string(key[:from]))
		}
		if from += at + 1; from > maxRoot {
			return false
		}
	}
	return false
}

func (k *keys) add(root string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	roots := *k.roots.Load()
	if len(roots) >= maxRoots || slices.Contains(roots, root) {
		return false
	}
	roots = append(slices.Clone(roots), root)
	// The longest first: one may begin with another.
	slices.SortFunc(roots, func(a, b string) int { return len(b) - len(a) })
	k.roots.Store(&roots)
	return true
}

// named is what a prefix shows of Kubernetes: resource and namespace, "" for none.
func (k *keys) named(prefix string) (resource, namespace string) {
	for _, root := range *k.roots.Load() {
		if rest, ok := strings.CutPrefix(prefix, root); ok {
			return named(rest)
		}
	}
	return "", ""
}

// storedAs are resources that are stored under another name than their own.
var storedAs = map[string]string{
	"services/specs": "services", "services/endpoints": "endpoints", "minions": "nodes",
}

func named(rest string) (resource, namespace string) {
	segments := strings.Split(strings.TrimSuffix(rest, "/"), "/")
	switch first := segments[0]; {
	case rest == "" || !strings.HasSuffix(rest, "/"):
		return "", ""
	case first == "services" && len(segments) > 1:
		resource, segments = storedAs[first+"/"+segments[1]], segments[2:]
	case strings.Contains(first, "."):
		if len(segments) < 2 {
			return "", ""
		}
		resource, segments = segments[1]+"."+first, segments[2:]
	default:
		resource, segments = first, segments[1:]
		if own := storedAs[first]; own != "" {
			resource = own
		}
	}
	if !isName(resource) {
		return "", ""
	}
	if len(segments) > 0 && isName(segments[0]) {
		namespace = segments[0]
	}
	return resource, namespace
}

// isName says whether Kubernetes could have a resource or a namespace of that name.
func isName(s string) bool {
	if s == "" || len(s) > maxLabel {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '.' && c != '-' {
			return false
		}
	}
	return true
}
