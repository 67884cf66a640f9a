package cpu

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/device/devicetest"
	"github.com/hubel-go/hubel/kernels/cpu/gemm"
)

// FuzzConv holds all passes of small convolutions, of whatever geometry, on
// every path against the reference, by Winograd's algorithm and directly.
func FuzzConv(f *testing.F) {
	var devices []*Device
	for _, tile := range gemm.Tiles() {
		f.Setenv("HUBEL_CPU", tile.Name)
		for _, direct := range []bool{false, true} {
			d, err := Open(device.Options{Threads: 2, DirectConv: direct})
			require.NoError(f, err)
			defer d.Close()
			devices = append(devices, d)
		}
	}
	// N, groups, channels and filters of a group, image, kernel, padding on each
	// side, stride, dilation.
	f.Add([]byte{2, 1, 3, 5, 9, 11, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1})   // 3x3 of stride 1
	f.Add([]byte{1, 2, 3, 17, 23, 19, 7, 7, 0, 0, 0, 0, 4, 4, 1, 1}) // as AlexNet's first
	f.Add([]byte{2, 1, 3, 25, 12, 12, 5, 5, 0, 0, 0, 0, 1, 1, 1, 1}) // as LeNet's second
	f.Add([]byte{1, 3, 2, 33, 5, 12, 2, 5, 3, 0, 1, 4, 2, 3, 2, 1})  // nothing symmetric
	f.Add([]byte{14, 1, 1, 16, 3, 3, 3, 3, 0, 0, 0, 0, 1, 1, 1, 1})  // one window
	f.Add([]byte{1, 1, 2, 3, 4, 4, 1, 1, 5, 5, 5, 5, 5, 5, 1, 1})    // windows in the padding
	f.Add([]byte{2, 1, 5, 24, 13, 13, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1}) // a row a tile
	f.Add([]byte{1, 1, 17, 18, 4, 15, 5, 5, 2, 2, 2, 2, 1, 1, 1, 1}) // deeper than a block
	f.Add([]byte{2, 1, 3, 9, 29, 21, 3, 3, 2, 2, 2, 2, 3, 2, 2, 3})  // phases without taps
	f.Add([]byte{3, 1, 17, 35, 11, 9, 3, 3, 1, 2, 0, 1, 1, 1, 1, 1}) // for Winograd
	f.Add([]byte{2, 1, 18, 16, 10, 7, 5, 5, 2, 2, 2, 2, 1, 1, 1, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) != 16 {
			t.Skip()
		}
		at := func(i, limit int) int { return 1 + int(b[i]-1)%limit }
		pad := func(i int) int { return int(b[i]) % 6 }
		groups := at(1, 3)
		c := device.Conv{
			N: at(0, 14), C: groups * at(2, 30), H: at(4, 30), W: at(5, 30), K: groups * at(3, 50), R: at(6, 8), S: at(7, 8),
			PadTop: pad(8), PadBottom: pad(9), PadLeft: pad(10), PadRight: pad(11),
			StrideH: at(12, 6), StrideW: at(13, 6), DilationH: at(14, 3), DilationW: at(15, 3), Groups: groups,
		}
		if c.Check() != nil || c.FLOPs() > 40e6 {
			t.Skip()
		}
		for _, k := range devicetest.ConvCases(c) {
			for _, d := range devices {
				require.NoError(t, k.Check(d, devicetest.Options{Seed: 1}), "%s, %s on %s", k.Op, k.Name, d.Tile())
			}
		}
	})
}
