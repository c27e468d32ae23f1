// Package deploy checks what zkine ships beside its program: the recipe of docs/security.md, which is run as it is
// written, the systemd unit, and that a build of one commit, and a release of it, is always the same bytes.
//
//	document.go       the commands of a document
//	shell.go          a shell that runs them one block after the other
//	machines.go       machines made of namespaces, for docs/three-nodes.md; testdata has what stands in for systemd there
//	systemd.go        systemd-analyze, from the system or from Debian's archive
//	staticpod_test.go the manifest of a zkine beside each API server
//	kubeadm_test.go   kubeadm's own manifests and checks, with zkine as its etcd; kubeadmjoin_test.go: a second machine
//	confine_linux.go  a process with the unit's capabilities and system calls, without systemd
//
// make test runs the recipe for an ensemble; go test ./deploy -all for a single server, too.
//
// The programs are those of ../components, built when they are missing.
package deploy
