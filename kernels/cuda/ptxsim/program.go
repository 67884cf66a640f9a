package ptxsim

// program is a kernel, decoded.
type program struct {
	module  string
	name    string
	source  []string // lines of the PTX, for messages
	code    []inst
	params  []*variable
	shared  extent // static shared memory
	dynamic int64  // address of dynamic shared memory; -1 where the kernel has none
	local   extent // local memory of a thread

	sharedVars []*variable

	maxThreads int // as declared; 0 where it is not

	// Register files. The tails hold constants and special registers, so
	// that an operand is an index and nothing else.
	n32, n64, npred  int // registers
	names32, names64 []string
	namesPred        []string
	const32          []uint32
	const64          []uint64
	specials         []special
	constPred        int // index of a predicate that is false; the next is true

	isTracked func(r ref) bool // registers that checks ask for

	subword bool // touches bytes or halves of shared memory
}

// extent is the memory that a kernel's variables of a space take.
type extent struct {
	size       int64 // bytes that they need
	first, end int64 // addresses of those that they have
}

// special is a special register that does not change while a thread runs.
type special struct {
	name string
	reg  int32 // in the 32-bit file
}

// file is where a register lives.
type file uint8

const (
	fileNone file = iota
	file32        // also 16 bits, the upper half zero
	file64
	filePred
)

// ref is an operand: a register or a constant.
type ref struct {
	file file
	reg  int32
}

// inst is one decoded instruction.
type inst struct {
	op       opcode
	class    Class
	typ      typ
	space    space
	guardNot bool
	half     bool // the destination holds 16 bits
	check    bool // a source may not have been written
	track    bool // writes a register that some check asks for
	guard    int32
	line     int32
	dst      ref
	dst2     ref // second predicate
	a, b, c  ref
	fn       func(a, b, c uint64) uint64
	vec      []ref // registers of a vector, of what is loaded or stored, or of mma: D, A, B, C
	offset   int64
	target   int32
	targets  []int32 // of brx.idx
	rpc      int32   // where lanes that part here meet again
	sub      int32   // variant within op
	nc       uint32  // of ldu and of a load through .nc: nonCoherent
}

// opcode is what the executor switches on: a few fast paths, and opFn for
// everything that maps operands of a lane to a result.
type opcode uint8

const (
	opFn opcode = iota
	opFma32
	opMul32
	opAdd32
	opSub32
	opIAdd32
	opISub32
	opIMul32
	opIMad32
	opAnd32
	opOr32
	opXor32
	opShl32
	opShr32
	opCvtTF32
	opMov32
	opMov64
	opIAdd64
	opShl64
	opMulWideS32
	opMulWideU32
	opSetS32
	opSetU32
	opClock
	opPack
	opUnpack
	opLdParam
	opLd
	opSt
	opAtom
	opCpAsync
	opCpCommit
	opCpWait
	opBra
	opBrx
	opExit
	opTrap
	opBar
	opBarRed
	opBarWarp
	opShfl
	opVote
	opActive
	opRedux
	opMMA
	opNop
)

// Comparisons, the sub of opSetS32 and opSetU32.
const (
	cmpEq = iota
	cmpNe
	cmpLt
	cmpLe
	cmpGt
	cmpGe
)

var integerCompares = map[string]int32{
	"eq": cmpEq, "ne": cmpNe, "lt": cmpLt, "le": cmpLe, "gt": cmpGt, "ge": cmpGe,
	"lo": cmpLt, "ls": cmpLe, "hi": cmpGt, "hs": cmpGe,
}
