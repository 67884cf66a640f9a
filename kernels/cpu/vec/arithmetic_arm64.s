//go:build !purego

#include "textflag.h"
#include "neon_arm64.h"

// Arithmetic on whole vectors, n elements, a multiple of 4 and at least one vector.

// PAIRS is a body for the vectors of two sources.
#define PAIRS(body) \
	MOVD y+0(FP), R0; \
	MOVD a+8(FP), R1; \
	MOVD b+16(FP), R2; \
	MOVD n+24(FP), R3; \
	SUBS $16, R3, R3; \
	BLT  some; \
whole: \
	VLD1.P 64(R1), [V0.S4, V1.S4, V2.S4, V3.S4]; \
	VLD1.P 64(R2), [V4.S4, V5.S4, V6.S4, V7.S4]; \
	body(0, 4); \
	body(1, 5); \
	body(2, 6); \
	body(3, 7); \
	VST1.P [V0.S4, V1.S4, V2.S4, V3.S4], 64(R0); \
	SUBS $16, R3, R3; \
	BGE  whole; \
some: \
	ADDS $16, R3, R3; \
	BEQ  done; \
one: \
	VLD1.P 16(R1), [V0.S4]; \
	VLD1.P 16(R2), [V4.S4]; \
	body(0, 4); \
	VST1.P [V0.S4], 16(R0); \
	SUBS $4, R3, R3; \
	BGT  one; \
done: \
	RET

#define ADDPAIR(x, y) FADD(x, x, y)

// func add4(y, a, b *float32, n int)
TEXT ·add4(SB), NOSPLIT|NOFRAME, $0-32
	PAIRS(ADDPAIR)

#define MULPAIR(x, y) FMUL(x, x, y)

// func mul4(y, a, b *float32, n int)
TEXT ·mul4(SB), NOSPLIT|NOFRAME, $0-32
	PAIRS(MULPAIR)

// func fill4(y *float32, v float32, n int)
TEXT ·fill4(SB), NOSPLIT|NOFRAME, $0-24
	MOVD  y+0(FP), R0
	MOVWU v+8(FP), R1
	MOVD  n+16(FP), R3
	VDUP  R1, V0.S4
one:
	VST1.P [V0.S4], 16(R0)
	SUBS $4, R3, R3
	BGT  one
	RET

// n is a multiple of 8.
//
// func sum8(sums *[8]float64, x *float32, n int)
TEXT ·sum8(SB), NOSPLIT|NOFRAME, $0-24
	MOVD sums+0(FP), R0
	MOVD x+8(FP), R1
	MOVD n+16(FP), R3
	ZERO(16)
	ZERO(17)
	ZERO(18)
	ZERO(19)
eight:
	VLD1.P 32(R1), [V0.S4, V1.S4]
	WIDE(2, 0)
	WIDEUPPER(3, 0)
	WIDE(4, 1)
	WIDEUPPER(5, 1)
	FADDD(16, 16, 2)
	FADDD(17, 17, 3)
	FADDD(18, 18, 4)
	FADDD(19, 19, 5)
	SUBS $8, R3, R3
	BGT  eight
	VST1 [V16.D2, V17.D2, V18.D2, V19.D2], (R0)
	RET
