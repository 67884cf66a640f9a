package device

// Traits says what a plan must know of a device, even if the machine does not
// have it. All answers depend only on the arguments.
//
// A plan for N samples runs smaller batches too. So scratch for fewer samples
// is at most that for more, and packed weights are the same for every N.
type Traits interface {
	// String names the device and everything that the answers depend on: traits
	// with the same name give the same answers. A plan runs only on a device whose
	// traits have the name of the plan's traits.
	String() string

	// Alignment is in bytes; every offset into an arena must be a multiple of it.
	Alignment() int64

	// Staged reports whether uploads on one queue run at the same time as kernels
	// on another. Then the next batch should be uploaded early, from memory of
	// HostAlloc.
	Staged() bool

	// Epilogue reports whether forward convolutions and dense layers can
	// apply the activation themselves.
	Epilogue(a Unary) bool

	// Needs returns the memory that a call of the operation needs besides its
	// operands.
	Needs(op Operation) Needs

	// Precision returns how exactly the device computes the operation.
	Precision(op Operation) Precision
}

// Operation is an operation that Traits has answers for: a GEMM, or a pass of a
// convolution or of a dense layer. For an unknown operation a device returns
// the zero value.
type Operation interface{ operation() }

// ConvPass is a pass of a convolution.
type ConvPass struct {
	Conv
	Pass Pass
}

// DensePass is a pass of a dense layer.
type DensePass struct {
	Dense
	Pass Pass
}

// Of is the pass of the convolution, to ask Traits about.
func (c Conv) Of(p Pass) ConvPass { return ConvPass{c, p} }

// Of is the pass of the dense layer, to ask Traits about.
func (d Dense) Of(p Pass) DensePass { return DensePass{d, p} }

func (GEMM) operation()      {}
func (ConvPass) operation()  {}
func (DensePass) operation() {}

// Needs is the memory of a call besides its operands, in bytes.
type Needs struct {
	// Scratch is memory used only during the call.
	Scratch int64

	// Packed is the size of the weights in the layout that the kernel reads,
	// written by ConvPack. It is 0 if the kernel reads them as they are.
	Packed int64
}

// Precision says how exactly an operation is computed.
type Precision struct {
	// TF32 is set if the kernel may round its factors to TF32.
	TF32 bool

	// Blockwise is set if the algorithm computes neighbouring elements together
	// (Winograd's), so that the error of each is relative to the largest of them.
	Blockwise bool
}
