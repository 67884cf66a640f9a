//go:build !purego

#include "go_asm.h"
#include "textflag.h"

// Sixteen lanes. A transform of a line takes Z16-Z19 and Z4-Z6 and leaves
// Z7-Z13; the lines are first the rows of the patches and then, by way of
// Work, the columns. generic.go says what is computed.
//
// SI source, DI destination, BX offsets, R11 Work, R12 arguments, R13 table.

#define LINE 448 // bytes of seven vectors

#define PAIR(i) (i*pair__size)
#define COEF(offset) (offset)(R13)

// Rows of different channels lie far apart, where no prefetcher of the
// processor follows; the next tile's are in the next cache line at most.

// LOAD2 loads a row of lane i into the lower half of z, and of lane i+4 into
// the upper: the byte before a mask of columns is zero, and so shifts it.
#define LOAD2(i, y, z) \
	MOVQ ((i)*8)(BX), DX; \
	MOVQ ((i)*8+32)(BX), R15; \
	KMOVW ((i)*2)(AX), K1; \
	KMOVW ((i)*2+7)(AX), K2; \
	PREFETCHT0 64(R8)(DX*4); \
	PREFETCHT0 64(R8)(R15*4); \
	VMOVUPS.Z (R8)(DX*4), K1, y; \
	VBROADCASTF32X8 (R8)(R15*4), K2, z

// QUAD transposes four by four elements in each quarter.
#define QUAD(a, b, c, d) \
	VUNPCKLPS b, a, Z7; \
	VUNPCKHPS b, a, Z8; \
	VUNPCKLPS d, c, Z9; \
	VUNPCKHPS d, c, Z10; \
	VUNPCKLPD Z9, Z7, a; \
	VUNPCKHPD Z9, Z7, b; \
	VUNPCKLPD Z10, Z8, c; \
	VUNPCKHPD Z10, Z8, d

// LOAD loads a row of every lane as columns.
#define LOAD \
	LOAD2(0, Y0, Z0); \
	LOAD2(1, Y1, Z1); \
	LOAD2(2, Y2, Z2); \
	LOAD2(3, Y3, Z3); \
	LOAD2(8, Y4, Z4); \
	LOAD2(9, Y5, Z5); \
	LOAD2(10, Y6, Z6); \
	LOAD2(11, Y11, Z11); \
	QUAD(Z0, Z1, Z2, Z3); \
	QUAD(Z4, Z5, Z6, Z11); \
	VSHUFF32X4 $0x88, Z4, Z0, Z16; \
	VSHUFF32X4 $0x88, Z5, Z1, Z17; \
	VSHUFF32X4 $0x88, Z6, Z2, Z18; \
	VSHUFF32X4 $0x88, Z11, Z3, Z19; \
	VSHUFF32X4 $0xDD, Z4, Z0, Z4; \
	VSHUFF32X4 $0xDD, Z5, Z1, Z5; \
	VSHUFF32X4 $0xDD, Z6, Z2, Z6

// IMAGE2 is two rows of B.
#define IMAGE2(i, s, t, ps, pt, plus, minus) \
	VMOVAPS Z6, Z14; \
	VMULPS.BCST COEF(PAIR(i)+pair_p), Z5, Z15; \
	VFMADD231PS s, Z4, Z14; \
	VFMADD231PS ps, Z19, Z15; \
	VFMADD231PS t, Z18, Z14; \
	VFMADD231PS pt, Z17, Z15; \
	VADDPS Z15, Z14, plus; \
	VSUBPS Z15, Z14, minus

#define IMAGE \
	VMOVAPS Z6, Z7; \
	VFMADD231PS.BCST COEF(coefficients_e4), Z4, Z7; \
	VFMADD231PS.BCST COEF(coefficients_e2), Z18, Z7; \
	VFMADD231PS.BCST COEF(coefficients_e0), Z16, Z7; \
	IMAGE2(0, Z20, Z21, Z22, Z23, Z8, Z9); \
	IMAGE2(1, Z24, Z25, Z26, Z27, Z10, Z11); \
	IMAGE2(2, Z28, Z29, Z30, Z31, Z12, Z13)

#define IMAGECOEFS(i, s, t, ps, pt) \
	VBROADCASTSS COEF(PAIR(i)+pair_s), s; \
	VBROADCASTSS COEF(PAIR(i)+pair_t), t; \
	VBROADCASTSS COEF(PAIR(i)+pair_ps), ps; \
	VBROADCASTSS COEF(PAIR(i)+pair_pt), pt

#define EVALUATE5X2(i, plus, minus) \
	VMULPS.BCST COEF(PAIR(i)+pair_n0), Z16, Z14; \
	VMULPS.BCST COEF(PAIR(i)+pair_n1), Z17, Z15; \
	VFMADD231PS.BCST COEF(PAIR(i)+pair_n2), Z18, Z14; \
	VFMADD231PS.BCST COEF(PAIR(i)+pair_n3), Z19, Z15; \
	VFMADD231PS.BCST COEF(PAIR(i)+pair_n4), Z4, Z14; \
	VADDPS Z15, Z14, plus; \
	VSUBPS Z15, Z14, minus

#define EVALUATE5 \
	VMULPS.BCST COEF(coefficients_n), Z16, Z7; \
	EVALUATE5X2(0, Z8, Z9); \
	EVALUATE5X2(1, Z10, Z11); \
	EVALUATE5X2(2, Z12, Z13)

#define EVALUATE3X2(i, plus, minus) \
	VMULPS.BCST COEF(PAIR(i)+pair_n0), Z16, Z14; \
	VMULPS.BCST COEF(PAIR(i)+pair_n1), Z17, Z15; \
	VFMADD231PS.BCST COEF(PAIR(i)+pair_n2), Z18, Z14; \
	VADDPS Z15, Z14, plus; \
	VSUBPS Z15, Z14, minus

#define EVALUATE3 \
	VMULPS.BCST COEF(coefficients_n), Z16, Z7; \
	EVALUATE3X2(0, Z8, Z9); \
	EVALUATE3X2(1, Z10, Z11); \
	EVALUATE3X2(2, Z12, Z13)

// GATHER is a whole transform of patches of size rows.
#define GATHER(size, transform) \
next: \
	MOVQ SI, R8; \
	LEAQ Patches_Columns(BX), AX; \
	MOVQ R11, R9; \
	MOVQ $size, R10; \
row: \
	LOAD; \
	transform; \
	VMOVUPS Z7, (R9); \
	VMOVUPS Z8, 64(R9); \
	VMOVUPS Z9, 128(R9); \
	VMOVUPS Z10, 192(R9); \
	VMOVUPS Z11, 256(R9); \
	VMOVUPS Z12, 320(R9); \
	VMOVUPS Z13, 384(R9); \
	ADDQ $LINE, R9; \
	ADDQ $32, AX; \
	MOVQ Gather_Pitch(R12), DX; \
	LEAQ (R8)(DX*4), R8; \
	DECQ R10; \
	JNZ row; \
	MOVQ R11, R9; \
	MOVQ DI, R8; \
	MOVQ Gather_Step(R12), DX; \
	SHLQ $2, DX; \
	IMUL3Q $7, DX, R10; \
	LEAQ (R10)(R10*2), AX; \
	MOVQ $7, R15; \
column: \
	VMOVUPS (R9), Z16; \
	VMOVUPS LINE(R9), Z17; \
	VMOVUPS (2*LINE)(R9), Z18; \
	VMOVUPS (3*LINE)(R9), Z19; \
	VMOVUPS (4*LINE)(R9), Z4; \
	VMOVUPS (5*LINE)(R9), Z5; \
	VMOVUPS (6*LINE)(R9), Z6; \
	transform; \
	LEAQ (R8)(R10*4), BX; \
	VMOVUPS Z7, K7, (R8); \
	VMOVUPS Z8, K7, (R8)(R10*1); \
	VMOVUPS Z9, K7, (R8)(R10*2); \
	VMOVUPS Z10, K7, (R8)(AX*1); \
	VMOVUPS Z11, K7, (R8)(R10*4); \
	VMOVUPS Z12, K7, (BX)(R10*1); \
	VMOVUPS Z13, K7, (BX)(R10*2); \
	ADDQ $64, R9; \
	ADDQ DX, R8; \
	DECQ R15; \
	JNZ column; \
	MOVQ Gather_Patches(R12), BX; \
	MOVQ Gather_SrcStep(R12), DX; \
	LEAQ (SI)(DX*4), SI; \
	MOVQ Gather_DstStep(R12), DX; \
	LEAQ (DI)(DX*4), DI; \
	DECQ CX; \
	JNZ next; \
	VZEROUPPER; \
	RET

// BEGIN reads the arguments. K7 is the lanes to store.
#define BEGIN \
	MOVQ t+0(FP), R12; \
	MOVQ Gather_Store(R12), CX; \
	MOVL $1, AX; \
	SHLL CX, AX; \
	DECL AX; \
	KMOVW AX, K7; \
	MOVQ Gather_Dst(R12), DI; \
	MOVQ Gather_Src(R12), SI; \
	MOVQ Gather_Base(R12), DX; \
	LEAQ (SI)(DX*4), SI; \
	MOVQ Gather_Patches(R12), BX; \
	MOVQ Gather_Work(R12), R11; \
	LEAQ ·table(SB), R13; \
	MOVQ Gather_N(R12), CX

// func image16(t *Gather)
TEXT ·image16(SB), NOSPLIT, $0-8
	BEGIN
	IMAGECOEFS(0, Z20, Z21, Z22, Z23)
	IMAGECOEFS(1, Z24, Z25, Z26, Z27)
	IMAGECOEFS(2, Z28, Z29, Z30, Z31)
	GATHER(7, IMAGE)

// func evaluate3x16(t *Gather)
TEXT ·evaluate3x16(SB), NOSPLIT, $0-8
	BEGIN
	GATHER(3, EVALUATE3)

// func evaluate5x16(t *Gather)
TEXT ·evaluate5x16(SB), NOSPLIT, $0-8
	BEGIN
	GATHER(5, EVALUATE5)

// SUMS leaves the sums of the pairs of Z1-Z6 in Z12, Z14 and Z16, their
// differences in Z13, Z15 and Z17, and the first output in Z7.
#define SUMS \
	VADDPS Z2, Z1, Z12; \
	VADDPS Z4, Z3, Z14; \
	VADDPS Z6, Z5, Z16; \
	VSUBPS Z2, Z1, Z13; \
	VSUBPS Z4, Z3, Z15; \
	VSUBPS Z6, Z5, Z17; \
	VADDPS Z12, Z0, Z7; \
	VADDPS Z16, Z14, Z18; \
	VADDPS Z18, Z7, Z7

#define OUTPUT(coef, a, b, c, y) \
	VMULPS.BCST COEF(PAIR(0)+coef), a, y; \
	VFMADD231PS.BCST COEF(PAIR(1)+coef), b, y; \
	VFMADD231PS.BCST COEF(PAIR(2)+coef), c, y

#define INTERPOLATE3 \
	SUMS; \
	OUTPUT(pair_p1, Z13, Z15, Z17, Z8); \
	OUTPUT(pair_p2, Z12, Z14, Z16, Z9)

#define INTERPOLATE5 \
	INTERPOLATE3; \
	OUTPUT(pair_p3, Z13, Z15, Z17, Z10); \
	OUTPUT(pair_p4, Z12, Z14, Z16, Z11)

#define FINISH(y) \
	VADDPS Z30, y, y; \
	VMAXPS y, Z29, y // a NaN stays

#define MASKS(i) \
	KMOVW ((i)*2)(R15), K1; \
	KMOVW ((i)*2+8)(R15), K2; \
	KMOVW ((i)*2+16)(R15), K3; \
	KMOVW ((i)*2+24)(R15), K4

// A row of lanes i, i+4, i+8 and i+12: a quarter of z each. Quarters go through
// registers: VEXTRACTF32X4 to memory faults at elements that its mask leaves out.
#define STORE3(i, x, y, z) \
	MASKS(i); \
	PREFETCHT0 64(BX); \
	PREFETCHT0 64(BX)(AX*1); \
	PREFETCHT0 64(BX)(AX*2); \
	PREFETCHT0 64(BX)(DX*1); \
	VEXTRACTF32X4 $1, z, X20; \
	VEXTRACTF32X4 $2, z, X21; \
	VEXTRACTF32X4 $3, z, X22; \
	VMOVUPS x, K1, (BX); \
	VMOVUPS X20, K2, (BX)(AX*1); \
	VMOVUPS X21, K3, (BX)(AX*2); \
	VMOVUPS X22, K4, (BX)(DX*1); \
	ADDQ R10, BX

#define ADD3(i, x, y, z) \
	MASKS(i); \
	VEXTRACTF32X4 $1, z, X20; \
	VEXTRACTF32X4 $2, z, X21; \
	VEXTRACTF32X4 $3, z, X22; \
	VADDPS (BX), x, K1, x; \
	VADDPS (BX)(AX*1), X20, K2, X20; \
	VADDPS (BX)(AX*2), X21, K3, X21; \
	VADDPS (BX)(DX*1), X22, K4, X22; \
	VMOVUPS x, K1, (BX); \
	VMOVUPS X20, K2, (BX)(AX*1); \
	VMOVUPS X21, K3, (BX)(AX*2); \
	VMOVUPS X22, K4, (BX)(DX*1); \
	ADDQ R10, BX

// The same with a fifth column, the first of each quarter of Z11.
#define STORE5(i, x, y, z) \
	MASKS(i); \
	VPERMILPS $(i), Z11, Z21; \
	VMOVAPS z, Z20; \
	VPERMT2PD Z21, Z27, Z20; \
	VPERMT2PD Z21, Z28, z; \
	PREFETCHT0 64(BX); \
	PREFETCHT0 64(BX)(AX*1); \
	PREFETCHT0 64(BX)(AX*2); \
	PREFETCHT0 64(BX)(DX*1); \
	VEXTRACTF32X8 $1, Z20, Y22; \
	VEXTRACTF32X8 $1, z, Y23; \
	VMOVUPS Y20, K1, (BX); \
	VMOVUPS Y22, K2, (BX)(AX*1); \
	VMOVUPS y, K3, (BX)(AX*2); \
	VMOVUPS Y23, K4, (BX)(DX*1); \
	ADDQ R10, BX

#define ADD5(i, x, y, z) \
	MASKS(i); \
	VPERMILPS $(i), Z11, Z21; \
	VMOVAPS z, Z20; \
	VPERMT2PD Z21, Z27, Z20; \
	VPERMT2PD Z21, Z28, z; \
	VEXTRACTF32X8 $1, Z20, Y22; \
	VEXTRACTF32X8 $1, z, Y23; \
	VADDPS (BX), Y20, K1, Y20; \
	VADDPS (BX)(AX*1), Y22, K2, Y22; \
	VADDPS (BX)(AX*2), y, K3, y; \
	VADDPS (BX)(DX*1), Y23, K4, Y23; \
	VMOVUPS Y20, K1, (BX); \
	VMOVUPS Y22, K2, (BX)(AX*1); \
	VMOVUPS y, K3, (BX)(AX*2); \
	VMOVUPS Y23, K4, (BX)(DX*1); \
	ADDQ R10, BX

#define LANES(op) \
	op(0, X0, Y0, Z0); \
	op(1, X1, Y1, Z1); \
	op(2, X2, Y2, Z2); \
	op(3, X3, Y3, Z3)

// TRANSPOSE makes of Z7-Z10, columns, Z0-Z3, four columns of lanes i, i+4,
// i+8 and i+12.
#define TRANSPOSE \
	VUNPCKLPS Z8, Z7, Z12; \
	VUNPCKHPS Z8, Z7, Z13; \
	VUNPCKLPS Z10, Z9, Z14; \
	VUNPCKHPS Z10, Z9, Z15; \
	VUNPCKLPD Z14, Z12, Z0; \
	VUNPCKHPD Z14, Z12, Z1; \
	VUNPCKLPD Z15, Z13, Z2; \
	VUNPCKHPD Z15, Z13, Z3

#define FINISH3 \
	FINISH(Z7); \
	FINISH(Z8); \
	FINISH(Z9); \
	VPXORD Z10, Z10, Z10

#define FINISH5 \
	FINISH(Z7); \
	FINISH(Z8); \
	FINISH(Z9); \
	FINISH(Z10); \
	FINISH(Z11)

#define KEEP3 \
	VMOVUPS Z7, (R9); \
	VMOVUPS Z8, LINE(R9); \
	VMOVUPS Z9, (2*LINE)(R9)

#define KEEP5 \
	KEEP3; \
	VMOVUPS Z10, (3*LINE)(R9); \
	VMOVUPS Z11, (4*LINE)(R9)

// COLUMNS transforms seven columns of frequencies, a step apart, to Work.
#define COLUMNS(step, transform, keep) \
	MOVQ SI, R8; \
	MOVQ R11, R9; \
	MOVQ step(R12), DX; \
	SHLQ $2, DX; \
	IMUL3Q $7, DX, R10; \
	LEAQ (R10)(R10*2), AX; \
	MOVQ $7, CX; \
column: \
	LEAQ (R8)(R10*4), BX; \
	VMOVUPS (R8), Z0; \
	VMOVUPS (R8)(R10*1), Z1; \
	VMOVUPS (R8)(R10*2), Z2; \
	VMOVUPS (R8)(AX*1), Z3; \
	VMOVUPS (R8)(R10*4), Z4; \
	VMOVUPS (BX)(R10*1), Z5; \
	VMOVUPS (BX)(R10*2), Z6; \
	transform; \
	keep; \
	ADDQ $64, R9; \
	ADDQ DX, R8; \
	DECQ CX; \
	JNZ column

// ROW loads a row of Work.
#define ROW \
	VMOVUPS (R9), Z0; \
	VMOVUPS 64(R9), Z1; \
	VMOVUPS 128(R9), Z2; \
	VMOVUPS 192(R9), Z3; \
	VMOVUPS 256(R9), Z4; \
	VMOVUPS 320(R9), Z5; \
	VMOVUPS 384(R9), Z6

// SCATTER is a whole transform. Z30 is the bias and Z29 what no output is
// below.
#define SCATTER(transform, keep, finish, store, add) \
	MOVQ t+0(FP), R12; \
	MOVQ Scatter_Dst(R12), DI; \
	MOVQ Scatter_Base(R12), DX; \
	LEAQ (DI)(DX*4), DI; \
	MOVQ Scatter_Src(R12), SI; \
	MOVQ Scatter_Work(R12), R11; \
	LEAQ ·table(SB), R13; \
	VMOVUPS ·halves(SB), Z27; \
	VMOVUPS ·halves+64(SB), Z28; \
	VPXORD Z30, Z30, Z30; \
	VPXORD Z29, Z29, Z29; \
	MOVQ Scatter_N(R12), AX; \
	MOVQ AX, n-8(SP); \
	MOVQ Scatter_Bias(R12), AX; \
	MOVQ AX, bias-16(SP); \
	CMPB Scatter_ReLU(R12), $0; \
	JNE next; \
	MOVL $0xFF800000, AX; \
	VPBROADCASTD AX, Z29; \
next: \
	MOVQ bias-16(SP), AX; \
	TESTQ AX, AX; \
	JZ unbiased; \
	VMOVUPS (AX), Z30; \
	ADDQ $64, AX; \
	MOVQ AX, bias-16(SP); \
unbiased: \
	COLUMNS(Scatter_Step, transform, keep); \
	MOVQ DI, R8; \
	MOVQ R11, R9; \
	MOVQ Scatter_Plane(R12), R10; \
	SHLQ $2, R10; \
	LEAQ (R10*4), AX; \
	LEAQ (AX)(AX*2), DX; \
	LEAQ Scatter_Columns(R12), R15; \
	MOVQ Scatter_Rows(R12), CX; \
row: \
	ROW; \
	transform; \
	finish; \
	TRANSPOSE; \
	MOVQ R8, BX; \
	CMPB Scatter_Accumulate(R12), $0; \
	JNE accumulate; \
	LANES(store); \
	JMP stored; \
accumulate: \
	LANES(add); \
stored: \
	ADDQ $LINE, R9; \
	MOVQ Scatter_Pitch(R12), BX; \
	LEAQ (R8)(BX*4), R8; \
	DECQ CX; \
	JNZ row; \
	ADDQ $64, SI; \
	SHLQ $4, R10; \
	ADDQ R10, DI; \
	DECQ n-8(SP); \
	JNZ next; \
	VZEROUPPER; \
	RET

// func interpolate3x16(t *Scatter)
TEXT ·interpolate3x16(SB), NOSPLIT, $16-8
	SCATTER(INTERPOLATE3, KEEP3, FINISH3, STORE3, ADD3)

// func interpolate5x16(t *Scatter)
TEXT ·interpolate5x16(SB), NOSPLIT, $16-8
	SCATTER(INTERPOLATE5, KEEP5, FINISH5, STORE5, ADD5)

// SPREAD takes Z0-Z6 to Z19, Z18, Z11, Z10, Z9, Z8 and Z7.
#define SPREAD \
	SUMS; \
	OUTPUT(pair_p, Z13, Z15, Z17, Z8); \
	OUTPUT(pair_s, Z12, Z14, Z16, Z9); \
	OUTPUT(pair_ps, Z13, Z15, Z17, Z10); \
	OUTPUT(pair_t, Z12, Z14, Z16, Z11); \
	OUTPUT(pair_pt, Z13, Z15, Z17, Z18); \
	VFMADD231PS.BCST COEF(coefficients_e4), Z0, Z9; \
	VFMADD231PS.BCST COEF(coefficients_e2), Z0, Z11; \
	VMULPS.BCST COEF(coefficients_e0), Z0, Z19

#define KEEP7 \
	VMOVUPS Z19, (R9); \
	VMOVUPS Z18, LINE(R9); \
	VMOVUPS Z11, (2*LINE)(R9); \
	VMOVUPS Z10, (3*LINE)(R9); \
	VMOVUPS Z9, (4*LINE)(R9); \
	VMOVUPS Z8, (5*LINE)(R9); \
	VMOVUPS Z7, (6*LINE)(R9)

#define ADD(at, z) \
	VADDPS at, z, z; \
	VMOVUPS z, at

// func spread16(t *Spread)
TEXT ·spread16(SB), NOSPLIT, $8-8
	MOVQ t+0(FP), R12
	MOVQ Spread_Dst(R12), DI
	MOVQ Spread_Src(R12), SI
	MOVQ Spread_Work(R12), R11
	LEAQ ·table(SB), R13
	MOVQ Spread_N(R12), AX
	MOVQ AX, n-8(SP)
next:
	COLUMNS(Spread_Step, SPREAD, KEEP7)
	MOVQ DI, R8
	MOVQ R11, R9
	MOVQ Spread_Pixel(R12), R10
	SHLQ $2, R10
	LEAQ (R10)(R10*2), AX
	MOVQ Spread_Pitch(R12), DX
	MOVQ $7, CX
row:
	LEAQ (R8)(R10*4), BX
	ROW
	SPREAD
	ADD((R8), Z19)
	ADD((R8)(R10*1), Z18)
	ADD((R8)(R10*2), Z11)
	ADD((R8)(AX*1), Z10)
	ADD((R8)(R10*4), Z9)
	ADD((BX)(R10*1), Z8)
	ADD((BX)(R10*2), Z7)
	ADDQ $LINE, R9
	LEAQ (R8)(DX*4), R8
	DECQ CX
	JNZ row
	ADDQ $64, SI
	ADDQ $64, DI
	DECQ n-8(SP)
	JNZ next
	VZEROUPPER
	RET

// halves joins quarters of two vectors: the first two of each, and the others.
DATA ·halves+0(SB)/8, $0
DATA ·halves+8(SB)/8, $1
DATA ·halves+16(SB)/8, $8
DATA ·halves+24(SB)/8, $9
DATA ·halves+32(SB)/8, $2
DATA ·halves+40(SB)/8, $3
DATA ·halves+48(SB)/8, $10
DATA ·halves+56(SB)/8, $11
DATA ·halves+64(SB)/8, $4
DATA ·halves+72(SB)/8, $5
DATA ·halves+80(SB)/8, $12
DATA ·halves+88(SB)/8, $13
DATA ·halves+96(SB)/8, $6
DATA ·halves+104(SB)/8, $7
DATA ·halves+112(SB)/8, $14
DATA ·halves+120(SB)/8, $15
GLOBL ·halves(SB), RODATA|NOPTR, $128
