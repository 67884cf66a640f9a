package driver

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestArgsSlots(t *testing.T) {
	var a Args
	build := func() {
		a.Reset().Ptr(0x1234567890).Int(-2).Uint32(7).Int64(-1).Float32(1.5).Uint64(1 << 63)
	}
	build()
	require.Equal(t, []uint64{0x1234567890, 0xfffffffe, 7, 0xffffffffffffffff, 0x3fc00000, 1 << 63}, a.Slots())
	require.Zero(t, testing.AllocsPerRun(10, build))
	require.Panics(t, func() { a.Reset().Int(1 << 31) })
	require.Empty(t, a.Reset().Slots())
}

func TestDim(t *testing.T) {
	require.Equal(t, 6, Dim{X: 6}.Size())
	require.Equal(t, 30, Dim{X: 3, Y: 2, Z: 5}.Size())
	require.Equal(t, 0, Dim{}.Size())
	require.Equal(t, "(3,1,1)", Dim{X: 3}.String())
	require.Equal(t, 80, Properties{Major: 8}.Capability())
	require.Equal(t, Ptr(0x140), Ptr(0x100).Offset(64))
}
