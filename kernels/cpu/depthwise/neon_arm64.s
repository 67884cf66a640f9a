//go:build !purego

#include "textflag.h"
#include "neon_arm64.h"

// A plane of outputs is summed 32 elements at a time, in V16 to V23, and 16 where no more
// are left. A weight is lane 0 of V24.

// TAPS is a body for every tap: R5 goes through the weights, R6 through the places, R7
// counts, and R8 is where the tap's pixels begin.
#define TAPS(body, tap, done) \
	MOVD R2, R5; \
	MOVD R3, R6; \
	MOVD R4, R7; \
	CBZ  R7, done; \
tap: \
	MOVD.P 8(R6), R8; \
	FMOVS.P 4(R5), F24; \
	ADD  R8<<2, R1, R8; \
	body; \
	SUBS $1, R7, R7; \
	BGT  tap; \
done:

#define SIXTEEN \
	VLD1 (R8), [V0.S4, V1.S4, V2.S4, V3.S4]; \
	FMLAE(16, 0, 24, 0); \
	FMLAE(17, 1, 24, 0); \
	FMLAE(18, 2, 24, 0); \
	FMLAE(19, 3, 24, 0)

#define THIRTYTWO \
	VLD1.P 64(R8), [V0.S4, V1.S4, V2.S4, V3.S4]; \
	FMLAE(16, 0, 24, 0); \
	FMLAE(17, 1, 24, 0); \
	FMLAE(18, 2, 24, 0); \
	FMLAE(19, 3, 24, 0); \
	VLD1 (R8), [V4.S4, V5.S4, V6.S4, V7.S4]; \
	FMLAE(20, 4, 24, 0); \
	FMLAE(21, 5, 24, 0); \
	FMLAE(22, 6, 24, 0); \
	FMLAE(23, 7, 24, 0)

// func correlatePlane(y, x, w *float32, at *int, taps int, bias float32, n int)
TEXT ·correlatePlane(SB), NOSPLIT|NOFRAME, $0-56
	MOVD  y+0(FP), R0
	MOVD  x+8(FP), R1
	MOVD  w+16(FP), R2
	MOVD  at+24(FP), R3
	MOVD  taps+32(FP), R4
	MOVWU bias+40(FP), R9
	VDUP  R9, V25.S4
	MOVD  n+48(FP), R10
	SUBS  $32, R10, R10
	BLT   some

whole:
	VMOV V25.B16, V16.B16
	VMOV V25.B16, V17.B16
	VMOV V25.B16, V18.B16
	VMOV V25.B16, V19.B16
	VMOV V25.B16, V20.B16
	VMOV V25.B16, V21.B16
	VMOV V25.B16, V22.B16
	VMOV V25.B16, V23.B16
	TAPS(THIRTYTWO, tap32, done32)
	VST1.P [V16.S4, V17.S4, V18.S4, V19.S4], 64(R0)
	VST1.P [V20.S4, V21.S4, V22.S4, V23.S4], 64(R0)
	ADD  $128, R1
	SUBS $32, R10, R10
	BGE  whole

some:
	ADDS $32, R10, R10
	BEQ  done
	VMOV V25.B16, V16.B16
	VMOV V25.B16, V17.B16
	VMOV V25.B16, V18.B16
	VMOV V25.B16, V19.B16
	TAPS(SIXTEEN, tap16, done16)
	VST1 [V16.S4, V17.S4, V18.S4, V19.S4], (R0)

done:
	RET

// func dot16(sums, y, x *float32, n int)
TEXT ·dot16(SB), NOSPLIT|NOFRAME, $0-32
	MOVD sums+0(FP), R0
	MOVD y+8(FP), R1
	MOVD x+16(FP), R2
	MOVD n+24(FP), R3
	VLD1 (R0), [V16.S4, V17.S4, V18.S4, V19.S4]

step:
	VLD1.P 64(R1), [V0.S4, V1.S4, V2.S4, V3.S4]
	VLD1.P 64(R2), [V4.S4, V5.S4, V6.S4, V7.S4]
	VFMLA V0.S4, V4.S4, V16.S4
	VFMLA V1.S4, V5.S4, V17.S4
	VFMLA V2.S4, V6.S4, V18.S4
	VFMLA V3.S4, V7.S4, V19.S4
	SUBS $16, R3, R3
	BGT  step
	VST1 [V16.S4, V17.S4, V18.S4, V19.S4], (R0)
	RET
