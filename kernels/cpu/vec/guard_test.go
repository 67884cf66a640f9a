//go:build unix

package vec

import (
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// memory is spans of memory, each between two pages that fault when they are
// touched.
type memory struct{ spans [5][]byte }

const span = 1 << 15

func newMemory(t testing.TB) *memory {
	page := syscall.Getpagesize()
	var m memory
	for i := range m.spans {
		mem, err := syscall.Mmap(-1, 0, span+2*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
		require.NoError(t, err)
		t.Cleanup(func() { _ = syscall.Munmap(mem) })
		require.NoError(t, syscall.Mprotect(mem[:page], syscall.PROT_NONE))
		require.NoError(t, syscall.Mprotect(mem[page+span:], syscall.PROT_NONE))
		m.spans[i] = mem[page : page+span]
	}
	return &m
}

// floats are n elements of a span: offset elements behind the first guard, or,
// with offset -1, before the second.
func (m *memory) floats(i, n, offset int) []float32 {
	if offset < 0 {
		offset = span/4 - n
	}
	return unsafe.Slice((*float32)(unsafe.Pointer(&m.spans[i][0])), span/4)[offset:][:n:n]
}

func (m *memory) ints(i, n int) []int32 {
	return unsafe.Slice((*int32)(unsafe.Pointer(&m.spans[i][0])), span/4)[span/4-n:]
}
