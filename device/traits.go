package device

// Traits says what a plan must know of a device that may not be there. All
// answers depend on nothing but the arguments.
//
// A plan for N samples runs smaller batches too. So scratch for fewer samples
// is at most that for more, and packed weights are the same for every N.
type Traits interface {
	// String names the device and all that the answers depend on: traits of one
	// name give the same answers. A plan runs only where they have the name of
	// those that it was made for.
	String() string

	// Alignment is what every offset into an arena must be a multiple of, in bytes.
	Alignment() int64

	// Staged reports whether uploads on one queue go on while kernels run on
	// another, so that the next batch is best uploaded ahead of its use, from
	// memory of HostAlloc.
	Staged() bool

	// Epilogue reports whether forward convolutions and dense layers can
	// apply the activation themselves.
	Epilogue(a Unary) bool

	// Needs says what a call of the operation takes beside its operands.
	Needs(op Operation) Needs

	// Precision says how exactly the device computes the operation.
	Precision(op Operation) Precision
}

// Operation is what Traits are asked about: a GEMM, or a pass of a convolution or of a
// dense layer. A device answers with the zero value for one that it does not know.
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

// Needs is what a call takes beside its operands, in bytes.
type Needs struct {
	// Scratch is memory for the time of the call.
	Scratch int64

	// Packed is the weights in the layout that the kernel reads, written by
	// ConvPack; 0 where it reads them as they are.
	Packed int64
}

// Precision is how exactly an operation is computed.
type Precision struct {
	// TF32 is set where the kernel may round what it multiplies to TF32.
	TF32 bool

	// Blockwise is set where the algorithm computes neighbouring elements together
	// (Winograd's), so that the error of each is relative to the largest of them.
	Blockwise bool
}
