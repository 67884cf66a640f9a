//go:build !purego

#include "go_asm.h"
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

// FOLD adds the partial sums of four registers to four sums, in x.
#define FOLD(a, b, c, d, x) \
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
	VADDPS X26, X25, x

// SUMS lists the registers of folded sums: four of each row, then the fifth of
// four rows and of the last row.
#define SUMS(op) \
	op(X0, X25); \
	op(X5, X25); \
	op(X10, X25); \
	op(X15, X25); \
	op(X20, X25); \
	op(X4, X26); \
	op(X24, X26)

#define SCALE(x, bias) VMULPS X27, x, x
#define ADDBIAS(x, bias) VADDPS bias, x, x
#define BOUND(x, bias) VMAXPS x, X28, x // a NaN stays

// NEXT is row i of a matrix, behind another, or that again if it has only n rows.
#define NEXT(i, n, last, row) \
	LEAQ (last)(R15*1), row; \
	CMPQ n, $i; \
	CMOVQLE last, row

// func dot5x5(k int, a *float32, m int, b *float32, n int, c *float32, ldc int, s *Store)
TEXT ·dot5x5(SB), NOSPLIT, $0-64
	MOVQ k+0(FP), CX
	MOVQ CX, R15
	SHLQ $2, R15
	MOVQ a+8(FP), SI
	MOVQ m+16(FP), AX
	NEXT(1, AX, SI, R8)
	NEXT(2, AX, R8, R9)
	NEXT(3, AX, R9, R10)
	NEXT(4, AX, R10, R11)
	MOVQ b+24(FP), DX
	MOVQ n+32(FP), AX
	NEXT(1, AX, DX, BX)
	NEXT(2, AX, BX, R12)
	NEXT(3, AX, R12, R13)
	NEXT(4, AX, R13, DI)
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
	FOLD(Z0, Z1, Z2, Z3, X0)
	FOLD(Z5, Z6, Z7, Z8, X5)
	FOLD(Z10, Z11, Z12, Z13, X10)
	FOLD(Z15, Z16, Z17, Z18, X15)
	FOLD(Z20, Z21, Z22, Z23, X20)
	FOLD(Z4, Z9, Z14, Z19, X4)
	VEXTRACTF64X4 $1, Z24, Y26
	VADDPS Y26, Y24, Y24
	VEXTRACTF32X4 $1, Z24, X26
	VADDPS X26, X24, X24
	VPERMILPS $0xee, X24, X26
	VADDPS X26, X24, X24
	VPERMILPS $0x55, X24, X26
	VADDPS X26, X24, X24
	MOVQ s+56(FP), BX
	VBROADCASTSS Store_Alpha(BX), X27
	SUMS(SCALE)
	MOVQ Store_ColBias(BX), R10
	TESTQ R10, R10
	JZ   store
	VMOVUPS (R10), X25
	VBROADCASTSS 16(R10), X26
	SUMS(ADDBIAS)

store:
	VBROADCASTSS Store_Floor(BX), X28
	SUMS(BOUND)
	MOVQ c+40(FP), DI
	MOVQ ldc+48(FP), R8
	SHLQ $2, R8
	LEAQ (DI)(R8*2), R9
	LEAQ (R9)(R8*2), R10
	VMOVUPS X0, (DI)
	VMOVSS X4, 16(DI)
	VMOVUPS X5, (DI)(R8*1)
	VEXTRACTPS $1, X4, 16(DI)(R8*1)
	VMOVUPS X10, (R9)
	VEXTRACTPS $2, X4, 16(R9)
	VMOVUPS X15, (R9)(R8*1)
	VEXTRACTPS $3, X4, 16(R9)(R8*1)
	VMOVUPS X20, (R10)
	VMOVSS X24, 16(R10)
	VZEROUPPER
	RET
