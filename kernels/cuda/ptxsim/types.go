package ptxsim

// typ is a type of PTX.
type typ uint8

const (
	typNone typ = iota
	typPred
	typB8
	typU8
	typS8
	typB16
	typU16
	typS16
	typF16
	typB32
	typU32
	typS32
	typF32
	typB64
	typU64
	typS64
	typF64
)

var types = map[string]typ{
	"pred": typPred, "b8": typB8, "u8": typU8, "s8": typS8,
	"b16": typB16, "u16": typU16, "s16": typS16, "f16": typF16,
	"b32": typB32, "u32": typU32, "s32": typS32, "f32": typF32,
	"b64": typB64, "u64": typU64, "s64": typS64, "f64": typF64,
}

var typeNames = [...]string{"none", "pred", "b8", "u8", "s8", "b16", "u16", "s16", "f16",
	"b32", "u32", "s32", "f32", "b64", "u64", "s64", "f64"}

func (t typ) String() string { return typeNames[t] }

func (t typ) bytes() int {
	switch {
	case t >= typB64:
		return 8
	case t >= typB32:
		return 4
	case t >= typB16:
		return 2
	}
	return 1
}

func (t typ) bits() int { return 8 * t.bytes() }

func (t typ) float() bool { return t == typF16 || t == typF32 || t == typF64 }

func (t typ) signed() bool { return t == typS8 || t == typS16 || t == typS32 || t == typS64 }

func (t typ) wide() bool { return t >= typB64 }

// space is a state space of PTX.
type space uint8

const (
	spaceGeneric space = iota
	spaceGlobal
	spaceShared
	spaceLocal
	spaceConst
	spaceParam
)

var spaces = map[string]space{
	"global": spaceGlobal, "shared": spaceShared, "local": spaceLocal,
	"const": spaceConst, "param": spaceParam,
}

var spaceNames = [...]string{"generic", "global", "shared", "local", "const", "param"}

func (s space) String() string { return spaceNames[s] }
