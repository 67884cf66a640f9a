//go:build !purego

#include "textflag.h"
#include "neon_arm64.h"

// Element-wise functions of whole vectors: n is a multiple of 4, or of 8 for sums.

// func relu4(y, x *float32, n int)
TEXT ·relu4(SB), NOSPLIT|NOFRAME, $0-24
	MOVD y+0(FP), R0
	MOVD x+8(FP), R1
	MOVD n+16(FP), R3
	ZERO(4)
one:
	VLD1.P 16(R1), [V0.S4]
	FCMGT(1, 4, 0)
	BIC(0, 0, 1)
	VST1.P [V0.S4], 16(R0)
	SUBS $4, R3, R3
	BGT  one
	RET

// func leakyReLU4(y, x *float32, slope float32, n int)
TEXT ·leakyReLU4(SB), NOSPLIT|NOFRAME, $0-32
	MOVD y+0(FP), R0
	MOVD x+8(FP), R1
	MOVWU slope+16(FP), R2
	VDUP R2, V5.S4
	MOVD n+24(FP), R3
	ZERO(4)
one:
	VLD1.P 16(R1), [V0.S4]
	FCMGT(1, 4, 0)
	FMUL(2, 0, 5)
	BIT(0, 2, 1)
	VST1.P [V0.S4], 16(R0)
	SUBS $4, R3, R3
	BGT  one
	RET

// Constants of doubles, in the order of their registers: of Exp from V16 on, and of tanh
// from V12 on.
DATA wide<>+0(SB)/8, $200.0
DATA wide<>+8(SB)/8, $(-200.0)
DATA wide<>+16(SB)/8, $6755399441055744.0
DATA wide<>+24(SB)/8, $1.4426950408889634
DATA wide<>+32(SB)/8, $0.69314718055994529
DATA wide<>+40(SB)/8, $2.4801587301587302e-05
DATA wide<>+48(SB)/8, $0.00019841269841269841
DATA wide<>+56(SB)/8, $0.0013888888888888889
DATA wide<>+64(SB)/8, $0.0083333333333333332
DATA wide<>+72(SB)/8, $0.041666666666666664
DATA wide<>+80(SB)/8, $0.16666666666666666
DATA wide<>+88(SB)/8, $0.5
DATA wide<>+96(SB)/8, $1.0
DATA wide<>+104(SB)/8, $0x3FF
DATA wide<>+112(SB)/8, $(-0.053968253968253971)
DATA wide<>+120(SB)/8, $0.13333333333333333
DATA wide<>+128(SB)/8, $0.33333333333333331
DATA wide<>+136(SB)/8, $0.01
GLOBL wide<>(SB), RODATA|NOPTR, $144

#define CONSTANTS \
	MOVD $wide<>(SB), R9; \
	VLD1R.P 8(R9), [V16.D2]; \
	VLD1R.P 8(R9), [V17.D2]; \
	VLD1R.P 8(R9), [V18.D2]; \
	VLD1R.P 8(R9), [V19.D2]; \
	VLD1R.P 8(R9), [V20.D2]; \
	VLD1R.P 8(R9), [V21.D2]; \
	VLD1R.P 8(R9), [V22.D2]; \
	VLD1R.P 8(R9), [V23.D2]; \
	VLD1R.P 8(R9), [V24.D2]; \
	VLD1R.P 8(R9), [V25.D2]; \
	VLD1R.P 8(R9), [V26.D2]; \
	VLD1R.P 8(R9), [V27.D2]; \
	VLD1R.P 8(R9), [V28.D2]; \
	VLD1R.P 8(R9), [V29.D2]; \
	VLD1R.P 8(R9), [V12.D2]; \
	VLD1R.P 8(R9), [V13.D2]; \
	VLD1R.P 8(R9), [V14.D2]; \
	VLD1R.P 8(R9), [V15.D2]

#define HORNER(p, x, c) FMULD(p, p, x); FADDD(p, p, c)

// EXP is x = e^x as Exp in exp.go computes it, step by step; k, which is K, and p are for
// what is between. A NaN stays.
#define EXP(x, K, k, p) \
	FMIND(x, x, 16); \
	FMAXD(x, x, 17); \
	FMULD(k, x, 19); \
	FADDD(k, k, 18); \
	FSUBD(p, k, 18); \
	FMULD(p, p, 20); \
	FSUBD(x, x, p); \
	FMULD(p, x, 21); \
	FADDD(p, p, 22); \
	HORNER(p, x, 23); \
	HORNER(p, x, 24); \
	HORNER(p, x, 25); \
	HORNER(p, x, 26); \
	HORNER(p, x, 27); \
	HORNER(p, x, 28); \
	HORNER(p, x, 28); \
	VADD V29.D2, K.D2, K.D2; \
	VSHL $52, K.D2, K.D2; \
	FMULD(x, p, k)

// FUNCTION is a body for two vectors of doubles, V4 and V5, of each vector of floats.
#define FUNCTION(body) \
	MOVD y+0(FP), R0; \
	MOVD x+8(FP), R1; \
	MOVD n+16(FP), R3; \
	CONSTANTS; \
one: \
	VLD1.P 16(R1), [V0.S4]; \
	WIDE(4, 0); \
	WIDEUPPER(5, 0); \
	body(4, V6, 6, 7); \
	body(5, V8, 8, 9); \
	NARROW(0, 4); \
	NARROWUPPER(0, 5); \
	VST1.P [V0.S4], 16(R0); \
	SUBS $4, R3, R3; \
	BGT  one; \
	RET

// func exponential4(y, x *float32, n int)
TEXT ·exponential4(SB), NOSPLIT|NOFRAME, $0-24
	FUNCTION(EXP)

#define SIGMOID(x, K, k, p) \
	FNEGD(x, x); \
	EXP(x, K, k, p); \
	FADDD(x, x, 28); \
	FDIVD(x, 28, x)

// func sigmoid4(y, x *float32, n int)
TEXT ·sigmoid4(SB), NOSPLIT|NOFRAME, $0-24
	FUNCTION(SIGMOID)

// TANH is of the polynomial where x² < 0.01, and of e^2x elsewhere.
#define TANH(x, K, k, p) \
	FMULD(1, x, x); \
	FMULD(2, 1, 12); \
	FADDD(2, 2, 13); \
	FMULD(2, 2, 1); \
	FSUBD(2, 2, 14); \
	FMULD(2, 1, 2); \
	FMULD(2, x, 2); \
	FADDD(2, x, 2); \
	FADDD(x, x, x); \
	EXP(x, K, k, p); \
	FSUBD(p, x, 28); \
	FADDD(x, x, 28); \
	FDIVD(x, p, x); \
	FCMGTD(1, 15, 1); \
	BIT(x, 2, 1)

// func tanh4(y, x *float32, n int)
TEXT ·tanh4(SB), NOSPLIT|NOFRAME, $0-24
	FUNCTION(TANH)

// func expSum8(sums *[8]float64, y, x *float32, largest float32, n int)
TEXT ·expSum8(SB), NOSPLIT|NOFRAME, $0-40
	MOVD  sums+0(FP), R2
	MOVD  y+8(FP), R0
	MOVD  x+16(FP), R1
	FMOVS largest+24(FP), F30
	MOVD  n+32(FP), R3
	CONSTANTS
	WIDE(30, 30)
	VDUP V30.D[0], V30.D2
	ZERO(12)
	ZERO(13)
	ZERO(14)
	ZERO(15)
eight:
	VLD1.P 32(R1), [V0.S4, V1.S4]
	WIDE(2, 0)
	WIDEUPPER(3, 0)
	WIDE(4, 1)
	WIDEUPPER(5, 1)
	FSUBD(2, 2, 30)
	FSUBD(3, 3, 30)
	FSUBD(4, 4, 30)
	FSUBD(5, 5, 30)
	EXP(2, V6, 6, 7)
	EXP(3, V8, 8, 9)
	EXP(4, V6, 6, 7)
	EXP(5, V8, 8, 9)
	FADDD(12, 12, 2)
	FADDD(13, 13, 3)
	FADDD(14, 14, 4)
	FADDD(15, 15, 5)
	NARROW(0, 2)
	NARROWUPPER(0, 3)
	NARROW(1, 4)
	NARROWUPPER(1, 5)
	VST1.P [V0.S4, V1.S4], 32(R0)
	SUBS $8, R3, R3
	BGT  eight
	VST1 [V12.D2, V13.D2, V14.D2, V15.D2], (R2)
	RET

// func largest4(x *float32, n int) float32
TEXT ·largest4(SB), NOSPLIT|NOFRAME, $0-20
	MOVD x+0(FP), R1
	MOVD n+8(FP), R3
	MOVD $0xFF800000, R9
	VDUP R9, V0.S4
one:
	VLD1.P 16(R1), [V1.S4]
	FCMGT(2, 1, 0)
	BIT(0, 1, 2)
	SUBS $4, R3, R3
	BGT  one
	FMAXNMV(0, 0)
	FMOVS F0, ret+16(FP)
	RET

// func scaleWide4(y, x *float32, factor float64, n int)
TEXT ·scaleWide4(SB), NOSPLIT|NOFRAME, $0-32
	MOVD y+0(FP), R0
	MOVD x+8(FP), R1
	MOVD factor+16(FP), R2
	VDUP R2, V3.D2
	MOVD n+24(FP), R3
one:
	VLD1.P 16(R1), [V0.S4]
	WIDE(1, 0)
	WIDEUPPER(2, 0)
	FMULD(1, 1, 3)
	FMULD(2, 2, 3)
	NARROW(0, 1)
	NARROWUPPER(0, 2)
	VST1.P [V0.S4], 16(R0)
	SUBS $4, R3, R3
	BGT  one
	RET
