package costmodel

import (
	_ "embed"
	"encoding/json"
	"sync"
)

// Assembled is what ptxas made of a kernel.
type Assembled struct {
	Kernel      string  `json:"kernel"`
	Capability  int     `json:"capability"`
	Registers   int     `json:"registers"`              // a thread
	Shared      int     `json:"shared,omitempty"`       // bytes a block, static
	FMAFraction float64 `json:"fma_fraction,omitempty"` // of multiply-adds, or products of tensor cores, in the main loop; 0 without one
}

// make sass writes it, with docs/kernels.md.
//
//go:embed assembled.json
var assembledJSON []byte

var assembled = sync.OnceValue(func() map[Assembled]Assembled {
	var list []Assembled
	if err := json.Unmarshal(assembledJSON, &list); err != nil {
		panic("predict: assembled.json: " + err.Error()) // it is embedded, and tested
	}
	found := make(map[Assembled]Assembled, len(list))
	for _, a := range list {
		found[Assembled{Kernel: a.Kernel, Capability: a.Capability}] = a
	}
	return found
})

// Programs are what ptxas makes, at most, of the kernels that are written when a
// program is first run. `make sass` assembles a number of them.
var Programs = []Assembled{
	{Kernel: "map", Registers: 64},
	{Kernel: "reduce", Registers: 64, Shared: 4096},
	{Kernel: "update", Registers: 64},
}

func lookUp(kernel string, capability int) (Assembled, bool) {
	for _, p := range Programs {
		if p.Kernel == kernel {
			return p, true
		}
	}
	a, ok := assembled()[Assembled{Kernel: kernel, Capability: capability}]
	return a, ok
}
