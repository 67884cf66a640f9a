//go:build !purego

#include "go_asm.h"
#include "textflag.h"

// Eight lanes. A transform of a line takes Y0-Y6 and leaves Y7-Y13; the lines
// are first the rows of the patches and then, by way of Work, the columns.
// generic.go says what is computed.
//
// SI source, DI destination, BX offsets, R11 Work, R12 arguments, R13 table.

#define LINE 224 // bytes of seven vectors

#define PAIR(i) (i*pair__size)
#define COEF(offset) (offset)(R13)

// MASK is a vector of the columns that the bits of lane i name.
#define MASK(i, columns, y) \
	MOVWLZX ((i)*2)(columns), DX; \
	SHLQ $5, DX; \
	ADDQ $coefficients_masks, DX; \
	VMOVUPS (R13)(DX*1), y

// Rows of different channels lie far apart, where no prefetcher of the
// processor follows; the next tile's are in the next cache line at most.

#define LOAD1(i, y) \
	MASK(i, AX, Y15); \
	MOVQ ((i)*8)(BX), DX; \
	PREFETCHT0 64(R8)(DX*4); \
	VMASKMOVPS (R8)(DX*4), Y15, y

// QUAD transposes four by four elements in each half.
#define QUAD(a, b, c, d) \
	VUNPCKLPS b, a, Y8; \
	VUNPCKHPS b, a, Y9; \
	VUNPCKLPS d, c, Y10; \
	VUNPCKHPS d, c, Y11; \
	VUNPCKLPD Y10, Y8, a; \
	VUNPCKHPD Y10, Y8, b; \
	VUNPCKLPD Y11, Y9, c; \
	VUNPCKHPD Y11, Y9, d

// LOAD loads a row of every lane as columns.
#define LOAD \
	LOAD1(0, Y0); \
	LOAD1(1, Y1); \
	LOAD1(2, Y2); \
	LOAD1(3, Y3); \
	LOAD1(4, Y4); \
	LOAD1(5, Y5); \
	LOAD1(6, Y6); \
	LOAD1(7, Y7); \
	QUAD(Y0, Y1, Y2, Y3); \
	QUAD(Y4, Y5, Y6, Y7); \
	VPERM2F128 $0x31, Y4, Y0, Y8; \
	VPERM2F128 $0x31, Y5, Y1, Y9; \
	VPERM2F128 $0x31, Y6, Y2, Y10; \
	VINSERTF128 $1, X4, Y0, Y0; \
	VINSERTF128 $1, X5, Y1, Y1; \
	VINSERTF128 $1, X6, Y2, Y2; \
	VINSERTF128 $1, X7, Y3, Y3; \
	VMOVAPS Y8, Y4; \
	VMOVAPS Y9, Y5; \
	VMOVAPS Y10, Y6

// IMAGE2 is two rows of B.
#define IMAGE2(i, plus, minus) \
	VMOVAPS Y6, Y14; \
	VMULPS COEF(PAIR(i)+pair_p), Y5, Y15; \
	VFMADD231PS COEF(PAIR(i)+pair_s), Y4, Y14; \
	VFMADD231PS COEF(PAIR(i)+pair_ps), Y3, Y15; \
	VFMADD231PS COEF(PAIR(i)+pair_t), Y2, Y14; \
	VFMADD231PS COEF(PAIR(i)+pair_pt), Y1, Y15; \
	VADDPS Y15, Y14, plus; \
	VSUBPS Y15, Y14, minus

#define IMAGE \
	VMOVAPS Y6, Y7; \
	VFMADD231PS COEF(coefficients_e4), Y4, Y7; \
	VFMADD231PS COEF(coefficients_e2), Y2, Y7; \
	VFMADD231PS COEF(coefficients_e0), Y0, Y7; \
	IMAGE2(0, Y8, Y9); \
	IMAGE2(1, Y10, Y11); \
	IMAGE2(2, Y12, Y13)

#define EVALUATE5X2(i, plus, minus) \
	VMULPS COEF(PAIR(i)+pair_n0), Y0, Y14; \
	VMULPS COEF(PAIR(i)+pair_n1), Y1, Y15; \
	VFMADD231PS COEF(PAIR(i)+pair_n2), Y2, Y14; \
	VFMADD231PS COEF(PAIR(i)+pair_n3), Y3, Y15; \
	VFMADD231PS COEF(PAIR(i)+pair_n4), Y4, Y14; \
	VADDPS Y15, Y14, plus; \
	VSUBPS Y15, Y14, minus

#define EVALUATE5 \
	VMULPS COEF(coefficients_n), Y0, Y7; \
	EVALUATE5X2(0, Y8, Y9); \
	EVALUATE5X2(1, Y10, Y11); \
	EVALUATE5X2(2, Y12, Y13)

#define EVALUATE3X2(i, plus, minus) \
	VMULPS COEF(PAIR(i)+pair_n0), Y0, Y14; \
	VMULPS COEF(PAIR(i)+pair_n1), Y1, Y15; \
	VFMADD231PS COEF(PAIR(i)+pair_n2), Y2, Y14; \
	VADDPS Y15, Y14, plus; \
	VSUBPS Y15, Y14, minus

#define EVALUATE3 \
	VMULPS COEF(coefficients_n), Y0, Y7; \
	EVALUATE3X2(0, Y8, Y9); \
	EVALUATE3X2(1, Y10, Y11); \
	EVALUATE3X2(2, Y12, Y13)

// SIX stores six of the eight lanes of Y7-Y13, of which x is the lower half.
#define SIX(x, y, lower, upper) \
	VMOVUPS x, lower; \
	VEXTRACTF128 $1, y, X14; \
	VMOVLPS X14, upper

// GATHER is a whole transform of patches of size rows.
#define GATHER(size, transform) \
	MOVQ t+0(FP), R12; \
	MOVQ Gather_Dst(R12), DI; \
	MOVQ Gather_Src(R12), SI; \
	MOVQ Gather_Base(R12), DX; \
	LEAQ (SI)(DX*4), SI; \
	MOVQ Gather_Patches(R12), BX; \
	MOVQ Gather_Work(R12), R11; \
	LEAQ ·table(SB), R13; \
	MOVQ Gather_N(R12), CX; \
next: \
	MOVQ SI, R8; \
	LEAQ Patches_Columns(BX), AX; \
	MOVQ R11, R9; \
	MOVQ $size, R10; \
row: \
	LOAD; \
	transform; \
	VMOVUPS Y7, (R9); \
	VMOVUPS Y8, 32(R9); \
	VMOVUPS Y9, 64(R9); \
	VMOVUPS Y10, 96(R9); \
	VMOVUPS Y11, 128(R9); \
	VMOVUPS Y12, 160(R9); \
	VMOVUPS Y13, 192(R9); \
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
	VMOVUPS (R9), Y0; \
	VMOVUPS LINE(R9), Y1; \
	VMOVUPS (2*LINE)(R9), Y2; \
	VMOVUPS (3*LINE)(R9), Y3; \
	VMOVUPS (4*LINE)(R9), Y4; \
	VMOVUPS (5*LINE)(R9), Y5; \
	VMOVUPS (6*LINE)(R9), Y6; \
	transform; \
	LEAQ (R8)(R10*4), BX; \
	CMPQ Gather_Store(R12), $8; \
	JEQ eight; \
	SIX(X7, Y7, (R8), 16(R8)); \
	SIX(X8, Y8, (R8)(R10*1), 16(R8)(R10*1)); \
	SIX(X9, Y9, (R8)(R10*2), 16(R8)(R10*2)); \
	SIX(X10, Y10, (R8)(AX*1), 16(R8)(AX*1)); \
	SIX(X11, Y11, (R8)(R10*4), 16(R8)(R10*4)); \
	SIX(X12, Y12, (BX)(R10*1), 16(BX)(R10*1)); \
	SIX(X13, Y13, (BX)(R10*2), 16(BX)(R10*2)); \
	JMP stored; \
eight: \
	VMOVUPS Y7, (R8); \
	VMOVUPS Y8, (R8)(R10*1); \
	VMOVUPS Y9, (R8)(R10*2); \
	VMOVUPS Y10, (R8)(AX*1); \
	VMOVUPS Y11, (R8)(R10*4); \
	VMOVUPS Y12, (BX)(R10*1); \
	VMOVUPS Y13, (BX)(R10*2); \
stored: \
	ADDQ $32, R9; \
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

// func image8(t *Gather)
TEXT ·image8(SB), NOSPLIT, $0-8
	GATHER(7, IMAGE)

// func evaluate3x8(t *Gather)
TEXT ·evaluate3x8(SB), NOSPLIT, $0-8
	GATHER(3, EVALUATE3)

// func evaluate5x8(t *Gather)
TEXT ·evaluate5x8(SB), NOSPLIT, $0-8
	GATHER(5, EVALUATE5)

#define OUTPUT(coef, a, b, c, y) \
	VMULPS COEF(PAIR(0)+coef), a, y; \
	VFMADD231PS COEF(PAIR(1)+coef), b, y; \
	VFMADD231PS COEF(PAIR(2)+coef), c, y

// SUMS leaves the sums of the pairs of Y1-Y6 in Y12-Y14, their differences in
// Y1, Y3 and Y5, and the sum of all in Y7.
#define SUMS \
	VADDPS Y2, Y1, Y12; \
	VADDPS Y4, Y3, Y13; \
	VADDPS Y6, Y5, Y14; \
	VSUBPS Y2, Y1, Y1; \
	VSUBPS Y4, Y3, Y3; \
	VSUBPS Y6, Y5, Y5; \
	VADDPS Y12, Y0, Y7; \
	VADDPS Y14, Y13, Y15; \
	VADDPS Y15, Y7, Y7

#define INTERPOLATE3 \
	SUMS; \
	OUTPUT(pair_p1, Y1, Y3, Y5, Y8); \
	OUTPUT(pair_p2, Y12, Y13, Y14, Y9)

#define INTERPOLATE5 \
	INTERPOLATE3; \
	OUTPUT(pair_p3, Y1, Y3, Y5, Y10); \
	OUTPUT(pair_p4, Y12, Y13, Y14, Y11)

#define FINISH(y) \
	VADDPS Y15, y, y; \
	VMAXPS y, Y14, y // a NaN stays

// A row of lanes i and i+4, a half of y each, whole.
#define STORE3(i, x, y) \
	PREFETCHT0 64(BX); \
	PREFETCHT0 64(BX)(AX*1); \
	VEXTRACTF128 $1, y, X14; \
	VMOVLPS x, (BX); \
	VEXTRACTPS $2, x, 8(BX); \
	LEAQ (BX)(AX*1), DX; \
	VMOVLPS X14, (DX); \
	VEXTRACTPS $2, X14, 8(DX); \
	ADDQ R10, BX

#define STORE5(i, x, y) \
	PREFETCHT0 64(BX); \
	PREFETCHT0 64(BX)(AX*1); \
	VPERMILPS $(i), Y11, Y15; \
	VEXTRACTF128 $1, Y15, X14; \
	VMOVUPS x, (BX); \
	VMOVSS X15, 16(BX); \
	VEXTRACTF128 $1, y, (BX)(AX*1); \
	VMOVSS X14, 16(BX)(AX*1); \
	ADDQ R10, BX

// The same for some columns only: a fifth is the first of each half of Y11.
#define STORESOME(i, x, y) \
	VPERMILPS $(i), Y11, Y15; \
	VPERM2F128 $0x31, Y15, y, Y12; \
	VINSERTF128 $1, X15, y, y; \
	MASK(i, R15, Y14); \
	VMASKMOVPS y, Y14, (BX); \
	MASK(i+4, R15, Y14); \
	VMASKMOVPS Y12, Y14, (BX)(AX*1); \
	ADDQ R10, BX

#define ADDSOME(i, x, y) \
	VPERMILPS $(i), Y11, Y15; \
	VPERM2F128 $0x31, Y15, y, Y12; \
	VINSERTF128 $1, X15, y, y; \
	MASK(i, R15, Y14); \
	VMASKMOVPS (BX), Y14, Y13; \
	VADDPS Y13, y, y; \
	VMASKMOVPS y, Y14, (BX); \
	MASK(i+4, R15, Y14); \
	VMASKMOVPS (BX)(AX*1), Y14, Y13; \
	VADDPS Y13, Y12, Y12; \
	VMASKMOVPS Y12, Y14, (BX)(AX*1); \
	ADDQ R10, BX

#define LANES(op) \
	op(0, X0, Y0); \
	op(1, X1, Y1); \
	op(2, X2, Y2); \
	op(3, X3, Y3)

// TRANSPOSE makes of Y7-Y10, columns, Y0-Y3, four columns of lanes i and i+4.
#define TRANSPOSE \
	VUNPCKLPS Y8, Y7, Y12; \
	VUNPCKHPS Y8, Y7, Y13; \
	VUNPCKLPS Y10, Y9, Y14; \
	VUNPCKHPS Y10, Y9, Y15; \
	VUNPCKLPD Y14, Y12, Y0; \
	VUNPCKHPD Y14, Y12, Y1; \
	VUNPCKLPD Y15, Y13, Y2; \
	VUNPCKHPD Y15, Y13, Y3

#define FINISH3 \
	FINISH(Y7); \
	FINISH(Y8); \
	FINISH(Y9); \
	VXORPS Y10, Y10, Y10; \
	VXORPS Y11, Y11, Y11

#define FINISH5 \
	FINISH(Y7); \
	FINISH(Y8); \
	FINISH(Y9); \
	FINISH(Y10); \
	FINISH(Y11)

#define KEEP3 \
	VMOVUPS Y7, (R9); \
	VMOVUPS Y8, LINE(R9); \
	VMOVUPS Y9, (2*LINE)(R9)

#define KEEP5 \
	KEEP3; \
	VMOVUPS Y10, (3*LINE)(R9); \
	VMOVUPS Y11, (4*LINE)(R9)

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
	VMOVUPS (R8), Y0; \
	VMOVUPS (R8)(R10*1), Y1; \
	VMOVUPS (R8)(R10*2), Y2; \
	VMOVUPS (R8)(AX*1), Y3; \
	VMOVUPS (R8)(R10*4), Y4; \
	VMOVUPS (BX)(R10*1), Y5; \
	VMOVUPS (BX)(R10*2), Y6; \
	transform; \
	keep; \
	ADDQ $32, R9; \
	ADDQ DX, R8; \
	DECQ CX; \
	JNZ column

// ROW loads a row of Work.
#define ROW \
	VMOVUPS (R9), Y0; \
	VMOVUPS 32(R9), Y1; \
	VMOVUPS 64(R9), Y2; \
	VMOVUPS 96(R9), Y3; \
	VMOVUPS 128(R9), Y4; \
	VMOVUPS 160(R9), Y5; \
	VMOVUPS 192(R9), Y6

// SCATTER is a whole transform of size by size outputs.
#define SCATTER(size, transform, keep, finish, store) \
	MOVQ t+0(FP), R12; \
	MOVQ Scatter_Dst(R12), DI; \
	MOVQ Scatter_Base(R12), DX; \
	LEAQ (DI)(DX*4), DI; \
	MOVQ Scatter_Src(R12), SI; \
	MOVQ Scatter_Work(R12), R11; \
	LEAQ ·table(SB), R13; \
	MOVQ Scatter_N(R12), AX; \
	MOVQ AX, n-8(SP); \
	MOVQ Scatter_Bias(R12), AX; \
	MOVQ AX, bias-16(SP); \
next: \
	COLUMNS(Scatter_Step, transform, keep); \
	MOVQ DI, R8; \
	MOVQ R11, R9; \
	MOVQ Scatter_Plane(R12), R10; \
	SHLQ $2, R10; \
	LEAQ (R10*4), AX; \
	LEAQ Scatter_Columns(R12), R15; \
	MOVQ Scatter_Rows(R12), CX; \
row: \
	ROW; \
	transform; \
	VXORPS Y15, Y15, Y15; \
	VXORPS Y14, Y14, Y14; \
	MOVQ bias-16(SP), DX; \
	TESTQ DX, DX; \
	JZ unbiased; \
	VMOVUPS (DX), Y15; \
unbiased: \
	CMPB Scatter_ReLU(R12), $0; \
	JNE relu; \
	VBROADCASTSS ·infinity(SB), Y14; \
relu: \
	finish; \
	TRANSPOSE; \
	MOVQ R8, BX; \
	CMPB Scatter_Accumulate(R12), $0; \
	JNE accumulate; \
	CMPW 14(R15), $(1<<size-1); \
	JNE some; \
	LANES(store); \
	JMP stored; \
some: \
	LANES(STORESOME); \
	JMP stored; \
accumulate: \
	LANES(ADDSOME); \
stored: \
	ADDQ $LINE, R9; \
	MOVQ Scatter_Pitch(R12), BX; \
	LEAQ (R8)(BX*4), R8; \
	DECQ CX; \
	JNZ row; \
	ADDQ $32, SI; \
	SHLQ $3, R10; \
	ADDQ R10, DI; \
	MOVQ bias-16(SP), DX; \
	TESTQ DX, DX; \
	JZ last; \
	ADDQ $32, DX; \
	MOVQ DX, bias-16(SP); \
last: \
	DECQ n-8(SP); \
	JNZ next; \
	VZEROUPPER; \
	RET

// func interpolate3x8(t *Scatter)
TEXT ·interpolate3x8(SB), NOSPLIT, $16-8
	SCATTER(3, INTERPOLATE3, KEEP3, FINISH3, STORE3)

// func interpolate5x8(t *Scatter)
TEXT ·interpolate5x8(SB), NOSPLIT, $16-8
	SCATTER(5, INTERPOLATE5, KEEP5, FINISH5, STORE5)

// SPREAD takes Y0-Y6 to Y4, Y2, Y11, Y10, Y9, Y8 and Y7.
#define SPREAD \
	SUMS; \
	OUTPUT(pair_p, Y1, Y3, Y5, Y8); \
	OUTPUT(pair_s, Y12, Y13, Y14, Y9); \
	OUTPUT(pair_ps, Y1, Y3, Y5, Y10); \
	OUTPUT(pair_t, Y12, Y13, Y14, Y11); \
	OUTPUT(pair_pt, Y1, Y3, Y5, Y2); \
	VFMADD231PS COEF(coefficients_e4), Y0, Y9; \
	VFMADD231PS COEF(coefficients_e2), Y0, Y11; \
	VMULPS COEF(coefficients_e0), Y0, Y4

#define KEEP7 \
	VMOVUPS Y4, (R9); \
	VMOVUPS Y2, LINE(R9); \
	VMOVUPS Y11, (2*LINE)(R9); \
	VMOVUPS Y10, (3*LINE)(R9); \
	VMOVUPS Y9, (4*LINE)(R9); \
	VMOVUPS Y8, (5*LINE)(R9); \
	VMOVUPS Y7, (6*LINE)(R9)

#define ADD(at, y) \
	VADDPS at, y, y; \
	VMOVUPS y, at

// func spread8(t *Spread)
TEXT ·spread8(SB), NOSPLIT, $8-8
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
	ADD((R8), Y4)
	ADD((R8)(R10*1), Y2)
	ADD((R8)(R10*2), Y11)
	ADD((R8)(AX*1), Y10)
	ADD((R8)(R10*4), Y9)
	ADD((BX)(R10*1), Y8)
	ADD((BX)(R10*2), Y7)
	ADDQ $LINE, R9
	LEAQ (R8)(DX*4), R8
	DECQ CX
	JNZ row
	ADDQ $32, SI
	ADDQ $32, DI
	DECQ n-8(SP)
	JNZ next
	VZEROUPPER
	RET

// infinity is what every output is above.
DATA ·infinity+0(SB)/4, $0xFF800000
GLOBL ·infinity(SB), RODATA|NOPTR, $4
