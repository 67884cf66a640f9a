//go:build !purego

#include "textflag.h"
#include "neon_arm64.h"

// The 4x4 dots: 16 registers of sums, V16 to V31, each four partial sums of one dot
// product; V0 to V3 are of A, V4 to V7 of B.

#define ROW(a, p, q, r, s) \
	VFMLA V4.S4, a.S4, p.S4; \
	VFMLA V5.S4, a.S4, q.S4; \
	VFMLA V6.S4, a.S4, r.S4; \
	VFMLA V7.S4, a.S4, s.S4

// FOLD adds the partial sums of four registers, and leaves the four sums in the first.
#define FOLD(y) \
	FADDP(y, y, y+1); \
	FADDP(y+2, y+2, y+3); \
	FADDP(y, y, y+2)

// NEXT is row i of a matrix, behind another, or that again if it has only n rows.
#define NEXT(i, n, last, row) \
	ADD R15, last, row; \
	CMP $i, n; \
	CSEL LE, last, row, row

// func dot4x4(k int, a *float32, m int, b *float32, n int, sums *float32, ld int)
TEXT ·dot4x4(SB), NOSPLIT|NOFRAME, $0-56
	MOVD k+0(FP), R8
	MOVD a+8(FP), R0
	MOVD m+16(FP), R9
	MOVD b+24(FP), R4
	MOVD n+32(FP), R10
	MOVD sums+40(FP), R11
	MOVD ld+48(FP), R15
	LSL  $2, R15
	NEXT(1, R9, R0, R1)
	NEXT(2, R9, R1, R2)
	NEXT(3, R9, R2, R3)
	NEXT(1, R10, R4, R5)
	NEXT(2, R10, R5, R6)
	NEXT(3, R10, R6, R7)
	ZERO(16); ZERO(17); ZERO(18); ZERO(19)
	ZERO(20); ZERO(21); ZERO(22); ZERO(23)
	ZERO(24); ZERO(25); ZERO(26); ZERO(27)
	ZERO(28); ZERO(29); ZERO(30); ZERO(31)
	LSR  $2, R8
	CBZ  R8, fold
	PCALIGN $32

step:
	VLD1.P 16(R4), [V4.S4]
	VLD1.P 16(R5), [V5.S4]
	VLD1.P 16(R6), [V6.S4]
	VLD1.P 16(R7), [V7.S4]
	VLD1.P 16(R0), [V0.S4]
	VLD1.P 16(R1), [V1.S4]
	VLD1.P 16(R2), [V2.S4]
	VLD1.P 16(R3), [V3.S4]
	ROW(V0, V16, V17, V18, V19)
	ROW(V1, V20, V21, V22, V23)
	ROW(V2, V24, V25, V26, V27)
	ROW(V3, V28, V29, V30, V31)
	SUB  $1, R8, R8
	CBNZ R8, step

fold:
	FOLD(16)
	FOLD(20)
	FOLD(24)
	FOLD(28)
	VST1.P [V16.S4], 16(R11)
	VST1.P [V20.S4], 16(R11)
	VST1.P [V24.S4], 16(R11)
	VST1 [V28.S4], (R11)
	RET
