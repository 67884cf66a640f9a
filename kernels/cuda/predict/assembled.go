package predict

import (
	_ "embed"
	"encoding/json"
	"sync"
)

// Assembled is what ptxas made of a kernel.
type Assembled struct {
	Kernel     string  `json:"kernel"`
	Capability int     `json:"capability"`
	Registers  int     `json:"registers"`        // a thread
	Shared     int     `json:"shared,omitempty"` // bytes a block, static
	Share      float64 `json:"share,omitempty"`  // of multiply-adds, or products of tensor cores, in the main loop; 0 without one
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

func lookUp(kernel string, capability int) (Assembled, bool) {
	a, ok := assembled()[Assembled{Kernel: kernel, Capability: capability}]
	return a, ok
}
