//go:build !purego

#include "textflag.h"

DATA nan<>+0(SB)/4, $0x7fffffff
GLOBL nan<>(SB), RODATA|NOPTR, $4

// Eight lanes. What is not equal to itself is NaN.
#define LANES(at) \
	VMOVUPS at(SI), Y0; \
	VMOVUPS at(BX), Y1; \
	VMOVUPS at(CX), Y2; \
	VFMADD231PS Y1, Y0, Y2; \
	VCMPPS $3, Y2, Y2, Y3; \
	VBLENDVPS Y3, Y15, Y2, Y2; \
	VMOVUPS Y2, at(DI)

// func fmaLanesAVX2(d, a, b, c *[32]uint32)
//
// d may be any of the others: lanes are read before they are written.
TEXT ·fmaLanesAVX2(SB), NOSPLIT, $0-32
	MOVQ d+0(FP), DI
	MOVQ a+8(FP), SI
	MOVQ b+16(FP), BX
	MOVQ c+24(FP), CX
	VBROADCASTSS nan<>(SB), Y15
	LANES(0)
	LANES(32)
	LANES(64)
	LANES(96)
	VZEROUPPER
	RET
