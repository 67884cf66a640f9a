package parallel

import (
	"runtime"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// seats notes which processor each worker runs on, so that no two of them share
// one while another is free. Kernels that balance their load see to that
// within milliseconds, which is longer than most products take; those of some
// virtual machines wake a thread beside the one that woke it and leave it there.
type seats []atomic.Int32

// none is the seat of a worker that sleeps.
const none = -1

func newSeats(workers int) seats {
	s := make(seats, workers)
	for i := range s {
		s[i].Store(none)
	}
	return s
}

// note says where a worker runs.
func (s seats) note(worker int) int32 {
	var cpu uint32
	if _, _, err := unix.RawSyscall(unix.SYS_GETCPU, uintptr(unsafe.Pointer(&cpu)), 0, 0); err != 0 {
		return none
	}
	if s[worker].Load() != int32(cpu) { // others read the line: it is written where it must be
		s[worker].Store(int32(cpu))
	}
	return int32(cpu)
}

// leave says that a worker sleeps.
func (s seats) leave(worker int) { s[worker].Store(none) }

// part moves the calling worker to another processor if a worker runs on this
// one. It changes the affinity of the thread for the moment that this takes.
func (s seats) part(worker int) {
	if here := s.note(worker); here == none || !s.taken(worker, here) {
		return
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var allowed unix.CPUSet
	if unix.SchedGetaffinity(0, &allowed) != nil {
		return
	}
	free := allowed
	for i := range s {
		if cpu := s[i].Load(); cpu != none {
			free.Clear(int(cpu))
		}
	}
	if free.Count() == 0 || unix.SchedSetaffinity(0, &free) != nil {
		return
	}
	_ = unix.SchedSetaffinity(0, &allowed) // it was so before
	s.note(worker)
}

// taken reports whether another worker runs on the processor.
func (s seats) taken(worker int, cpu int32) bool {
	for i := range s {
		if i != worker && s[i].Load() == cpu {
			return true
		}
	}
	return false
}
