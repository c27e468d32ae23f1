package zkmember

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/zkine/zkine/revision"
)

// incarnation identifies a process among all that ever ran: by the boot of its
// machine, its PID namespace, its PID and when that began. Where /proc cannot
// tell, fields are empty and nothing is concluded from them.
type incarnation struct {
	Host      string         `json:"host"`
	Boot      string         `json:"boot"`
	Namespace string         `json:"pid_namespace"`
	PID       int            `json:"pid"`
	Started   string         `json:"started"` // clock ticks after boot
	Nonce     revision.Nonce `json:"nonce"`
}

func newIncarnation(random io.Reader) incarnation {
	host, _ := os.Hostname()
	pid := os.Getpid()
	return incarnation{Host: host, Boot: bootID(), Namespace: pidNamespace(), PID: pid,
		Started: processStart(pid), Nonce: revision.DrawNonce(random)}
}

// id tells incarnations of one process apart, too: tests run several in one.
func (i incarnation) id() revision.Nonce { return i.Nonce }

// gone says whether the process is known to have ended. Only a process of this
// machine's present boot and of this PID namespace can be judged.
func (i incarnation) gone() bool {
	here := newIncarnation(rand.Reader)
	if i.Boot == "" || i.Namespace == "" || i.Boot != here.Boot || i.Namespace != here.Namespace {
		return false
	}
	_, err := os.Stat(filepath.Join("/proc", strconv.Itoa(i.PID)))
	if errors.Is(err, fs.ErrNotExist) {
		return true
	}
	now := processStart(i.PID)
	return now != "" && now != i.Started // the PID is another process's by now
}

// String names the process for an error message.
func (i incarnation) String() string { return fmt.Sprintf("host %s, pid %d", i.Host, i.PID) }

func bootID() string {
	data, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return string(bytes.TrimSpace(data))
}

func pidNamespace() string {
	link, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return ""
	}
	return link
}

// processStart reads field 22 of /proc/<pid>/stat, see proc(5). The command in
// field 2 may hold spaces and parentheses: fields are counted from its end.
func processStart(pid int) string {
	data, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return ""
	}
	end := bytes.LastIndexByte(data, ')')
	if end < 0 {
		return ""
	}
	fields := bytes.Fields(data[end+1:])
	const start = 22 - 3 // the first of fields is field 3
	if len(fields) <= start {
		return ""
	}
	return string(fields[start])
}
