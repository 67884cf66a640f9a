//go:build !purego

#include "textflag.h"

// The 12x32 tile of the indirect product: as multiply12x32, but an element of
// row i is broadcast from where it lies, a distance from that of row 0. The
// distances fill the registers, so the end of the loop is compared in memory.

// DISTANCE gets the distance of a row from row 0, whose place is in AX.
#define DISTANCE(i, r) \
	MOVQ (i*8)(SI), r; \
	SUBQ AX, r

#define PAIR(x, p, q) \
	VFMADD231PS.BCST x, Z24, p; \
	VFMADD231PS.BCST x, Z25, q

#define STEP(k) \
	VMOVUPS (k*128)(DX), Z24; \
	VMOVUPS (k*128+64)(DX), Z25; \
	PAIR((AX), Z0, Z1); \
	PAIR((AX)(BX*1), Z2, Z3); \
	PAIR((AX)(CX*1), Z4, Z5); \
	PAIR((AX)(DI*1), Z6, Z7); \
	PAIR((AX)(R8*1), Z8, Z9); \
	PAIR((AX)(R9*1), Z10, Z11); \
	PAIR((AX)(R10*1), Z12, Z13); \
	PAIR((AX)(R11*1), Z14, Z15); \
	PAIR((AX)(R12*1), Z16, Z17); \
	PAIR((AX)(R13*1), Z18, Z19); \
	PAIR((AX)(R14*1), Z20, Z21); \
	PAIR((AX)(R15*1), Z22, Z23); \
	ADDQ (k*8)(SI), AX

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
	PREFETCHT0 (i*128)(DI); \
	PREFETCHT0 (i*128+64)(DI)

#define ADDC(i, p, q) \
	VADDPS (i*128)(DI), p, p; \
	VADDPS (i*128+64)(DI), q, q

#define STORE(i, p, q) \
	VMOVUPS p, (i*128)(DI); \
	VMOVUPS q, (i*128+64)(DI)

// func indirect12x32(k int, x *float32, rows, steps *int, b, c *float32, add int)
TEXT ·indirect12x32(SB), NOSPLIT, $16-56
	MOVQ c+40(FP), DI
	ROWS(FETCH)
	ROWS(ZERO)
	MOVQ b+32(FP), DX
	MOVQ k+0(FP), AX
	MOVQ AX, BX
	SHLQ $7, AX
	ADDQ DX, AX
	MOVQ AX, end-8(SP)
	ANDQ $~3, BX
	SHLQ $7, BX
	ADDQ DX, BX
	MOVQ BX, fours-16(SP)
	MOVQ rows+16(FP), SI
	MOVQ (SI), AX
	DISTANCE(1, BX)
	DISTANCE(2, CX)
	DISTANCE(3, DI)
	DISTANCE(4, R8)
	DISTANCE(5, R9)
	DISTANCE(6, R10)
	DISTANCE(7, R11)
	DISTANCE(8, R12)
	DISTANCE(9, R13)
	DISTANCE(10, R14)
	DISTANCE(11, R15)
	ADDQ x+8(FP), AX
	MOVQ steps+24(FP), SI
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
	CMPQ add+48(FP), $0
	JEQ  store
	ROWS(ADDC)

store:
	ROWS(STORE)
	VZEROUPPER
	RET
