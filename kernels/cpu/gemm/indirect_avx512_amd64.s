//go:build !purego

#include "textflag.h"

// The 13x32 tile of the indirect product: 26 registers of sums, two of B's
// row, and a row's element broadcast from where it lies, a distance from that
// of row 0. Address, steps, B and 12 distances are all registers there are, so
// the ends of the loops are compared in memory. 13x24 and 13x16 are its left
// three quarters and half, for a panel with no more columns.

// DISTANCE gets the distance of a row from row 0, whose place is in AX.
#define DISTANCE(i, r) \
	MOVQ (i*8)(SI), r; \
	SUBQ AX, r

#define DISTANCES \
	DISTANCE(1, BX); \
	DISTANCE(2, CX); \
	DISTANCE(3, DI); \
	DISTANCE(4, R8); \
	DISTANCE(5, R9); \
	DISTANCE(6, R10); \
	DISTANCE(7, R11); \
	DISTANCE(8, R12); \
	DISTANCE(9, R13); \
	DISTANCE(10, R14); \
	DISTANCE(11, R15); \
	DISTANCE(12, BP)

// TERM adds a row's element times B's row.
#define TERM(x, p, q) \
	VFMADD231PS.BCST x, Z26, p; \
	VFMADD231PS.BCST x, Z27, q

#define STEP(k) \
	VMOVUPS (k*128)(DX), Z26; \
	VMOVUPS (k*128+64)(DX), Z27; \
	TERM((AX), Z0, Z1); \
	TERM((AX)(BX*1), Z2, Z3); \
	TERM((AX)(CX*1), Z4, Z5); \
	TERM((AX)(DI*1), Z6, Z7); \
	TERM((AX)(R8*1), Z8, Z9); \
	TERM((AX)(R9*1), Z10, Z11); \
	TERM((AX)(R10*1), Z12, Z13); \
	TERM((AX)(R11*1), Z14, Z15); \
	TERM((AX)(R12*1), Z16, Z17); \
	TERM((AX)(R13*1), Z18, Z19); \
	TERM((AX)(R14*1), Z20, Z21); \
	TERM((AX)(R15*1), Z22, Z23); \
	TERM((AX)(BP*1), Z24, Z25); \
	ADDQ (k*8)(SI), AX

#define MOSTTERM(x, p, h) \
	VFMADD231PS.BCST x, Z26, p; \
	VFMADD231PS.BCST x, Y27, h

#define MOSTSTEP(k) \
	VMOVUPS (k*128)(DX), Z26; \
	VMOVUPS (k*128+64)(DX), Y27; \
	MOSTTERM((AX), Z0, Y1); \
	MOSTTERM((AX)(BX*1), Z2, Y3); \
	MOSTTERM((AX)(CX*1), Z4, Y5); \
	MOSTTERM((AX)(DI*1), Z6, Y7); \
	MOSTTERM((AX)(R8*1), Z8, Y9); \
	MOSTTERM((AX)(R9*1), Z10, Y11); \
	MOSTTERM((AX)(R10*1), Z12, Y13); \
	MOSTTERM((AX)(R11*1), Z14, Y15); \
	MOSTTERM((AX)(R12*1), Z16, Y17); \
	MOSTTERM((AX)(R13*1), Z18, Y19); \
	MOSTTERM((AX)(R14*1), Z20, Y21); \
	MOSTTERM((AX)(R15*1), Z22, Y23); \
	MOSTTERM((AX)(BP*1), Z24, Y25); \
	ADDQ (k*8)(SI), AX

#define HALFTERM(x, p) \
	VFMADD231PS.BCST x, Z26, p

#define HALFSTEP(k) \
	VMOVUPS (k*128)(DX), Z26; \
	HALFTERM((AX), Z0); \
	HALFTERM((AX)(BX*1), Z2); \
	HALFTERM((AX)(CX*1), Z4); \
	HALFTERM((AX)(DI*1), Z6); \
	HALFTERM((AX)(R8*1), Z8); \
	HALFTERM((AX)(R9*1), Z10); \
	HALFTERM((AX)(R10*1), Z12); \
	HALFTERM((AX)(R11*1), Z14); \
	HALFTERM((AX)(R12*1), Z16); \
	HALFTERM((AX)(R13*1), Z18); \
	HALFTERM((AX)(R14*1), Z20); \
	HALFTERM((AX)(R15*1), Z22); \
	HALFTERM((AX)(BP*1), Z24); \
	ADDQ (k*8)(SI), AX

// ROWS does op for every row and its two registers, the second also by its
// lower half.
#define ROWS(op) \
	op(0, Z0, Z1, Y1); \
	op(1, Z2, Z3, Y3); \
	op(2, Z4, Z5, Y5); \
	op(3, Z6, Z7, Y7); \
	op(4, Z8, Z9, Y9); \
	op(5, Z10, Z11, Y11); \
	op(6, Z12, Z13, Y13); \
	op(7, Z14, Z15, Y15); \
	op(8, Z16, Z17, Y17); \
	op(9, Z18, Z19, Y19); \
	op(10, Z20, Z21, Y21); \
	op(11, Z22, Z23, Y23); \
	op(12, Z24, Z25, Y25)

#define ZERO(i, p, q, h) \
	VPXORD p, p, p; \
	VPXORD q, q, q

#define HALFZERO(i, p, q, h) \
	VPXORD p, p, p

// FETCH gets a row of C into the cache while the sums are formed.
#define FETCH(i, p, q, h) \
	PREFETCHT0 (i*128)(DI); \
	PREFETCHT0 (i*128+64)(DI)

#define HALFFETCH(i, p, q, h) \
	PREFETCHT0 (i*128)(DI)

#define ADDPLUS(i, p, q, h) \
	VADDPS (BX), p, p; \
	VADDPS 64(BX), q, q; \
	ADDQ CX, BX

#define MOSTADDPLUS(i, p, q, h) \
	VADDPS (BX), p, p; \
	VADDPS 64(BX), h, h; \
	ADDQ CX, BX

#define HALFADDPLUS(i, p, q, h) \
	VADDPS (BX), p, p; \
	ADDQ CX, BX

#define STORE(i, p, q, h) \
	VMOVUPS p, (i*128)(DI); \
	VMOVUPS q, (i*128+64)(DI)

#define MOSTSTORE(i, p, q, h) \
	VMOVUPS p, (i*128)(DI); \
	VMOVUPS h, (i*128+64)(DI)

#define HALFSTORE(i, p, q, h) \
	VMOVUPS p, (i*128)(DI)

// BEGIN loads the arguments.
#define BEGIN \
	MOVQ b+32(FP), DX; \
	MOVQ k+0(FP), AX; \
	MOVQ AX, BX; \
	SHLQ $7, AX; \
	ADDQ DX, AX; \
	MOVQ AX, end-8(SP); \
	ANDQ $~3, BX; \
	SHLQ $7, BX; \
	ADDQ DX, BX; \
	MOVQ BX, fours-16(SP); \
	MOVQ rows+16(FP), SI; \
	MOVQ (SI), AX; \
	DISTANCES; \
	ADDQ x+8(FP), AX; \
	MOVQ steps+24(FP), SI

// func indirect13x32(k int, x *float32, rows, steps *int, b, c, plus *float32, ld int)
TEXT ·indirect13x32(SB), NOSPLIT, $16-64
	MOVQ c+40(FP), DI
	ROWS(FETCH)
	ROWS(ZERO)
	BEGIN
	CMPQ DX, fours-16(SP)
	JEQ  rest

steps4:
	STEP(0)
	STEP(1)
	STEP(2)
	STEP(3)
	ADDQ $512, DX
	ADDQ $32, SI
	CMPQ DX, fours-16(SP)
	JNE  steps4

rest:
	CMPQ DX, end-8(SP)
	JEQ  sums

step:
	STEP(0)
	ADDQ $128, DX
	ADDQ $8, SI
	CMPQ DX, end-8(SP)
	JNE  step

sums:
	MOVQ c+40(FP), DI
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

// func indirect13x24(k int, x *float32, rows, steps *int, b, c, plus *float32, ld int)
TEXT ·indirect13x24(SB), NOSPLIT, $16-64
	MOVQ c+40(FP), DI
	ROWS(FETCH)
	ROWS(ZERO)
	BEGIN
	CMPQ DX, fours-16(SP)
	JEQ  rest

steps4:
	MOSTSTEP(0)
	MOSTSTEP(1)
	MOSTSTEP(2)
	MOSTSTEP(3)
	ADDQ $512, DX
	ADDQ $32, SI
	CMPQ DX, fours-16(SP)
	JNE  steps4

rest:
	CMPQ DX, end-8(SP)
	JEQ  sums

step:
	MOSTSTEP(0)
	ADDQ $128, DX
	ADDQ $8, SI
	CMPQ DX, end-8(SP)
	JNE  step

sums:
	MOVQ c+40(FP), DI
	MOVQ plus+48(FP), BX
	TESTQ BX, BX
	JEQ  store
	MOVQ ld+56(FP), CX
	SHLQ $2, CX
	ROWS(MOSTADDPLUS)

store:
	ROWS(MOSTSTORE)
	VZEROUPPER
	RET

// func indirect13x16(k int, x *float32, rows, steps *int, b, c, plus *float32, ld int)
TEXT ·indirect13x16(SB), NOSPLIT, $16-64
	MOVQ c+40(FP), DI
	ROWS(HALFFETCH)
	ROWS(HALFZERO)
	BEGIN
	CMPQ DX, fours-16(SP)
	JEQ  rest

steps4:
	HALFSTEP(0)
	HALFSTEP(1)
	HALFSTEP(2)
	HALFSTEP(3)
	ADDQ $512, DX
	ADDQ $32, SI
	CMPQ DX, fours-16(SP)
	JNE  steps4

rest:
	CMPQ DX, end-8(SP)
	JEQ  sums

step:
	HALFSTEP(0)
	ADDQ $128, DX
	ADDQ $8, SI
	CMPQ DX, end-8(SP)
	JNE  step

sums:
	MOVQ c+40(FP), DI
	MOVQ plus+48(FP), BX
	TESTQ BX, BX
	JEQ  store
	MOVQ ld+56(FP), CX
	SHLQ $2, CX
	ROWS(HALFADDPLUS)

store:
	ROWS(HALFSTORE)
	VZEROUPPER
	RET
