package embedded

import (
	"math/bits"
	"syscall"
	"unsafe"
)

// processors is a set of processors as Linux has it: bit n%64 of word n/64 for processor n.
type processors [128]uint64

// onOneProcessor calls start, and has what it starts run on one of the processors that the calling thread may run on;
// which counts them, round and round. A thread of the child that hands a request on to the next one then finds it on a
// processor that is awake, with the request in its caches. A system that forbids it is none the worse.
func onOneProcessor(which uint, start func() error) error {
	var all processors
	if err := all.call(syscall.SYS_SCHED_GETAFFINITY); err != nil {
		return start()
	}
	one, found := all.nth(which)
	if !found || one.call(syscall.SYS_SCHED_SETAFFINITY) != nil {
		return start()
	}
	// What was possible before is possible again.
	defer func() { _ = all.call(syscall.SYS_SCHED_SETAFFINITY) }()
	return start()
}

// call makes a system call about the processors of the calling thread.
func (p *processors) call(number uintptr) error {
	if _, _, errno := syscall.RawSyscall(number, 0, unsafe.Sizeof(*p), uintptr(unsafe.Pointer(p))); errno != 0 {
		return errno
	}
	return nil
}

// nth is the set of one of these processors.
func (p *processors) nth(n uint) (one processors, found bool) {
	all := uint(0)
	for _, word := range p {
		all += uint(bits.OnesCount64(word))
	}
	if all == 0 {
		return one, false
	}
	n %= all
	for i, word := range p {
		for ; word != 0; word &= word - 1 {
			if n == 0 {
				one[i] = word & -word
				return one, true
			}
			n--
		}
	}
	return one, false
}
