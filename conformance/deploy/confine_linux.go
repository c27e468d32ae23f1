package deploy

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Confinement is what a unit takes from a process, as far as a process can take it from itself: capabilities, system
// calls, families of sockets, memory that is written and run. The rest of a unit (its view of the file system, its
// user, its namespaces) needs systemd.
type Confinement struct {
	// Calls are the numbers of the system calls that are allowed; others give EPERM.
	Calls []uint32
	// Families are the address families that a socket may have; others give EAFNOSUPPORT.
	Families []uint32
	// DenyWriteExecute forbids memory that is written and run.
	DenyWriteExecute bool
}

// families are the names that a unit gives to them.
var families = map[string]uint32{"AF_UNIX": unix.AF_UNIX, "AF_INET": unix.AF_INET, "AF_INET6": unix.AF_INET6}

// Confine reads a unit's confinement.
func Confine(ctx context.Context, unit Unit, groups map[string][]string) (c Confinement, err error) {
	allowed, err := unit.Calls(groups)
	if err != nil {
		return c, err
	}
	numbers, err := callNumbers(ctx)
	if err != nil {
		return c, err
	}
	for name, yes := range allowed {
		// A name that is not of this machine's architecture has no number.
		if number, known := numbers[name]; yes && known {
			c.Calls = append(c.Calls, number)
		}
	}
	slices.Sort(c.Calls)
	for _, value := range unit["RestrictAddressFamilies"] {
		for name := range strings.FieldsSeq(value) {
			number, known := families[name]
			if !known {
				return c, fmt.Errorf("the family %s is not known here: add its number", name)
			}
			c.Families = append(c.Families, number)
		}
	}
	c.DenyWriteExecute = unit.Yes("MemoryDenyWriteExecute")
	return c, nil
}

// callNumbers asks the C compiler for the numbers of this machine's system calls.
func callNumbers(ctx context.Context) (map[string]uint32, error) {
	gcc := exec.CommandContext(ctx, "gcc", "-E", "-dM", "-include", "sys/syscall.h", "-x", "c", os.DevNull)
	out, err := gcc.Output()
	if err != nil {
		return nil, fmt.Errorf("gcc, for the numbers of system calls: %w", err)
	}
	numbers := map[string]uint32{}
	for _, match := range regexp.MustCompile(`(?m)^#define __NR_(\w+) (\d+)$`).FindAllSubmatch(out, -1) {
		n, err := strconv.ParseUint(string(match[2]), 10, 32)
		if err != nil {
			return nil, err
		}
		numbers[string(match[1])] = uint32(n)
	}
	if len(numbers) < 100 {
		return nil, fmt.Errorf("gcc gives numbers of %d system calls: the form of its headers has changed", len(numbers))
	}
	return numbers, nil
}

// Variable carries a Confinement, as JSON, to the process that takes it on.
const Variable = "CONFINEMENT"

// Encode is the Confinement as an environment variable.
func (c Confinement) Encode() (string, error) {
	text, err := json.Marshal(c)
	return Variable + "=" + string(text), err
}

// Enter takes on the confinement in the variable, and becomes the program that the arguments name. It returns only with
// an error.
func Enter(args []string) error {
	var c Confinement
	if err := json.Unmarshal([]byte(os.Getenv(Variable)), &c); err != nil {
		return fmt.Errorf("%s: %w", Variable, err)
	}
	if err := os.Unsetenv(Variable); err != nil {
		return err
	}
	if len(args) == 0 {
		return errors.New("no program is named")
	}
	if auditArch[runtime.GOARCH] == 0 {
		return fmt.Errorf("how the kernel calls the architecture %s is not known here: add it", runtime.GOARCH)
	}
	// All of this is the thread's; the program takes it over, and the other threads end.
	runtime.LockOSThread()
	if err := dropCapabilities(); err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no_new_privs: %w", err)
	}
	filter := c.filter()
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0); err != nil {
		return fmt.Errorf("the filter of %d system calls: %w", len(c.Calls), err)
	}
	return fmt.Errorf("%s: %w", args[0], unix.Exec(args[0], args, os.Environ()))
}

// dropCapabilities takes all capabilities from this thread and what it becomes, as CapabilityBoundingSet= does. A user
// other than root has none.
func dropCapabilities() error {
	if os.Geteuid() != 0 {
		return nil
	}
	for capability := uintptr(0); ; capability++ {
		err := unix.Prctl(unix.PR_CAPBSET_DROP, capability, 0, 0, 0)
		if errors.Is(err, unix.EINVAL) {
			break // the kernel has no more
		}
		if err != nil {
			return fmt.Errorf("drop capability %d: %w", capability, err)
		}
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	return unix.Capset(&header, &none[0])
}

// auditArch are the kinds of system calls that SystemCallArchitectures=native leaves.
var auditArch = map[string]uint32{"amd64": unix.AUDIT_ARCH_X86_64, "arm64": unix.AUDIT_ARCH_AARCH64}

// Where seccomp_data has what a filter looks at.
const (
	offsetCall = 0
	offsetArch = 4
	offsetArgs = 16
)

// argument is where the low half of a system call's argument is.
func argument(n int) uint32 {
	if binary.NativeEndian.Uint16([]byte{1, 0}) == 1 {
		return uint32(offsetArgs + 8*n)
	}
	return uint32(offsetArgs + 8*n + 4)
}

// filter is the program that the kernel runs at each system call.
func (c Confinement) filter() (f []unix.SockFilter) {
	const refused = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
	load := func(offset uint32) {
		f = append(f, unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset})
	}
	answer := func(a uint32) { f = append(f, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: a}) }
	// unless skips the next instructions if what was loaded is not k.
	unless := func(k uint32, skip uint8) {
		f = append(f, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: k, Jf: skip})
	}
	load(offsetArch)
	f = append(f, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: auditArch[runtime.GOARCH], Jt: 1})
	answer(unix.SECCOMP_RET_KILL_PROCESS)
	load(offsetCall)
	// As in systemd: the flags of clone3 lie in memory, where no filter can look; libraries take clone then.
	unless(unix.SYS_CLONE3, 1)
	answer(unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS))
	if len(c.Families) > 0 {
		unless(unix.SYS_SOCKET, uint8(2*len(c.Families)+2))
		load(argument(0))
		for _, family := range c.Families {
			unless(family, 1)
			answer(unix.SECCOMP_RET_ALLOW)
		}
		answer(unix.SECCOMP_RET_ERRNO | uint32(unix.EAFNOSUPPORT))
	}
	if c.DenyWriteExecute {
		for call, forbidden := range map[uint32]uint32{
			unix.SYS_MMAP: unix.PROT_WRITE | unix.PROT_EXEC, unix.SYS_MPROTECT: unix.PROT_EXEC, unix.SYS_PKEY_MPROTECT: unix.PROT_EXEC,
		} {
			unless(call, 5)
			load(argument(2))
			f = append(f, unix.SockFilter{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: forbidden})
			unless(forbidden, 1)
			answer(refused)
			load(offsetCall)
		}
	}
	for _, call := range c.Calls {
		unless(call, 1)
		answer(unix.SECCOMP_RET_ALLOW)
	}
	answer(refused)
	return f
}
