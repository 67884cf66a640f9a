//go:build !purego

#include "textflag.h"

// The 12x32 tile: 24 registers of sums, two of B's row, A's elements broadcast
// from memory. That is 24 multiply-adds for 14 loads a step.

#define ROW(i, p, q) \
	VFMADD231PS.BCST ((i)*4)(SI), Z24, p; \
	VFMADD231PS.BCST ((i)*4)(SI), Z25, q

#define STEP(k) \
	VMOVUPS (k*128)(DX), Z24; \
	VMOVUPS (k*128+64)(DX), Z25; \
	ROW(k*12+0, Z0, Z1); \
	ROW(k*12+1, Z2, Z3); \
	ROW(k*12+2, Z4, Z5); \
	ROW(k*12+3, Z6, Z7); \
	ROW(k*12+4, Z8, Z9); \
	ROW(k*12+5, Z10, Z11); \
	ROW(k*12+6, Z12, Z13); \
	ROW(k*12+7, Z14, Z15); \
	ROW(k*12+8, Z16, Z17); \
	ROW(k*12+9, Z18, Z19); \
	ROW(k*12+10, Z20, Z21); \
	ROW(k*12+11, Z22, Z23)

// ROWS does op for every row and its two registers.
#define ROWS(op) \
	op(0, Z0, Z1); \
	op(1, Z2, Z3); \
	op(2, Z4, Z5); \
	op(3, Z6, Z7); \
	op(4, Z8, Z9); \
	op(5, Z10, Z11); \
	op(6, Z12, Z13); \
	op(7, Z14, Z15); \
	op(8, Z16, Z17); \
	op(9, Z18, Z19); \
	op(10, Z20, Z21); \
	op(11, Z22, Z23)

#define ZERO(i, p, q) \
	VPXORD p, p, p; \
	VPXORD q, q, q

// FETCH gets a row of C into the cache while the sums are formed.
#define FETCH(i, p, q) \
	PREFETCHT0 (R9); \
	PREFETCHT0 64(R9); \
	ADDQ R8, R9

#define SCALE(i, p, q) \
	VMULPS Z26, p, p; \
	VMULPS Z26, q, q

#define ADDC(i, p, q) \
	VFMADD231PS (R9), Z26, p; \
	VFMADD231PS 64(R9), Z26, q; \
	ADDQ R8, R9

#define ADDROW(i, p, q) \
	VADDPS.BCST ((i)*4)(R10), p, p; \
	VADDPS.BCST ((i)*4)(R10), q, q

#define ADDCOLUMN(i, p, q) \
	VADDPS Z26, p, p; \
	VADDPS Z27, q, q

#define STORE(i, p, q) \
	VMOVUPS p, (DI); \
	VMOVUPS q, 64(DI); \
	ADDQ R8, DI

// func multiply12x32(k int, a, b, c *float32, ldc int, alpha, beta float32, rowBias, colBias *float32)
TEXT ·multiply12x32(SB), NOSPLIT, $0-64
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
	ADDQ $192, SI
	ADDQ $512, DX
	DECQ BX
	JNZ  steps4

rest:
	ANDQ $3, CX
	JZ   alpha

step:
	STEP(0)
	ADDQ $48, SI
	ADDQ $128, DX
	DECQ CX
	JNZ  step

alpha:
	MOVL alpha+40(FP), AX
	CMPL AX, $0x3f800000 // 1
	JEQ  beta
	VBROADCASTSS alpha+40(FP), Z26
	ROWS(SCALE)

beta:
	MOVL beta+44(FP), AX
	SHLL $1, AX // -0 is 0
	JZ   row
	VBROADCASTSS beta+44(FP), Z26
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
	VMOVUPS (R10), Z26
	VMOVUPS 64(R10), Z27
	ROWS(ADDCOLUMN)

store:
	ROWS(STORE)
	VZEROUPPER
	RET
