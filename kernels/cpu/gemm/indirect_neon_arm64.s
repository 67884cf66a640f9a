//go:build !purego

#include "textflag.h"
#include "neon_arm64.h"

// The 8x12 tile of the indirect product: as neon8x12, but an element of row i is loaded
// from where it lies, a distance from that of row 0. Sums are in V8 to V31, B's row in V0
// to V2, elements in V3 to V7 in turn. R0 is the place of row 0's element, R3 to R9 are the
// distances of the others.

#define DISTANCE(i, r) \
	MOVD (i*8)(R10), r; \
	SUB  R11, r

#define TRIPLE(x, y) \
	FMLAE(y, 0, x, 0); \
	FMLAE(y+1, 1, x, 0); \
	FMLAE(y+2, 2, x, 0)

#define STEP \
	VLD1.P 48(R2), [V0.S4, V1.S4, V2.S4]; \
	FMOVS (R0), F3; \
	FMOVS (R0)(R3), F4; \
	FMOVS (R0)(R4), F5; \
	FMOVS (R0)(R5), F6; \
	FMOVS (R0)(R6), F7; \
	TRIPLE(3, 8); \
	FMOVS (R0)(R7), F3; \
	TRIPLE(4, 11); \
	FMOVS (R0)(R8), F4; \
	TRIPLE(5, 14); \
	FMOVS (R0)(R9), F5; \
	TRIPLE(6, 17); \
	MOVD.P 8(R1), R12; \
	TRIPLE(7, 20); \
	ADD R12, R0; \
	TRIPLE(3, 23); \
	TRIPLE(4, 26); \
	TRIPLE(5, 29)

// ROWS does op for every row's three registers.
#define ROWS(op) op(8); op(11); op(14); op(17); op(20); op(23); op(26); op(29)

#define CLEAR(y) ZERO(y); ZERO(y+1); ZERO(y+2)

#define ADDPLUS(y) \
	VLD1.P (R14)(R15), [V0.S4, V1.S4, V2.S4]; \
	FADD(y, y, 0); \
	FADD(y+1, y+1, 1); \
	FADD(y+2, y+2, 2)

#define STORE(y) \
	STOREQ(y, 13, 0); \
	STOREQ(y+1, 13, 1); \
	STOREQ(y+2, 13, 2); \
	ADD $48, R13

// func indirect8x12(k int, x *float32, rows, steps *int, b, c, plus *float32, ld int)
TEXT ·indirect8x12(SB), NOSPLIT|NOFRAME, $0-64
	MOVD c+40(FP), R13
	ROWS(CLEAR)
	MOVD rows+16(FP), R10
	MOVD (R10), R11
	DISTANCE(1, R3)
	DISTANCE(2, R4)
	DISTANCE(3, R5)
	DISTANCE(4, R6)
	DISTANCE(5, R7)
	DISTANCE(6, R8)
	DISTANCE(7, R9)
	MOVD x+8(FP), R0
	ADD  R11, R0
	MOVD steps+24(FP), R1
	MOVD b+32(FP), R2
	MOVD k+0(FP), R10
	LSR  $2, R10, R11
	CBZ  R11, rest
	PCALIGN $32

steps4:
	STEP
	STEP
	STEP
	STEP
	SUB  $1, R11, R11
	CBNZ R11, steps4

rest:
	AND $3, R10, R10
	CBZ R10, sums

step:
	STEP
	SUB  $1, R10, R10
	CBNZ R10, step

sums:
	MOVD plus+48(FP), R14
	CBZ  R14, store
	MOVD ld+56(FP), R15
	LSL  $2, R15
	ROWS(ADDPLUS)

store:
	ROWS(STORE)
	RET
