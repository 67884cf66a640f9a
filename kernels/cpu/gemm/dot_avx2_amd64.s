//go:build !purego

#include "textflag.h"

// The 4x3 dots: 12 registers of sums, each 8 partial sums of one dot product,
// three of B and one of A. Rows of B come from memory, AHEAD bytes before they
// are needed.

#define AHEAD 1024

#define ROW(a, p, q, r) \
	VMOVUPS (a)(AX*1), Y15; \
	VFMADD231PS Y12, Y15, p; \
	VFMADD231PS Y13, Y15, q; \
	VFMADD231PS Y14, Y15, r

// LASTROW reads the mask again: there is no register for it.
#define LASTROW(a, p, q, r) \
	VMOVUPS (DI), Y15; \
	VMASKMOVPS (a)(AX*1), Y15, Y15; \
	VFMADD231PS Y12, Y15, p; \
	VFMADD231PS Y13, Y15, q; \
	VFMADD231PS Y14, Y15, r

#define ROWS(op) \
	op(SI, Y0, Y1, Y2); \
	op(R8, Y3, Y4, Y5); \
	op(R9, Y6, Y7, Y8); \
	op(R10, Y9, Y10, Y11)

#define CLEAR(a, p, q, r) \
	VXORPS p, p, p; \
	VXORPS q, q, q; \
	VXORPS r, r, r

// FOLD adds the partial sums of four registers and stores the four sums.
#define FOLD(a, b, c, d, at) \
	VHADDPS b, a, Y12; \
	VHADDPS d, c, Y13; \
	VHADDPS Y13, Y12, Y12; \
	VEXTRACTF128 $1, Y12, X13; \
	VADDPS X13, X12, X12; \
	VMOVUPS X12, at(DI)

// NEXT is row i of a matrix, behind another, or that again if it has only n rows.
#define NEXT(i, n, last, row) \
	LEAQ (last)(R15*1), row; \
	CMPQ n, $i; \
	CMOVQLE last, row

// func dot4x3(k int, a *float32, m int, b *float32, n int, sums *float32)
TEXT ·dot4x3(SB), NOSPLIT, $0-48
	MOVQ k+0(FP), CX
	MOVQ CX, R15
	SHLQ $2, R15
	MOVQ a+8(FP), SI
	MOVQ m+16(FP), AX
	NEXT(1, AX, SI, R8)
	NEXT(2, AX, R8, R9)
	NEXT(3, AX, R9, R10)
	MOVQ b+24(FP), DX
	MOVQ n+32(FP), AX
	NEXT(1, AX, DX, BX)
	NEXT(2, AX, BX, R12)
	ROWS(CLEAR)
	XORQ AX, AX
	SUBQ $8, CX
	JLT  rest
	PCALIGN $64

step:
	VMOVUPS (DX)(AX*1), Y12
	VMOVUPS (BX)(AX*1), Y13
	VMOVUPS (R12)(AX*1), Y14
	PREFETCHT0 AHEAD(DX)(AX*1)
	PREFETCHT0 AHEAD(BX)(AX*1)
	PREFETCHT0 AHEAD(R12)(AX*1)
	ROWS(ROW)
	ADDQ $32, AX
	SUBQ $8, CX
	JGE  step

rest:
	ADDQ $8, CX
	JZ   fold
	LEAQ ·firstLanes+32(SB), DI
	SHLQ $2, CX
	SUBQ CX, DI
	VMOVUPS (DI), Y15
	VMASKMOVPS (DX)(AX*1), Y15, Y12
	VMASKMOVPS (BX)(AX*1), Y15, Y13
	VMASKMOVPS (R12)(AX*1), Y15, Y14
	ROWS(LASTROW)

fold:
	MOVQ sums+40(FP), DI
	FOLD(Y0, Y1, Y2, Y3, 0)
	FOLD(Y4, Y5, Y6, Y7, 16)
	FOLD(Y8, Y9, Y10, Y11, 32)
	VZEROUPPER
	RET
