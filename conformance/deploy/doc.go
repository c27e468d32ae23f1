// Package deploy checks what zkine ships beside its program: the recipe of docs/security.md, which is run as it is
// written, the systemd unit, and that a build of one commit is always the same bytes.
//
//	document.go       the commands of a document
//	shell.go          a shell that runs them one block after the other
//	systemd.go        systemd-analyze, from the system or from Debian's archive
//	confine_linux.go  a process with the unit's capabilities and system calls, without systemd
//
// make test runs the recipe for an ensemble; go test ./deploy -all for a single server, too.
//
// The programs are those of ../components, built when they are missing.
package deploy
