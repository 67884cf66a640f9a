//go:build !purego

#include "textflag.h"

// func transpose4(dst, src *float32, rows *int, k, r int)
TEXT ·transpose4(SB), NOSPLIT|NOFRAME, $0-40
	MOVD dst+0(FP), R0
	MOVD src+8(FP), R1
	MOVD rows+16(FP), R2
	MOVD k+24(FP), R3
	MOVD r+32(FP), R4
	LSL  $2, R4
	LDP  (R2), (R5, R6)
	LDP  16(R2), (R7, R8)
	ADD  R5<<2, R1, R5
	ADD  R6<<2, R1, R6
	ADD  R7<<2, R1, R7
	ADD  R8<<2, R1, R8

block:
	VLD1.P 16(R5), [V0.S4]
	VLD1.P 16(R6), [V1.S4]
	VLD1.P 16(R7), [V2.S4]
	VLD1.P 16(R8), [V3.S4]
	VTRN1 V1.S4, V0.S4, V4.S4
	VTRN2 V1.S4, V0.S4, V5.S4
	VTRN1 V3.S4, V2.S4, V6.S4
	VTRN2 V3.S4, V2.S4, V7.S4
	VTRN1 V6.D2, V4.D2, V0.D2
	VTRN1 V7.D2, V5.D2, V1.D2
	VTRN2 V6.D2, V4.D2, V2.D2
	VTRN2 V7.D2, V5.D2, V3.D2
	VST1.P [V0.S4], (R0)(R4)
	VST1.P [V1.S4], (R0)(R4)
	VST1.P [V2.S4], (R0)(R4)
	VST1.P [V3.S4], (R0)(R4)
	SUBS $4, R3, R3
	BGT  block
	RET

// func copy8(dst, src *float32, k, ld int)
TEXT ·copy8(SB), NOSPLIT|NOFRAME, $0-32
	MOVD dst+0(FP), R0
	MOVD src+8(FP), R1
	MOVD k+16(FP), R2
	MOVD ld+24(FP), R3
	LSL  $2, R3
	LSL  $4, R3, R4 // fetch what lies 16 steps ahead

step:
	ADD  R4, R1, R5
	PRFM (R5), PLDL1KEEP
	VLD1.P (R1)(R3), [V0.S4, V1.S4]
	VST1.P [V0.S4, V1.S4], 32(R0)
	SUBS $1, R2, R2
	BGT  step
	RET

// func copy12(dst, src *float32, k, ld int)
TEXT ·copy12(SB), NOSPLIT|NOFRAME, $0-32
	MOVD dst+0(FP), R0
	MOVD src+8(FP), R1
	MOVD k+16(FP), R2
	MOVD ld+24(FP), R3
	LSL  $2, R3
	LSL  $4, R3, R4

step:
	ADD  R4, R1, R5
	PRFM (R5), PLDL1KEEP
	VLD1.P (R1)(R3), [V0.S4, V1.S4, V2.S4]
	VST1.P [V0.S4, V1.S4, V2.S4], 48(R0)
	SUBS $1, R2, R2
	BGT  step
	RET
