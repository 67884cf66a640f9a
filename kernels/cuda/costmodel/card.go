package costmodel

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hubel-go/hubel/kernels/cuda/occupancy"
)

// Card is what is published of a GPU.
type Card struct {
	Name       string // of -gpu
	Model      string
	Capability int
	SMs        int
	Lanes      int     // of float32 arithmetic in a multiprocessor
	Clock      float64 // Hz, boost
	Bandwidth  float64 // of memory, bytes a second
	L2         float64 // of the second-level cache, bytes a second
	TF32       float64 // operations a second of tensor cores, without sparsity; 0 where there are none
}

// Peak is float32 operations a second, a multiply-add being two.
func (c Card) Peak() float64 { return 2 * float64(c.SMs*c.Lanes) * c.Clock }

func (c Card) sm() occupancy.SM {
	i := slices.IndexFunc(occupancy.SMs, func(s occupancy.SM) bool { return s.Capability == c.Capability })
	return occupancy.SMs[i]
}

// Cards are those that can be predicted. Multiprocessors, lanes, clocks and
// memory bandwidth are from NVIDIA's architecture whitepapers (Tesla V100 2017,
// A100 2020, H100 2022, Ada 2022). Of the second-level cache NVIDIA says that
// the A100's delivers 5,120 bytes a cycle, 2.3 times the V100's rate; the
// others' is not published, and taken to be the A100's bytes a cycle. TF32 on an
// H100 is that of wgmma: mma, which the kernels have, does not reach it there
// (Luo et al. 2025, "Dissecting the NVIDIA Hopper Architecture").
var Cards = []Card{
	{Name: "v100", Model: "Tesla V100 SXM2", Capability: 70, SMs: 80, Lanes: 64, Clock: 1.530e9, Bandwidth: 900e9, L2: 2048 * 1.530e9},
	{Name: "a100", Model: "A100 SXM4 40GB", Capability: 80, SMs: 108, Lanes: 64, Clock: 1.410e9, Bandwidth: 1555e9, L2: 5120 * 1.410e9, TF32: 156e12},
	{Name: "h100", Model: "H100 SXM5", Capability: 90, SMs: 132, Lanes: 128, Clock: 1.980e9, Bandwidth: 3350e9, L2: 5120 * 1.980e9, TF32: 494.7e12},
	{Name: "rtx4090", Model: "GeForce RTX 4090", Capability: 89, SMs: 128, Lanes: 128, Clock: 2.520e9, Bandwidth: 1008e9, L2: 5120 * 2.520e9, TF32: 82.6e12},
}

// Find returns the card of a name.
func Find(name string) (Card, error) {
	names := make([]string, len(Cards))
	for i, c := range Cards {
		if c.Name == name {
			return c, nil
		}
		names[i] = c.Name
	}
	return Card{}, fmt.Errorf("GPU %q is unknown; there are %s", name, strings.Join(names, ", "))
}
