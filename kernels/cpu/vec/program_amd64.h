// Element-wise programs: the instructions of program.go. A block is in registers, the
// accumulator; EVERY runs a body for each of its vectors, with its name, that of its
// lower half, and where it lies in a block. Each instruction ends with a jump to the
// next one's code.
//
// R13 is the program and R12 the instruction, BX the table of code, CX the blocks of the
// row that are left and AX how far the block lies behind the first, in bytes. R8 is how far
// the row does, R10 the number of the row and R11 the rows that are left. The lower half of
// R14 is the blocks of a row, the upper one the elements of the last of them, and R15 how far
// rows lie apart, in bytes. V8 to V11 are between.

#define A Instruction_In
#define B (Instruction_In+Operand__size)
#define C (Instruction_In+2*Operand__size)

// AT is where the block of an operand lies.
#define AT(operand, p) \
	MOVQ (operand+Operand_Moves)(R12), p; \
	ANDQ AX, p; \
	ADDQ (operand+Operand_At)(R12), p

// AHEAD asks for a block that comes soon: what streams from memory arrives in time.
#define AHEAD(p) \
	PREFETCHT0 (32*const_Block)(p); \
	PREFETCHT0 (32*const_Block+64)(p); \
	PREFETCHT0 (32*const_Block+128)(p); \
	PREFETCHT0 (32*const_Block+192)(p)

#define GO \
	MOVQ Instruction_Op(R12), R9; \
	MOVQ (BX)(R9*8), R9; \
	JMP  R9

#define NEXT \
	ADDQ $Instruction__size, R12; \
	GO

// WITH is an instruction with one operand, at SI.
#define WITH(body) \
	AT(A, SI); \
	EVERY(body); \
	NEXT

// func run(code []Instruction, width, rows, pitch int)
TEXT fn_run(SB), NOSPLIT|NOFRAME, $0-48
	MOVQ code_base+0(FP), R13
	MOVQ width+24(FP), R14
	LEAQ (const_Block-1)(R14), CX
	SHRQ $6, CX
	LEAQ -1(CX), R9
	SHLQ $6, R9
	SUBQ R9, R14
	SHLQ $32, R14
	ORQ  CX, R14
	MOVQ rows+32(FP), R11
	MOVQ pitch+40(FP), R15
	SHLQ $2, R15
	LEAQ table<>(SB), BX
	XORQ AX, AX
	XORQ R8, R8
	XORQ R10, R10
	MOVL R14, CX
	MOVQ R13, R12
	GO

TEXT end<>(SB), NOSPLIT|NOFRAME, $0-0
	DECQ CX
	JEQ  row
	ADDQ $(4*const_Block), AX
	MOVQ R13, R12
	GO
row:
	DECQ R11
	JEQ  last
	ADDQ R15, R8
	INCQ R10
	MOVQ R8, AX
	MOVL R14, CX
	MOVQ R13, R12
	GO
last:
	VZEROUPPER
	RET

#define SPREADBLOCK(v, h, at) VMOVUPS V8, at(DX)

TEXT spreadRow<>(SB), NOSPLIT|NOFRAME, $0-0
	CMPQ AX, R8
	JNE  done
	MOVQ R10, SI
	ANDQ (A+Operand_Moves)(R12), SI
	MOVQ (A+Operand_At)(R12), DX
	VBROADCASTSS (DX)(SI*4), V8
	MOVQ (B+Operand_At)(R12), DX
	EVERY(SPREADBLOCK)
done:
	NEXT

#define LOADBLOCK(v, h, at) VMOVUPS at(SI), v

TEXT load<>(SB), NOSPLIT|NOFRAME, $0-0
	AT(A, SI)
	AHEAD(SI)
	EVERY(LOADBLOCK)
	NEXT

#define STOREBLOCK(v, h, at) VMOVUPS v, at(SI)

// WRITES is an instruction that writes its operand, at SI: in the last block of a row only the
// elements of the row, whose number in R9 STOREREST changes.
#define WRITES(body, rest) \
	AT(A, SI); \
	MOVQ R14, R9; \
	SHRQ $32, R9; \
	CMPQ CX, $1; \
	JNE  whole; \
	CMPQ R9, $const_Block; \
	JEQ  whole; \
	REST; \
	EVERY(rest); \
	NEXT; \
whole: \
	EVERY(body); \
	NEXT

TEXT store<>(SB), NOSPLIT|NOFRAME, $0-0
	WRITES(STOREBLOCK, STOREREST)

#define ADDBLOCK(v, h, at) VADDPS at(SI), v, v

TEXT add<>(SB), NOSPLIT|NOFRAME, $0-0
	WITH(ADDBLOCK)

#define SUBBLOCK(v, h, at) VSUBPS at(SI), v, v

TEXT sub<>(SB), NOSPLIT|NOFRAME, $0-0
	WITH(SUBBLOCK)

#define SUBFROM(v, h, at) \
	VMOVUPS at(SI), V8; \
	VSUBPS v, V8, v

TEXT subFrom<>(SB), NOSPLIT|NOFRAME, $0-0
	WITH(SUBFROM)

#define MULBLOCK(v, h, at) VMULPS at(SI), v, v

TEXT mul<>(SB), NOSPLIT|NOFRAME, $0-0
	WITH(MULBLOCK)

// PRODUCT is an instruction with a product, V8, of two operands, of which the second
// may stream.
#define PRODUCT(body) \
	AT(A, SI); \
	AT(B, DX); \
	AHEAD(DX); \
	EVERY(body); \
	NEXT

#define MULADD(v, h, at) \
	VMOVUPS at(SI), V8; \
	VMULPS at(DX), V8, V8; \
	VADDPS V8, v, v

TEXT mulAdd<>(SB), NOSPLIT|NOFRAME, $0-0
	PRODUCT(MULADD)

#define MULSUB(v, h, at) \
	VMOVUPS at(SI), V8; \
	VMULPS at(DX), V8, V8; \
	VSUBPS V8, v, v

TEXT mulSub<>(SB), NOSPLIT|NOFRAME, $0-0
	PRODUCT(MULSUB)

#define MULSUBFROM(v, h, at) \
	VMOVUPS at(SI), V8; \
	VMULPS at(DX), V8, V8; \
	VSUBPS v, V8, v

TEXT mulSubFrom<>(SB), NOSPLIT|NOFRAME, $0-0
	PRODUCT(MULSUBFROM)

#define DIVBLOCK(v, h, at) VDIVPS at(SI), v, v

TEXT div<>(SB), NOSPLIT|NOFRAME, $0-0
	WITH(DIVBLOCK)

#define DIVINTO(v, h, at) \
	VMOVUPS at(SI), V8; \
	VDIVPS v, V8, v

TEXT divInto<>(SB), NOSPLIT|NOFRAME, $0-0
	WITH(DIVINTO)

// VMINPS and VMAXPS give the operand of memory where one of the two is NaN or they are
// equal; an accumulator that is NaN goes before.
#define MINBLOCK(v, h, at) \
	VMINPS at(SI), v, V8; \
	VCMPPS $3, v, v, M0; \
	BLEND(M0, v, V8, v)

TEXT min<>(SB), NOSPLIT|NOFRAME, $0-0
	WITH(MINBLOCK)

#define MAXBLOCK(v, h, at) \
	VMAXPS at(SI), v, V8; \
	VCMPPS $3, v, v, M0; \
	BLEND(M0, v, V8, v)

TEXT max<>(SB), NOSPLIT|NOFRAME, $0-0
	WITH(MAXBLOCK)

// The accumulator is the second source, which stays.
#define ATLEAST(v, h, at) \
	VMOVUPS at(SI), V8; \
	VMAXPS v, V8, v

TEXT atLeast<>(SB), NOSPLIT|NOFRAME, $0-0
	WITH(ATLEAST)

#define ATMOST(v, h, at) \
	VMOVUPS at(SI), V8; \
	VMINPS v, V8, v

TEXT atMost<>(SB), NOSPLIT|NOFRAME, $0-0
	WITH(ATMOST)

#define SQUAREBLOCK(v, h, at) VMULPS v, v, v

TEXT square<>(SB), NOSPLIT|NOFRAME, $0-0
	EVERY(SQUAREBLOCK)
	NEXT

DATA magnitude<>+0(SB)/4, $0x7FFFFFFF
GLOBL magnitude<>(SB), RODATA|NOPTR, $4

#define ABSBLOCK(v, h, at) AND V8, v, v

TEXT abs<>(SB), NOSPLIT|NOFRAME, $0-0
	VBROADCASTSS magnitude<>(SB), V8
	EVERY(ABSBLOCK)
	NEXT

#define SQRTBLOCK(v, h, at) VSQRTPS v, v

TEXT sqrt<>(SB), NOSPLIT|NOFRAME, $0-0
	EVERY(SQRTBLOCK)
	NEXT

DATA power24<>+0(SB)/4, $0x33800000 // 2^-24
GLOBL power24<>(SB), RODATA|NOPTR, $4

#define UNIFORMBLOCK(v, h, at) \
	VPSRLD $8, v, v; \
	VCVTDQ2PS v, v; \
	VMULPS V8, v, v

TEXT uniform<>(SB), NOSPLIT|NOFRAME, $0-0
	VBROADCASTSS power24<>(SB), V8
	EVERY(UNIFORMBLOCK)
	NEXT

// CHOOSE is b where the accumulator compares with a, else c.
#define CHOOSE(predicate, v, at) \
	VCMPPS  predicate, at(SI), v, M0; \
	VMOVUPS at(DX), V8; \
	VMOVUPS at(DI), V9; \
	BLEND(M0, V8, V9, v)

#define CHOICE(body) \
	AT(A, SI); \
	AT(B, DX); \
	AT(C, DI); \
	EVERY(body); \
	NEXT

#define LESS(v, h, at) CHOOSE($17, v, at)

TEXT less<>(SB), NOSPLIT|NOFRAME, $0-0
	CHOICE(LESS)

#define LESSEQUAL(v, h, at) CHOOSE($18, v, at)

TEXT lessEqual<>(SB), NOSPLIT|NOFRAME, $0-0
	CHOICE(LESSEQUAL)

#define GREATER(v, h, at) CHOOSE($30, v, at)

TEXT greater<>(SB), NOSPLIT|NOFRAME, $0-0
	CHOICE(GREATER)

#define GREATEREQUAL(v, h, at) CHOOSE($29, v, at)

TEXT greaterEqual<>(SB), NOSPLIT|NOFRAME, $0-0
	CHOICE(GREATEREQUAL)

#define EQUAL(v, h, at) CHOOSE($0, v, at)

TEXT equal<>(SB), NOSPLIT|NOFRAME, $0-0
	CHOICE(EQUAL)

#define BELOW(v, h, at) \
	NOTBELOW(at(SI), v, M0); \
	VMOVUPS at(DX), V8; \
	VMOVUPS at(DI), V9; \
	BLEND(M0, V9, V8, v)

TEXT below<>(SB), NOSPLIT|NOFRAME, $0-0
	CHOICE(BELOW)

#define ADDINTO(v, h, at) \
	VADDPS  at(SI), v, V8; \
	VMOVUPS V8, at(SI)

#define ADDINTOREST(v, h, at) \
	VADDPS at(SI), v, V9; \
	STOREREST(V9, h, at)

TEXT addInto<>(SB), NOSPLIT|NOFRAME, $0-0
	WRITES(ADDINTO, ADDINTOREST)

#define MAXINTO(v, h, at) \
	VMAXPS  at(SI), v, V8; \
	VCMPPS  $3, v, v, M0; \
	BLEND(M0, v, V8, V8); \
	VMOVUPS V8, at(SI)

TEXT maxInto<>(SB), NOSPLIT|NOFRAME, $0-0
	WITH(MAXINTO)

// The sums stay in registers of their own from the first block on.
#define SUMBLOCK(v, h, at) \
	WIDEN(v, h, V10, V11, H11); \
	VADDPD V10, BLOCKSUMSLO, BLOCKSUMSLO; \
	VADDPD V11, BLOCKSUMSHI, BLOCKSUMSHI

TEXT sum<>(SB), NOSPLIT|NOFRAME, $0-0
	MOVQ (A+Operand_At)(R12), SI
	TESTQ AX, AX
	JNE  loaded
	LOADBLOCKSUMS(SI)
loaded:
	EVERY(SUMBLOCK)
	STOREBLOCKSUMS(SI)
	NEXT

// In the order of the operations.
DATA table<>+0(SB)/8, $end<>(SB)
DATA table<>+8(SB)/8, $load<>(SB)
DATA table<>+16(SB)/8, $store<>(SB)
DATA table<>+24(SB)/8, $add<>(SB)
DATA table<>+32(SB)/8, $sub<>(SB)
DATA table<>+40(SB)/8, $subFrom<>(SB)
DATA table<>+48(SB)/8, $mul<>(SB)
DATA table<>+56(SB)/8, $mulAdd<>(SB)
DATA table<>+64(SB)/8, $mulSub<>(SB)
DATA table<>+72(SB)/8, $mulSubFrom<>(SB)
DATA table<>+80(SB)/8, $div<>(SB)
DATA table<>+88(SB)/8, $divInto<>(SB)
DATA table<>+96(SB)/8, $min<>(SB)
DATA table<>+104(SB)/8, $max<>(SB)
DATA table<>+112(SB)/8, $atLeast<>(SB)
DATA table<>+120(SB)/8, $atMost<>(SB)
DATA table<>+128(SB)/8, $square<>(SB)
DATA table<>+136(SB)/8, $abs<>(SB)
DATA table<>+144(SB)/8, $sqrt<>(SB)
DATA table<>+152(SB)/8, $uniform<>(SB)
DATA table<>+160(SB)/8, $less<>(SB)
DATA table<>+168(SB)/8, $lessEqual<>(SB)
DATA table<>+176(SB)/8, $greater<>(SB)
DATA table<>+184(SB)/8, $greaterEqual<>(SB)
DATA table<>+192(SB)/8, $equal<>(SB)
DATA table<>+200(SB)/8, $below<>(SB)
DATA table<>+208(SB)/8, $addInto<>(SB)
DATA table<>+216(SB)/8, $maxInto<>(SB)
DATA table<>+224(SB)/8, $sum<>(SB)
DATA table<>+232(SB)/8, $spreadRow<>(SB)
GLOBL table<>(SB), NOPTR, $240

#define ONE(body) \
	MOVQ y_base+0(FP), DI; \
	MOVQ y_len+8(FP), CX; \
	MOVQ x_base+24(FP), SI; \
	EACH(body); \
	VZEROUPPER

#define EXPONENTIAL(LD, ST, label) \
	LD(SI, V1); \
	WIDEN(V1, H1, V4, V5, H5); \
	EXP(V4, V6, V7); \
	EXP(V5, V6, V7); \
	NARROW(V4, H4, V5, H5, V1); \
	ST(V1, DI)

// func exponential(y, x []float32)
TEXT fn_exponential(SB), NOSPLIT, $0-48
	ONE(EXPONENTIAL)
	RET

DATA limits<>+0(SB)/4, $0x7F800000 // Inf
DATA limits<>+4(SB)/4, $0xFF800000 // -Inf
DATA limits<>+8(SB)/4, $0x7FC00000 // NaN
GLOBL limits<>(SB), RODATA|NOPTR, $12

// Where x is 0, infinite, negative or NaN, the logarithm is put in afterwards.
#define LOGARITHM(LD, ST, label) \
	LD(SI, V1); \
	WIDEN(V1, H1, V4, V5, H5); \
	LOG(V4, V6, V7, V8); \
	LOG(V5, V6, V7, V8); \
	NARROW(V4, H4, V5, H5, V2); \
	VCMPPS $0, V9, V1, M0; \
	BLEND(M0, V9, V2, V2); \
	VCMPPS $0, V0, V1, M0; \
	BLEND(M0, V10, V2, V2); \
	VCMPPS $25, V0, V1, M0; \
	BLEND(M0, V11, V2, V2); \
	ST(V2, DI)

// func logarithm(y, x []float32)
TEXT fn_logarithm(SB), NOSPLIT, $0-48
	CLEAR(V0)
	VBROADCASTSS limits<>+0(SB), V9
	VBROADCASTSS limits<>+4(SB), V10
	VBROADCASTSS limits<>+8(SB), V11
	ONE(LOGARITHM)
	RET

#define erf_12 erf<>+0(SB)
#define erf_11 erf<>+8(SB)
#define erf_10 erf<>+16(SB)
#define erf_9 erf<>+24(SB)
#define erf_8 erf<>+32(SB)
#define erf_7 erf<>+40(SB)
#define erf_6 erf<>+48(SB)
#define erf_5 erf<>+56(SB)
#define erf_4 erf<>+64(SB)
#define erf_3 erf<>+72(SB)
#define erf_2 erf<>+80(SB)
#define erf_1 erf<>+88(SB)
#define erfc_7 erf<>+96(SB)
#define erfc_6 erf<>+104(SB)
#define erfc_5 erf<>+112(SB)
#define erfc_4 erf<>+120(SB)
#define erfc_3 erf<>+128(SB)
#define erfc_2 erf<>+136(SB)
#define erfc_1 erf<>+144(SB)
#define erfc_0 erf<>+152(SB)
#define erf_magnitude erf<>+160(SB)
#define erf_sign erf<>+168(SB)

DATA erf<>+0(SB)/8, $(-1.2290555301717926e-09)
DATA erf<>+8(SB)/8, $1.4807192815879218e-08
DATA erf<>+16(SB)/8, $(-1.6365844691234924e-07)
DATA erf<>+24(SB)/8, $1.6462114365889246e-06
DATA erf<>+32(SB)/8, $(-1.492565035840625e-05)
DATA erf<>+40(SB)/8, $0.00012055332981789664
DATA erf<>+48(SB)/8, $(-0.0008548327023450852)
DATA erf<>+56(SB)/8, $0.005223977625442188
DATA erf<>+64(SB)/8, $(-0.026866170645131252)
DATA erf<>+72(SB)/8, $0.11283791670955126
DATA erf<>+80(SB)/8, $(-0.37612638903183754)
DATA erf<>+88(SB)/8, $1.1283791670955126
DATA erf<>+96(SB)/8, $(-0.22747669145409083)
DATA erf<>+104(SB)/8, $0.9105051758599338
DATA erf<>+112(SB)/8, $(-1.2582411647206069)
DATA erf<>+120(SB)/8, $0.568333785501764
DATA erf<>+128(SB)/8, $(-0.1448340022070455)
DATA erf<>+136(SB)/8, $0.42260922983289995
DATA erf<>+144(SB)/8, $0.9944965070766051
DATA erf<>+152(SB)/8, $(-1.2652407029950654)
DATA erf<>+160(SB)/8, $0x7FFFFFFFFFFFFFFF
DATA erf<>+168(SB)/8, $0x8000000000000000
GLOBL erf<>(SB), RODATA|NOPTR, $176

#define HORNER(c, x, p) \
	VMULPD x, p, p; \
	ADDC(c, p, p)

// ERFWIDE is x = erf x, in doubles, as erf in program.go computes it: of the series
// where x² < 1, and of e^-x² elsewhere. V2, V3, V6, V7, V8 and V11 are between.
#define ERFWIDE(x) \
	VMULPD x, x, V2; \
	MULC(erf_12, V2, V11); \
	ADDC(erf_11, V11, V11); \
	HORNER(erf_10, V2, V11); \
	HORNER(erf_9, V2, V11); \
	HORNER(erf_8, V2, V11); \
	HORNER(erf_7, V2, V11); \
	HORNER(erf_6, V2, V11); \
	HORNER(erf_5, V2, V11); \
	HORNER(erf_4, V2, V11); \
	HORNER(erf_3, V2, V11); \
	HORNER(erf_2, V2, V11); \
	HORNER(erf_1, V2, V11); \
	VMULPD x, V11, V11; \
	ANDC(erf_magnitude, x, V3); \
	MULC(exp_2, V3, V3); \
	ADDC(exp_1, V3, V3); \
	VBROADCASTSD exp_1, T; \
	VDIVPD V3, T, V8; \
	MULC(erfc_7, V8, V3); \
	ADDC(erfc_6, V3, V3); \
	HORNER(erfc_5, V8, V3); \
	HORNER(erfc_4, V8, V3); \
	HORNER(erfc_3, V8, V3); \
	HORNER(erfc_2, V8, V3); \
	HORNER(erfc_1, V8, V3); \
	HORNER(erfc_0, V8, V3); \
	VSUBPD V2, V3, V3; \
	EXP(V3, V6, V7); \
	VMULPD V8, V3, V3; \
	VBROADCASTSD exp_1, T; \
	VSUBPD V3, T, V3; \
	ANDC(erf_sign, x, V6); \
	OR V6, V3, V3; \
	VBROADCASTSD exp_1, T; \
	VCMPPD $17, T, V2, M0; \
	BLENDWIDE(M0, V11, V3, x)

#define ERF(LD, ST, label) \
	LD(SI, V1); \
	WIDEN(V1, H1, V4, V5, H5); \
	ERFWIDE(V4); \
	ERFWIDE(V5); \
	NARROW(V4, H4, V5, H5, V1); \
	ST(V1, DI)

// func erf(y, x []float32)
TEXT fn_erf(SB), NOSPLIT, $0-48
	ONE(ERF)
	RET
