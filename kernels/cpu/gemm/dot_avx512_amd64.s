//go:build !purego

#include "textflag.h"

// The 5x5 dots: 25 registers of sums, each 16 partial sums of one dot product,
// five of B and one of A. That is 25 multiply-adds for 10 loads. Rows of B come
// from memory, AHEAD bytes before they are needed.

#define AHEAD 1024

#define ROW(a, p, q, r, s, t) \
	VMOVUPS (a)(AX*1), Z30; \
	VFMADD231PS Z25, Z30, p; \
	VFMADD231PS Z26, Z30, q; \
	VFMADD231PS Z27, Z30, r; \
	VFMADD231PS Z28, Z30, s; \
	VFMADD231PS Z29, Z30, t

#define LASTROW(a, p, q, r, s, t) \
	VMOVUPS.Z (a)(AX*1), K1, Z30; \
	VFMADD231PS Z25, Z30, p; \
	VFMADD231PS Z26, Z30, q; \
	VFMADD231PS Z27, Z30, r; \
	VFMADD231PS Z28, Z30, s; \
	VFMADD231PS Z29, Z30, t

#define ROWS(op) \
	op(SI, Z0, Z1, Z2, Z3, Z4); \
	op(R8, Z5, Z6, Z7, Z8, Z9); \
	op(R9, Z10, Z11, Z12, Z13, Z14); \
	op(R10, Z15, Z16, Z17, Z18, Z19); \
	op(R11, Z20, Z21, Z22, Z23, Z24)

#define CLEAR(a, p, q, r, s, t) \
	VPXORD p, p, p; \
	VPXORD q, q, q; \
	VPXORD r, r, r; \
	VPXORD s, s, s; \
	VPXORD t, t, t

// FOLD adds the partial sums of four registers and stores the four sums.
#define FOLD(a, b, c, d, at) \
	VUNPCKLPS b, a, Z25; \
	VUNPCKHPS b, a, Z26; \
	VADDPS Z26, Z25, Z25; \
	VUNPCKLPS d, c, Z27; \
	VUNPCKHPS d, c, Z28; \
	VADDPS Z28, Z27, Z27; \
	VUNPCKLPD Z27, Z25, Z26; \
	VUNPCKHPD Z27, Z25, Z28; \
	VADDPS Z28, Z26, Z25; \
	VEXTRACTF64X4 $1, Z25, Y26; \
	VADDPS Y26, Y25, Y25; \
	VEXTRACTF32X4 $1, Z25, X26; \
	VADDPS X26, X25, X25; \
	VMOVUPS X25, at(DI)

// func dot5x5(k int, rows *[10]*float32, sums *float32)
TEXT ·dot5x5(SB), NOSPLIT, $0-24
	MOVQ k+0(FP), CX
	MOVQ rows+8(FP), DI
	MOVQ (DI), SI
	MOVQ 8(DI), R8
	MOVQ 16(DI), R9
	MOVQ 24(DI), R10
	MOVQ 32(DI), R11
	MOVQ 40(DI), DX
	MOVQ 48(DI), BX
	MOVQ 56(DI), R12
	MOVQ 64(DI), R13
	MOVQ 72(DI), DI
	ROWS(CLEAR)
	XORQ AX, AX
	SUBQ $16, CX
	JLT  rest
	PCALIGN $64

step:
	VMOVUPS (DX)(AX*1), Z25
	VMOVUPS (BX)(AX*1), Z26
	VMOVUPS (R12)(AX*1), Z27
	VMOVUPS (R13)(AX*1), Z28
	VMOVUPS (DI)(AX*1), Z29
	PREFETCHT0 AHEAD(DX)(AX*1)
	PREFETCHT0 AHEAD(BX)(AX*1)
	PREFETCHT0 AHEAD(R12)(AX*1)
	PREFETCHT0 AHEAD(R13)(AX*1)
	PREFETCHT0 AHEAD(DI)(AX*1)
	ROWS(ROW)
	ADDQ $64, AX
	SUBQ $16, CX
	JGE  step

rest:
	ADDQ $16, CX
	JZ   fold
	MOVL $1, R15
	SHLL CX, R15
	DECL R15
	KMOVW R15, K1
	VMOVUPS.Z (DX)(AX*1), K1, Z25
	VMOVUPS.Z (BX)(AX*1), K1, Z26
	VMOVUPS.Z (R12)(AX*1), K1, Z27
	VMOVUPS.Z (R13)(AX*1), K1, Z28
	VMOVUPS.Z (DI)(AX*1), K1, Z29
	ROWS(LASTROW)

fold:
	MOVQ sums+16(FP), DI
	FOLD(Z0, Z1, Z2, Z3, 0)
	FOLD(Z4, Z5, Z6, Z7, 16)
	FOLD(Z8, Z9, Z10, Z11, 32)
	FOLD(Z12, Z13, Z14, Z15, 48)
	FOLD(Z16, Z17, Z18, Z19, 64)
	FOLD(Z20, Z21, Z22, Z23, 80)
	VEXTRACTF64X4 $1, Z24, Y26
	VADDPS Y26, Y24, Y24
	VEXTRACTF32X4 $1, Z24, X26
	VADDPS X26, X24, X24
	VPERMILPS $0xee, X24, X26
	VADDPS X26, X24, X24
	VPERMILPS $0x55, X24, X26
	VADDSS X26, X24, X24
	VMOVSS X24, 96(DI)
	VZEROUPPER
	RET
