//go:build !purego

#include "go_asm.h"
#include "textflag.h"
#include "neon_arm64.h"

// Element-wise programs: the instructions of program.go. A block is in registers, the
// accumulator, V0 to V15. Each instruction ends with a jump to the next one's code.
//
// R0 is the program and R1 the instruction, R2 the table of code, R3 the blocks of the row
// that are left and R4 how far the block lies behind the first, in bytes. R8 is how far the row
// does, R10 the number of the row and R11 the rows that are left, R12 the blocks of a row, R13
// the elements of the last of them, and R14 how far rows lie apart, in bytes. V16 to V31 are
// between.

#define A Instruction_In
#define B (Instruction_In+Operand__size)
#define C (Instruction_In+2*Operand__size)

// AT is where the block of an operand lies.
#define AT(operand, p) \
	MOVD (operand+Operand_Moves)(R1), p; \
	MOVD (operand+Operand_At)(R1), R9; \
	AND  R4, p; \
	ADD  R9, p

// AHEAD asks for a block that comes soon: what streams from memory arrives in time.
#define AHEAD(p) \
	PRFM (32*const_Block)(p), PLDL1KEEP; \
	PRFM (32*const_Block+64)(p), PLDL1KEEP; \
	PRFM (32*const_Block+128)(p), PLDL1KEEP; \
	PRFM (32*const_Block+192)(p), PLDL1KEEP

#define GO \
	MOVD Instruction_Op(R1), R9; \
	MOVD (R2)(R9<<3), R9; \
	JMP  (R9)

#define NEXT \
	ADD $Instruction__size, R1; \
	GO

// FOUR is a body for four vectors from d on, with an operand in V16 to V19, with a second
// in V20 to V23 and with a third in V24 to V27. A body without operands has these registers for itself.
#define FOUR(body, d) \
	body(d, 16, 20, 24); \
	body(d+1, 17, 21, 25); \
	body(d+2, 18, 22, 26); \
	body(d+3, 19, 23, 27)

#define ONE VLD1.P 64(R5), [V16.S4, V17.S4, V18.S4, V19.S4]
#define TWO ONE; VLD1.P 64(R6), [V20.S4, V21.S4, V22.S4, V23.S4]
#define THREE TWO; VLD1.P 64(R7), [V24.S4, V25.S4, V26.S4, V27.S4]
#define NONE

// EVERY is a body for each vector of the block, after loading the operands.
#define EVERY(load, body, store) \
	load; FOUR(body, 0); store; \
	load; FOUR(body, 4); store; \
	load; FOUR(body, 8); store; \
	load; FOUR(body, 12); store

// WITH is an instruction with one operand.
#define WITH(body) \
	AT(A, R5); \
	EVERY(ONE, body, NONE); \
	NEXT

// BACK stores what is in V16 to V19.
#define BACK VST1.P [V16.S4, V17.S4, V18.S4, V19.S4], 64(R6)

// func runNEON(code []Instruction, width, rows, pitch int)
TEXT ·runNEON(SB), NOSPLIT|NOFRAME, $0-48
	MOVD code_base+0(FP), R0
	MOVD width+24(FP), R13
	MOVD rows+32(FP), R11
	MOVD pitch+40(FP), R14
	LSL  $2, R14
	ADD  $(const_Block-1), R13, R12
	LSR  $6, R12
	SUB  $1, R12, R9
	SUB  R9<<6, R13, R13
	MOVD $table<>(SB), R2
	MOVD $0, R4
	MOVD $0, R8
	MOVD $0, R10
	MOVD R12, R3
	MOVD R0, R1
	GO

TEXT end<>(SB), NOSPLIT|NOFRAME, $0-0
	SUBS $1, R3, R3
	BEQ  row
	ADD  $(4*const_Block), R4
	MOVD R0, R1
	GO
row:
	SUBS $1, R11, R11
	BEQ  last
	ADD  R14, R8
	ADD  $1, R10
	MOVD R8, R4
	MOVD R12, R3
	MOVD R0, R1
	GO
last:
	RET

TEXT spreadRow<>(SB), NOSPLIT|NOFRAME, $0-0
	CMP  R4, R8
	BNE  done
	MOVD (A+Operand_Moves)(R1), R9
	AND  R10, R9
	MOVD (A+Operand_At)(R1), R5
	ADD  R9<<2, R5, R5
	MOVWU (R5), R9
	MOVD (B+Operand_At)(R1), R6
	VDUP R9, V16.S4
	VDUP R9, V17.S4
	VDUP R9, V18.S4
	VDUP R9, V19.S4
	BACK
	BACK
	BACK
	BACK
done:
	NEXT

TEXT load<>(SB), NOSPLIT|NOFRAME, $0-0
	AT(A, R5)
	AHEAD(R5)
	VLD1.P 64(R5), [V0.S4, V1.S4, V2.S4, V3.S4]
	VLD1.P 64(R5), [V4.S4, V5.S4, V6.S4, V7.S4]
	VLD1.P 64(R5), [V8.S4, V9.S4, V10.S4, V11.S4]
	VLD1   (R5), [V12.S4, V13.S4, V14.S4, V15.S4]
	NEXT

// STOREREST stores those elements of a vector that are among R9, as many as are left, at p.
#define STOREREST(v, p) \
	CMP    $4, R9; \
	BLT    4(PC); \
	VST1.P [v.S4], 16(p); \
	SUB    $4, R9; \
	JMP    13(PC); \
	CBZ    R9, 12(PC); \
	VMOV   v.S[0], R7; \
	MOVW.P R7, 4(p); \
	SUBS   $1, R9, R9; \
	BEQ    8(PC); \
	VMOV   v.S[1], R7; \
	MOVW.P R7, 4(p); \
	SUBS   $1, R9, R9; \
	BEQ    4(PC); \
	VMOV   v.S[2], R7; \
	MOVW.P R7, 4(p); \
	MOVD   $0, R9

// REST makes R9 the elements of the block that are the row's, and goes on at rest if these are not
// all of it.
#define REST \
	MOVD R13, R9; \
	CMP  $1, R3; \
	BNE  whole; \
	CMP  $const_Block, R13; \
	BNE  rest; \
whole:

TEXT store<>(SB), NOSPLIT|NOFRAME, $0-0
	AT(A, R5)
	REST
	VST1.P [V0.S4, V1.S4, V2.S4, V3.S4], 64(R5)
	VST1.P [V4.S4, V5.S4, V6.S4, V7.S4], 64(R5)
	VST1.P [V8.S4, V9.S4, V10.S4, V11.S4], 64(R5)
	VST1   [V12.S4, V13.S4, V14.S4, V15.S4], (R5)
	NEXT
rest:
	STOREREST(V0, R5)
	STOREREST(V1, R5)
	STOREREST(V2, R5)
	STOREREST(V3, R5)
	STOREREST(V4, R5)
	STOREREST(V5, R5)
	STOREREST(V6, R5)
	STOREREST(V7, R5)
	STOREREST(V8, R5)
	STOREREST(V9, R5)
	STOREREST(V10, R5)
	STOREREST(V11, R5)
	STOREREST(V12, R5)
	STOREREST(V13, R5)
	STOREREST(V14, R5)
	STOREREST(V15, R5)
	NEXT

#define ADDBLOCK(v, a, b, c) FADD(v, v, a)

TEXT add<>(SB), NOSPLIT|NOFRAME, $0-0
	WITH(ADDBLOCK)

#define SUBBLOCK(v, a, b, c) FSUB(v, v, a)

TEXT sub<>(SB), NOSPLIT|NOFRAME, $0-0
	WITH(SUBBLOCK)

#define SUBFROM(v, a, b, c) FSUB(v, a, v)

TEXT subFrom<>(SB), NOSPLIT|NOFRAME, $0-0
	WITH(SUBFROM)

#define MULBLOCK(v, a, b, c) FMUL(v, v, a)

TEXT mul<>(SB), NOSPLIT|NOFRAME, $0-0
	WITH(MULBLOCK)

// PRODUCT is an instruction with a product of two operands, of which the second may
// stream.
#define PRODUCT(body) \
	AT(A, R5); \
	AT(B, R6); \
	AHEAD(R6); \
	EVERY(TWO, body, NONE); \
	NEXT

#define MULADD(v, a, b, c) FMUL(a, a, b); FADD(v, v, a)

TEXT mulAdd<>(SB), NOSPLIT|NOFRAME, $0-0
	PRODUCT(MULADD)

#define MULSUB(v, a, b, c) FMUL(a, a, b); FSUB(v, v, a)

TEXT mulSub<>(SB), NOSPLIT|NOFRAME, $0-0
	PRODUCT(MULSUB)

#define MULSUBFROM(v, a, b, c) FMUL(a, a, b); FSUB(v, a, v)

TEXT mulSubFrom<>(SB), NOSPLIT|NOFRAME, $0-0
	PRODUCT(MULSUBFROM)

#define DIVBLOCK(v, a, b, c) FDIV(v, v, a)

TEXT div<>(SB), NOSPLIT|NOFRAME, $0-0
	WITH(DIVBLOCK)

#define DIVINTO(v, a, b, c) FDIV(v, a, v)

TEXT divInto<>(SB), NOSPLIT|NOFRAME, $0-0
	WITH(DIVINTO)

// FMIN and FMAX order zeros by their sign: these choose. The operand is taken unless the
// accumulator is smaller, or NaN.
#define MINBLOCK(v, a, b, c) FCMGT(b, a, v); FCMEQ(c, v, v); BIC(c, c, b); BIT(v, a, c)

TEXT min<>(SB), NOSPLIT|NOFRAME, $0-0
	WITH(MINBLOCK)

#define MAXBLOCK(v, a, b, c) FCMGT(b, v, a); FCMEQ(c, v, v); BIC(c, c, b); BIT(v, a, c)

TEXT max<>(SB), NOSPLIT|NOFRAME, $0-0
	WITH(MAXBLOCK)

#define ATLEAST(v, a, b, c) FCMGT(b, a, v); BIT(v, a, b)

TEXT atLeast<>(SB), NOSPLIT|NOFRAME, $0-0
	WITH(ATLEAST)

#define ATMOST(v, a, b, c) FCMGT(b, v, a); BIT(v, a, b)

TEXT atMost<>(SB), NOSPLIT|NOFRAME, $0-0
	WITH(ATMOST)

#define SQUAREBLOCK(v, a, b, c) FMUL(v, v, v)

TEXT square<>(SB), NOSPLIT|NOFRAME, $0-0
	EVERY(NONE, SQUAREBLOCK, NONE)
	NEXT

#define ABSBLOCK(v, a, b, c) FABS(v, v)

TEXT abs<>(SB), NOSPLIT|NOFRAME, $0-0
	EVERY(NONE, ABSBLOCK, NONE)
	NEXT

#define SQRTBLOCK(v, a, b, c) FSQRT(v, v)

TEXT sqrt<>(SB), NOSPLIT|NOFRAME, $0-0
	EVERY(NONE, SQRTBLOCK, NONE)
	NEXT

#define UNIFORMBLOCK(v, a, b, c) USHR8(v, v); UCVTF(v, v); FMUL(v, v, 28)

TEXT uniform<>(SB), NOSPLIT|NOFRAME, $0-0
	MOVD $0x33800000, R9 // 2^-24
	VDUP R9, V28.S4
	EVERY(NONE, UNIFORMBLOCK, NONE)
	NEXT

// CHOICE is b where the accumulator compares with a, else c: V28 is the comparison.
#define CHOICE(body) \
	AT(A, R5); \
	AT(B, R6); \
	AT(C, R7); \
	EVERY(THREE, body, NONE); \
	NEXT

#define CHOOSE(v, b, c) MOV(v, c); BIT(v, b, 28)

#define LESS(v, a, b, c) FCMGT(28, a, v); CHOOSE(v, b, c)

TEXT less<>(SB), NOSPLIT|NOFRAME, $0-0
	CHOICE(LESS)

#define LESSEQUAL(v, a, b, c) FCMGE(28, a, v); CHOOSE(v, b, c)

TEXT lessEqual<>(SB), NOSPLIT|NOFRAME, $0-0
	CHOICE(LESSEQUAL)

#define GREATER(v, a, b, c) FCMGT(28, v, a); CHOOSE(v, b, c)

TEXT greater<>(SB), NOSPLIT|NOFRAME, $0-0
	CHOICE(GREATER)

#define GREATEREQUAL(v, a, b, c) FCMGE(28, v, a); CHOOSE(v, b, c)

TEXT greaterEqual<>(SB), NOSPLIT|NOFRAME, $0-0
	CHOICE(GREATEREQUAL)

#define EQUAL(v, a, b, c) FCMEQ(28, v, a); CHOOSE(v, b, c)

TEXT equal<>(SB), NOSPLIT|NOFRAME, $0-0
	CHOICE(EQUAL)

#define BELOW(v, a, b, c) CMHI(28, a, v); CHOOSE(v, b, c)

TEXT below<>(SB), NOSPLIT|NOFRAME, $0-0
	CHOICE(BELOW)

// INTO stores what the body made of the operand.
#define INTO(body) \
	AT(A, R5); \
	MOVD R5, R6; \
	EVERY(ONE, body, BACK); \
	NEXT

#define ADDINTO(v, a, b, c) FADD(a, a, v)

#define BACKREST \
	STOREREST(V16, R6); \
	STOREREST(V17, R6); \
	STOREREST(V18, R6); \
	STOREREST(V19, R6)

TEXT addInto<>(SB), NOSPLIT|NOFRAME, $0-0
	AT(A, R5)
	MOVD R5, R6
	REST
	EVERY(ONE, ADDINTO, BACK)
	NEXT
rest:
	AT(A, R5)
	MOVD R5, R6
	MOVD R13, R9
	EVERY(ONE, ADDINTO, BACKREST)
	NEXT

#define MAXINTO(v, a, b, c) FCMGT(b, v, a); FCMEQ(c, v, v); BIF(a, v, c); BIT(a, v, b)

TEXT maxInto<>(SB), NOSPLIT|NOFRAME, $0-0
	INTO(MAXINTO)

// SUMPAIR adds eight elements, of two vectors, to the eight sums.
#define SUMPAIR(v) \
	WIDE(16, v); \
	WIDEUPPER(17, v); \
	WIDE(18, v+1); \
	WIDEUPPER(19, v+1); \
	FADDD(24, 24, 16); \
	FADDD(25, 25, 17); \
	FADDD(26, 26, 18); \
	FADDD(27, 27, 19)

TEXT sum<>(SB), NOSPLIT|NOFRAME, $0-0
	MOVD (A+Operand_At)(R1), R5
	VLD1 (R5), [V24.D2, V25.D2, V26.D2, V27.D2]
	SUMPAIR(0)
	SUMPAIR(2)
	SUMPAIR(4)
	SUMPAIR(6)
	SUMPAIR(8)
	SUMPAIR(10)
	SUMPAIR(12)
	SUMPAIR(14)
	VST1 [V24.D2, V25.D2, V26.D2, V27.D2], (R5)
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
