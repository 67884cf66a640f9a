//go:build !purego

#include "textflag.h"

// The 6x16 tile of the indirect product: as ymm6x16, but an element of
// row i is broadcast from where it lies, a distance from that of row 0.

// DISTANCE gets the distance of a row from row 0, whose place is in AX.
#define DISTANCE(i, r) \
	MOVQ (i*8)(SI), r; \
	SUBQ AX, r

#define PAIR(x, p, q) \
	VBROADCASTSS x, Y14; \
	VFMADD231PS Y14, Y12, p; \
	VFMADD231PS Y14, Y13, q

#define STEP(k) \
	VMOVUPS (k*64)(DX), Y12; \
	VMOVUPS (k*64+32)(DX), Y13; \
	PAIR((AX), Y0, Y1); \
	PAIR((AX)(R8*1), Y2, Y3); \
	PAIR((AX)(R9*1), Y4, Y5); \
	PAIR((AX)(R10*1), Y6, Y7); \
	PAIR((AX)(R11*1), Y8, Y9); \
	PAIR((AX)(R12*1), Y10, Y11); \
	ADDQ (k*8)(SI), AX

// ROWS does op for every row and its two registers.
#define ROWS(op) \
	op(0, Y0, Y1); \
	op(1, Y2, Y3); \
	op(2, Y4, Y5); \
	op(3, Y6, Y7); \
	op(4, Y8, Y9); \
	op(5, Y10, Y11)

#define ZERO(i, p, q) \
	VXORPS p, p, p; \
	VXORPS q, q, q

// FETCH gets a row of C into the cache while the sums are formed.
#define FETCH(i, p, q) \
	PREFETCHT0 (i*64)(DI)

#define ADDPLUS(i, p, q) \
	VADDPS (BX), p, p; \
	VADDPS 32(BX), q, q; \
	ADDQ CX, BX

#define STORE(i, p, q) \
	VMOVUPS p, (i*64)(DI); \
	VMOVUPS q, (i*64+32)(DI)

// func indirect6x16(k int, x *float32, rows, steps *int, b, c, plus *float32, ld int)
TEXT ·indirect6x16(SB), NOSPLIT, $0-64
	MOVQ c+40(FP), DI
	ROWS(FETCH)
	ROWS(ZERO)
	MOVQ rows+16(FP), SI
	MOVQ (SI), AX
	DISTANCE(1, R8)
	DISTANCE(2, R9)
	DISTANCE(3, R10)
	DISTANCE(4, R11)
	DISTANCE(5, R12)
	ADDQ x+8(FP), AX
	MOVQ steps+24(FP), SI
	MOVQ b+32(FP), DX
	MOVQ k+0(FP), BX
	MOVQ BX, CX
	SHRQ $2, CX
	JZ   rest

steps4:
	STEP(0)
	STEP(1)
	STEP(2)
	STEP(3)
	ADDQ $256, DX
	ADDQ $32, SI
	DECQ CX
	JNZ  steps4

rest:
	ANDQ $3, BX
	JZ   sums

step:
	STEP(0)
	ADDQ $64, DX
	ADDQ $8, SI
	DECQ BX
	JNZ  step

sums:
	MOVQ plus+48(FP), BX
	TESTQ BX, BX
	JEQ  store
	MOVQ ld+56(FP), CX
	SHLQ $2, CX
	ROWS(ADDPLUS)

store:
	ROWS(STORE)
	VZEROUPPER
	RET
