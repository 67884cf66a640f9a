//go:build !purego

#include "textflag.h"

// The 6x16 tile: 12 registers of sums, two of B's row, one of an element of A.

#define ROW(i, p, q) \
	VBROADCASTSS ((i)*4)(SI), Y14; \
	VFMADD231PS Y14, Y12, p; \
	VFMADD231PS Y14, Y13, q

#define STEP(k) \
	VMOVUPS (k*64)(DX), Y12; \
	VMOVUPS (k*64+32)(DX), Y13; \
	ROW(k*6+0, Y0, Y1); \
	ROW(k*6+1, Y2, Y3); \
	ROW(k*6+2, Y4, Y5); \
	ROW(k*6+3, Y6, Y7); \
	ROW(k*6+4, Y8, Y9); \
	ROW(k*6+5, Y10, Y11)

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
	PREFETCHT0 (R9); \
	PREFETCHT0 60(R9); \
	ADDQ R8, R9

#define SCALE(i, p, q) \
	VMULPS Y14, p, p; \
	VMULPS Y14, q, q

#define ADDC(i, p, q) \
	VFMADD231PS (R9), Y14, p; \
	VFMADD231PS 32(R9), Y14, q; \
	ADDQ R8, R9

#define ADDROW(i, p, q) \
	VBROADCASTSS ((i)*4)(R10), Y14; \
	VADDPS Y14, p, p; \
	VADDPS Y14, q, q

#define ADDCOLUMN(i, p, q) \
	VADDPS Y12, p, p; \
	VADDPS Y13, q, q

#define STORE(i, p, q) \
	VMOVUPS p, (DI); \
	VMOVUPS q, 32(DI); \
	ADDQ R8, DI

// func multiply6x16(k int, a, b, c *float32, ldc int, alpha, beta float32, rowBias, colBias *float32)
TEXT ·multiply6x16(SB), NOSPLIT, $0-64
	MOVQ k+0(FP), CX
	MOVQ a+8(FP), SI
	MOVQ b+16(FP), DX
	MOVQ c+24(FP), DI
	MOVQ ldc+32(FP), R8
	SHLQ $2, R8
	MOVQ DI, R9
	ROWS(FETCH)
	ROWS(ZERO)
	MOVQ CX, BX
	SHRQ $2, BX
	JZ   rest

steps4:
	STEP(0)
	STEP(1)
	STEP(2)
	STEP(3)
	ADDQ $96, SI
	ADDQ $256, DX
	DECQ BX
	JNZ  steps4

rest:
	ANDQ $3, CX
	JZ   alpha

step:
	STEP(0)
	ADDQ $24, SI
	ADDQ $64, DX
	DECQ CX
	JNZ  step

alpha:
	MOVL alpha+40(FP), AX
	CMPL AX, $0x3f800000 // 1
	JEQ  beta
	VBROADCASTSS alpha+40(FP), Y14
	ROWS(SCALE)

beta:
	MOVL beta+44(FP), AX
	SHLL $1, AX // -0 is 0
	JZ   row
	VBROADCASTSS beta+44(FP), Y14
	MOVQ DI, R9
	ROWS(ADDC)

row:
	MOVQ rowBias+48(FP), R10
	TESTQ R10, R10
	JZ   column
	ROWS(ADDROW)

column:
	MOVQ colBias+56(FP), R10
	TESTQ R10, R10
	JZ   store
	VMOVUPS (R10), Y12
	VMOVUPS 32(R10), Y13
	ROWS(ADDCOLUMN)

store:
	ROWS(STORE)
	VZEROUPPER
	RET
