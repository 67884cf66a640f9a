package device

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The known answers for philox4x32 with 10 rounds that come with Random123.
func TestPhiloxKnownAnswers(t *testing.T) {
	for _, c := range []struct {
		ctr  [4]uint32
		key  [2]uint32
		want [4]uint32
	}{
		{
			[4]uint32{},
			[2]uint32{},
			[4]uint32{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
		}, {
			[4]uint32{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
			[2]uint32{0xffffffff, 0xffffffff},
			[4]uint32{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
		}, {
			[4]uint32{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
			[2]uint32{0xa4093822, 0x299f31d0},
			[4]uint32{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1},
		},
	} {
		require.Equal(t, c.want, Philox(c.ctr, c.key))
	}
}

// The third known answer again, by way of what a stream is made of.
func TestRandomCounter(t *testing.T) {
	r := Random{
		Seed:      0x299f31d0_a4093822,
		Stream:    0x03707344,
		Iteration: 0x13198a2e,
		Sample:    0x85a308d3 - 3,
	}
	want := [4]uint32{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}
	require.Equal(t, want, r.Block(3, 0x243f6a88))
	for i, w := range want {
		require.Equal(t, w, r.Uint32(3, 4*0x243f6a88+i))
	}
}
