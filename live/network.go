package live

// Graph is a network as pages draw it.
type Graph struct {
	Inputs []Value `json:"inputs"`
	Nodes  []Node  `json:"nodes"` // each after what it reads
}

// Value is a tensor by name.
type Value struct {
	Name  string `json:"name"`
	Shape []int  `json:"shape"` // without the batch
}

// Node is a layer.
type Node struct {
	Name       string   `json:"name"`
	Type       string   `json:"type"`
	In         []string `json:"in"` // names of values
	Out        []Value  `json:"out"`
	Parameters int64    `json:"parameters,omitempty"`
	FLOPs      int64    `json:"flops,omitempty"`   // forward, of one sample
	Options    string   `json:"options,omitempty"` // in JSON
}

// Plan is a memory plan as pages draw it. Sizes are in bytes.
type Plan struct {
	Batch     int    `json:"batch"`
	Arena     int64  `json:"arena"`    // of activations and their gradients
	Unshared  int64  `json:"unshared"` // what they would take if none shared memory
	Weights   int64  `json:"weights"`
	Gradients int64  `json:"gradients"` // of weights
	Optimiser int64  `json:"optimiser"`
	Steps     []Step `json:"steps"`
	Spans     []Span `json:"spans"`
}

// Step is one call of a layer.
type Step struct {
	Layer    string `json:"layer"`
	Backward bool   `json:"backward,omitempty"`
}

// Span is the place of a value in the arena while it is alive.
type Span struct {
	Name   string `json:"name"`
	Kind   string `json:"kind"`  // input, activation, saved, gradient or scratch
	First  int    `json:"first"` // step; -1 is before the first
	Last   int    `json:"last"`  // step, inclusive
	Offset int64  `json:"offset"`
	Bytes  int64  `json:"bytes"`
}
