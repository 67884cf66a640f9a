//go:build !purego

#include "textflag.h"
#include "neon_arm64.h"

// Normalisation across channels, of whole vectors: n is a multiple of 4.

#define SPLAT(bits, r, v) \
	MOVD $bits, r; \
	VDUP r, v.S4

// ROOT is r = x^-1/4 as root in lrn.go computes it, and leaves x. V16 is its magic
// number, V17 1/4 and V18 the largest number; V19, q and s are between.
#define ROOT(X, x, R, r, q, s) \
	VUSHR $2, X.S4, R.S4; \
	VSUB  R.S4, V16.S4, R.S4; \
	FMUL(q, x, 17); \
	NEWTON(r, q, s); \
	NEWTON(r, q, s); \
	NEWTON(r, q, s); \
	FCMGT(s, x, 18); \
	BIC(r, r, s)

#define NEWTON(r, q, s) \
	FMUL(19, r, r); \
	FMUL(s, q, 19); \
	FMUL(s, s, 19); \
	FSUB(s, 17, s); \
	FMUL(s, r, s); \
	FADD(r, r, s)

#define ROOTS \
	SPLAT(0x4F586008, R9, V16); \
	SPLAT(0x3E800000, R9, V17); \
	SPLAT(0x7F7FFFFF, R9, V18)

#define NONE

#define GRADIENT(body) \
	MOVD dx+0(FP), R0; \
	MOVD s+8(FP), R1; \
	MOVD sum+16(FP), R2; \
	MOVD x+24(FP), R4; \
	MOVD dy+32(FP), R5; \
	MOVWU factor+40(FP), R6; \
	VDUP R6, V6.S4; \
	MOVD n+48(FP), R3; \
one: \
	VLD1.P 16(R1), [V0.S4]; \
	VLD1.P 16(R2), [V1.S4]; \
	VLD1.P 16(R4), [V2.S4]; \
	VLD1.P 16(R5), [V3.S4]; \
	FMUL(3, 3, 0); \
	FMUL(2, 2, 1); \
	FMUL(2, 6, 2); \
	FSUB(3, 3, 2); \
	body; \
	VST1.P [V3.S4], 16(R0); \
	SUBS $4, R3, R3; \
	BGT  one; \
	RET

// func squareRows4(y, x *float32, rows, stride int, a, k float32, n int)
TEXT ·squareRows4(SB), NOSPLIT|NOFRAME, $0-48
	MOVD y+0(FP), R0
	MOVD x+8(FP), R1
	MOVD rows+16(FP), R2
	MOVD stride+24(FP), R4
	LSL  $2, R4
	MOVWU a+32(FP), R5
	VDUP R5, V4.S4
	MOVWU k+36(FP), R5
	VDUP R5, V5.S4
	MOVD n+40(FP), R3
column:
	MOVD R1, R6
	MOVD R2, R7
	ZERO(0)
row:
	VLD1.P (R6)(R4), [V1.S4]
	FMUL(2, 4, 1)
	FMUL(2, 2, 1)
	FADD(0, 0, 2)
	SUBS $1, R7, R7
	BGT  row
	FADD(0, 5, 0)
	VST1.P [V0.S4], 16(R0)
	ADD  $16, R1
	SUBS $4, R3, R3
	BGT  column
	RET

// func cubes4(y, scale, x *float32, n int)
TEXT ·cubes4(SB), NOSPLIT|NOFRAME, $0-32
	MOVD y+0(FP), R0
	MOVD scale+8(FP), R1
	MOVD x+16(FP), R2
	MOVD n+24(FP), R3
	ROOTS
one:
	VLD1.P 16(R1), [V0.S4]
	VLD1.P 16(R2), [V1.S4]
	ROOT(V0, 0, V2, 2, 3, 4)
	FMUL(3, 2, 2)
	FMUL(3, 3, 2)
	FMUL(3, 3, 1)
	VST1.P [V3.S4], 16(R0)
	SUBS $4, R3, R3
	BGT  one
	RET

// func lrnTerms754(t, s, scale, x, dy *float32, n int)
TEXT ·lrnTerms754(SB), NOSPLIT|NOFRAME, $0-48
	MOVD t+0(FP), R0
	MOVD s+8(FP), R1
	MOVD scale+16(FP), R2
	MOVD x+24(FP), R4
	MOVD dy+32(FP), R5
	MOVD n+40(FP), R3
	ROOTS
one:
	VLD1.P 16(R2), [V0.S4]
	VLD1.P 16(R4), [V1.S4]
	VLD1.P 16(R5), [V5.S4]
	ROOT(V0, 0, V2, 2, 3, 4)
	FMUL(3, 2, 2)
	FMUL(3, 3, 2) // the cube
	FMUL(4, 3, 2)
	FMUL(4, 1, 4)
	FMUL(5, 5, 3)
	FMUL(4, 4, 5)
	VST1.P [V3.S4], 16(R1)
	VST1.P [V4.S4], 16(R0)
	SUBS $4, R3, R3
	BGT  one
	RET

// func lrnGradient4(dx, s, sum, x, dy *float32, factor float32, n int)
TEXT ·lrnGradient4(SB), NOSPLIT|NOFRAME, $0-56
	GRADIENT(NONE)

#define ADDOLD \
	VLD1 (R0), [V4.S4]; \
	FADD(3, 4, 3)

// func lrnGradientAdd4(dx, s, sum, x, dy *float32, factor float32, n int)
TEXT ·lrnGradientAdd4(SB), NOSPLIT|NOFRAME, $0-56
	GRADIENT(ADDOLD)
