//go:build !purego

#include "go_asm.h"
#include "textflag.h"
#include "neon_arm64.h"

// Four lanes. A transform of a line takes V0-V6 and leaves V7-V13; the lines are first
// the rows of the patches and then, by way of Work, the columns. The coefficients stay in
// V16-V20, a lane of a register each: those of pair i in V(16+i), as path_arm64.go puts
// them. generic.go says what is computed.

#define LINE 112 // bytes of seven vectors

#define TRANSPOSE(a, b, c, d, w, x, y, z) \
	VTRN1 b.S4, a.S4, V21.S4; \
	VTRN2 b.S4, a.S4, V22.S4; \
	VTRN1 d.S4, c.S4, V23.S4; \
	VTRN2 d.S4, c.S4, V24.S4; \
	VTRN1 V23.D2, V21.D2, w.D2; \
	VTRN1 V24.D2, V22.D2, x.D2; \
	VTRN2 V23.D2, V21.D2, y.D2; \
	VTRN2 V24.D2, V22.D2, z.D2

// LOAD1 loads a row of lane i: columns 0 to 3 to lo and 3 to 6 to hi. Where only some are
// inside, they are read without touching what is beside them, and put in place by a table
// of the columns: parts in path_arm64.go.
#define LOAD1(i, lo, hi, LO, HI, part, few, one, place, done) \
	MOVHU ((i)*2)(R16), R9; \
	MOVD ((i)*8)(R4), R10; \
	ADD  R10<<2, R8, R10; \
	CMP  $0x7f, R9; \
	BNE  part; \
	LOADU(LO, 10, 0); \
	LOADU(HI, 10, 12); \
	JMP  done; \
part: \
	ZERO(LO); \
	ZERO(HI); \
	CBZ  R9, done; \
	ADD  R9<<6, R20, R9; \
	MOVD columns_first(R9), R11; \
	ADD  R10, R11; \
	MOVD columns_last(R9), R12; \
	ADD  R10, R12; \
	MOVD columns_count(R9), R10; \
	VLD1 (R9), [V26.B16, V27.B16]; \
	CMP  $4, R10; \
	BLT  few; \
	LOADU(24, 11, 0); \
	LOADU(25, 12, 0); \
	JMP  place; \
few: \
	CMP  $2, R10; \
	BLT  one; \
	FMOVD (R11), F24; \
	FMOVD (R12), F25; \
	JMP  place; \
one: \
	FMOVS (R11), F24; \
place: \
	VTBL V26.B16, [V24.B16, V25.B16], lo.B16; \
	VTBL V27.B16, [V24.B16, V25.B16], hi.B16; \
done:

// LOAD loads a row of every lane as columns.
#define LOAD \
	LOAD1(0, V0, V12, 0, 12, part0, few0, one0, place0, done0); \
	LOAD1(1, V1, V13, 1, 13, part1, few1, one1, place1, done1); \
	LOAD1(2, V2, V14, 2, 14, part2, few2, one2, place2, done2); \
	LOAD1(3, V3, V15, 3, 15, part3, few3, one3, place3, done3); \
	TRANSPOSE(V0, V1, V2, V3, V0, V1, V2, V3); \
	TRANSPOSE(V12, V13, V14, V15, V12, V4, V5, V6)

// IMAGE2 is two rows of B: s, t, p and ps are in lanes of V(16+i), pt in V19.
#define IMAGE2(i, plus, minus) \
	MOV(14, 6); \
	FMULE(15, 5, 16+i, 2); \
	FMLAE(14, 4, 16+i, 0); \
	FMLAE(15, 3, 16+i, 3); \
	FMLAE(14, 2, 16+i, 1); \
	FMLAE(15, 1, 19, i); \
	FADD(plus, 14, 15); \
	FSUB(minus, 14, 15)

#define IMAGE \
	MOV(7, 6); \
	FMLAE(7, 4, 20, 0); \
	FMLAE(7, 2, 20, 1); \
	FMLAE(7, 0, 20, 2); \
	IMAGE2(0, 8, 9); \
	IMAGE2(1, 10, 11); \
	IMAGE2(2, 12, 13)

// Of S E, n0 to n3 are in lanes of V(16+i), n4 in V19, and n at 0 is the last of that.
#define EVALUATE5X2(i, plus, minus) \
	FMULE(14, 0, 16+i, 0); \
	FMULE(15, 1, 16+i, 1); \
	FMLAE(14, 2, 16+i, 2); \
	FMLAE(15, 3, 16+i, 3); \
	FMLAE(14, 4, 19, i); \
	FADD(plus, 14, 15); \
	FSUB(minus, 14, 15)

#define EVALUATE5 \
	FMULE(7, 0, 19, 3); \
	EVALUATE5X2(0, 8, 9); \
	EVALUATE5X2(1, 10, 11); \
	EVALUATE5X2(2, 12, 13)

#define EVALUATE3X2(i, plus, minus) \
	FMULE(14, 0, 16+i, 0); \
	FMULE(15, 1, 16+i, 1); \
	FMLAE(14, 2, 16+i, 2); \
	FADD(plus, 14, 15); \
	FSUB(minus, 14, 15)

#define EVALUATE3 \
	FMULE(7, 0, 19, 3); \
	EVALUATE3X2(0, 8, 9); \
	EVALUATE3X2(1, 10, 11); \
	EVALUATE3X2(2, 12, 13)

// ROW loads a row of Work, and COLUMN a column.
#define ROW \
	LOADQ(0, 15, 0); \
	LOADQ(1, 15, 1); \
	LOADQ(2, 15, 2); \
	LOADQ(3, 15, 3); \
	LOADQ(4, 15, 4); \
	LOADQ(5, 15, 5); \
	LOADQ(6, 15, 6)

#define COLUMN \
	LOADQ(0, 15, 0); \
	LOADQ(1, 15, 7); \
	LOADQ(2, 15, 14); \
	LOADQ(3, 15, 21); \
	LOADQ(4, 15, 28); \
	LOADQ(5, 15, 35); \
	LOADQ(6, 15, 42)

#define COEFFICIENTS(table) \
	MOVD $table(SB), R9; \
	VLD1.P 64(R9), [V16.S4, V17.S4, V18.S4, V19.S4]; \
	VLD1 (R9), [V20.S4]

// GATHER is a whole transform of patches of size rows, for four lanes from one on. R0 are
// the arguments, R1 and R2 go through Dst and Src, R3 is Work, R4 the offsets of the lanes
// and R5 their columns.
#define GATHER(size, table, transform) \
	MOVD t+0(FP), R0; \
	MOVD lane+8(FP), R6; \
	MOVD Gather_Dst(R0), R1; \
	ADD  R6<<2, R1; \
	MOVD Gather_Src(R0), R2; \
	MOVD Gather_Base(R0), R9; \
	ADD  R9<<2, R2; \
	MOVD Gather_Patches(R0), R4; \
	ADD  $Patches_Columns, R4, R5; \
	ADD  R6<<3, R4; \
	ADD  R6<<1, R5; \
	MOVD Gather_Work(R0), R3; \
	MOVD Gather_Pitch(R0), R23; \
	LSL  $2, R23; \
	MOVD Gather_Step(R0), R19; \
	LSL  $2, R19; \
	MOVD $7, R9; \
	MUL  R9, R19, R21; \
	MOVD $·parts(SB), R20; \
	COEFFICIENTS(table); \
	MOVD Gather_N(R0), R7; \
next: \
	MOVD R2, R8; \
	MOVD R5, R16; \
	MOVD R3, R15; \
	MOVD $size, R14; \
row: \
	LOAD; \
	transform; \
	STOREQ(7, 15, 0); \
	STOREQ(8, 15, 1); \
	STOREQ(9, 15, 2); \
	STOREQ(10, 15, 3); \
	STOREQ(11, 15, 4); \
	STOREQ(12, 15, 5); \
	STOREQ(13, 15, 6); \
	ADD  $LINE, R15; \
	ADD  $(2*const_maxLanes), R16; \
	ADD  R23, R8; \
	SUB  $1, R14; \
	CBNZ R14, row; \
	MOVD R3, R15; \
	MOVD R1, R8; \
	MOVD $7, R14; \
column: \
	COLUMN; \
	transform; \
	MOVD R8, R9; \
	VST1.P [V7.S4], (R9)(R21); \
	VST1.P [V8.S4], (R9)(R21); \
	VST1.P [V9.S4], (R9)(R21); \
	VST1.P [V10.S4], (R9)(R21); \
	VST1.P [V11.S4], (R9)(R21); \
	VST1.P [V12.S4], (R9)(R21); \
	VST1 [V13.S4], (R9); \
	ADD  $16, R15; \
	ADD  R19, R8; \
	SUB  $1, R14; \
	CBNZ R14, column; \
	MOVD Gather_SrcStep(R0), R9; \
	ADD  R9<<2, R2; \
	MOVD Gather_DstStep(R0), R9; \
	ADD  R9<<2, R1; \
	SUB  $1, R7; \
	CBNZ R7, next; \
	RET

// func image4(t *Gather, lane int)
TEXT ·image4(SB), NOSPLIT|NOFRAME, $0-16
	GATHER(7, ·imageTable, IMAGE)

// func evaluate3x4(t *Gather, lane int)
TEXT ·evaluate3x4(SB), NOSPLIT|NOFRAME, $0-16
	GATHER(3, ·evaluateTable, EVALUATE3)

// func evaluate5x4(t *Gather, lane int)
TEXT ·evaluate5x4(SB), NOSPLIT|NOFRAME, $0-16
	GATHER(5, ·evaluateTable, EVALUATE5)

// OUTPUT is lane l of the three pairs' coefficients times a, b and c.
#define OUTPUT(l, a, b, c, y) \
	FMULE(y, a, 16, l); \
	FMLAE(y, b, 17, l); \
	FMLAE(y, c, 18, l)

// SUMS leaves the sums of the pairs of V1-V6 in V12-V14, their differences in V1, V3 and
// V5, and the sum of all in V7.
#define SUMS \
	FADD(12, 1, 2); \
	FADD(13, 3, 4); \
	FADD(14, 5, 6); \
	FSUB(1, 1, 2); \
	FSUB(3, 3, 4); \
	FSUB(5, 5, 6); \
	FADD(7, 0, 12); \
	FADD(15, 13, 14); \
	FADD(7, 7, 15)

#define INTERPOLATE3 \
	SUMS; \
	OUTPUT(0, 1, 3, 5, 8); \
	OUTPUT(1, 12, 13, 14, 9)

#define INTERPOLATE5 \
	INTERPOLATE3; \
	OUTPUT(2, 1, 3, 5, 10); \
	OUTPUT(3, 12, 13, 14, 11)

#define KEEP3 \
	STOREQ(7, 15, 0); \
	STOREQ(8, 15, 7); \
	STOREQ(9, 15, 14)

#define KEEP5 \
	KEEP3; \
	STOREQ(10, 15, 21); \
	STOREQ(11, 15, 28)

#define FINISH(y) \
	FADD(y, y, 25); \
	FMAX(y, y, 26) // a NaN stays

#define FINISH3 \
	FINISH(7); \
	FINISH(8); \
	FINISH(9); \
	ZERO(10); \
	ZERO(11)

#define FINISH5 \
	FINISH(7); \
	FINISH(8); \
	FINISH(9); \
	FINISH(10); \
	FINISH(11)

// COLUMNS transforms seven columns of frequencies, R19 bytes apart from R2 on, to Work.
// R21 is seven times R19.
#define COLUMNS(transform, keep) \
	MOVD R2, R8; \
	MOVD R3, R15; \
	MOVD $7, R14; \
column: \
	MOVD R8, R9; \
	VLD1.P (R9)(R21), [V0.S4]; \
	VLD1.P (R9)(R21), [V1.S4]; \
	VLD1.P (R9)(R21), [V2.S4]; \
	VLD1.P (R9)(R21), [V3.S4]; \
	VLD1.P (R9)(R21), [V4.S4]; \
	VLD1.P (R9)(R21), [V5.S4]; \
	VLD1 (R9), [V6.S4]; \
	transform; \
	keep; \
	ADD  $16, R15; \
	ADD  R19, R8; \
	SUB  $1, R14; \
	CBNZ R14, column

// ADDOLD adds what is at p to the part of a vector that load loads, if R22 is not 0.
#define ADDOLD(load, p, F, y, new) \
	CBZ  R22, new; \
	load p, F; \
	FADD(y, y, 2); \
new:

// SCATTER is a whole transform of size by size outputs, for four lanes from one on. R1 and
// R2 go through Dst and Src, R3 is Work, R4 the lanes' columns, R5 the bias, R6 how far
// the next lanes lie apart in Dst, R11 in Src, R24 the distance of two lanes in Dst and R25
// how many lanes there are.
#define SCATTER(size, transform, keep, finish) \
	MOVD t+0(FP), R0; \
	MOVD lane+8(FP), R6; \
	LSL  $2, R25, R11; \
	MOVD Scatter_Src(R0), R2; \
	ADD  R6<<2, R2; \
	MOVD Scatter_Plane(R0), R24; \
	LSL  $2, R24; \
	MOVD Scatter_Dst(R0), R1; \
	MOVD Scatter_Base(R0), R9; \
	ADD  R9<<2, R1; \
	MUL  R24, R6, R9; \
	ADD  R9, R1; \
	ADD  $Scatter_Columns, R0, R4; \
	ADD  R6<<1, R4; \
	MOVD Scatter_Bias(R0), R5; \
	CBZ  R5, nobias; \
	ADD  R6<<2, R5; \
nobias: \
	MUL  R24, R25, R6; \
	MOVD Scatter_Work(R0), R3; \
	MOVBU Scatter_Accumulate(R0), R22; \
	MOVD Scatter_Pitch(R0), R23; \
	LSL  $2, R23; \
	MOVD Scatter_Step(R0), R19; \
	LSL  $2, R19; \
	MOVD $7, R9; \
	MUL  R9, R19, R21; \
	COEFFICIENTS(·interpolateTable); \
	ZERO(26); \
	MOVBU Scatter_ReLU(R0), R9; \
	CBNZ R9, relu; \
	MOVD $0xFF800000, R9; \
	VDUP R9, V26.S4; \
relu: \
	MOVD Scatter_N(R0), R7; \
next: \
	COLUMNS(transform, keep); \
	ZERO(25); \
	CBZ  R5, unbiased; \
	VLD1 (R5), [V25.S4]; \
	ADD  R11, R5; \
unbiased: \
	MOVD R1, R8; \
	MOVD R3, R15; \
	MOVD Scatter_Rows(R0), R14; \
	ADD  $(7*LINE), R3, R20; \
row: \
	ROW; \
	transform; \
	finish; \
	TRANSPOSE(V7, V8, V9, V10, V0, V1, V2, V3); \
	STOREQ(0, 20, 0); \
	STOREQ(1, 20, 1); \
	STOREQ(2, 20, 2); \
	STOREQ(3, 20, 3); \
	STOREQ(11, 20, 4); \
	MOVD R8, R10; \
	MOVD R4, R12; \
	MOVD R20, R13; \
	ADD  $64, R20, R16; \
lane: \
	MOVHU.P 2(R12), R9; \
	TBZ  $3, R9, four; \
	FMOVQ (R13), F0; \
	ADDOLD(FMOVQ, (R10), F2, 0, new4); \
	FMOVQ F0, (R10); \
	TBZ  $4, R9, stored; \
	FMOVS (R16), F0; \
	ADDOLD(FMOVS, 16(R10), F2, 0, new5); \
	FMOVS F0, 16(R10); \
	JMP  stored; \
four: \
	TBZ  $1, R9, two; \
	FMOVD (R13), F0; \
	ADDOLD(FMOVD, (R10), F2, 0, new2); \
	FMOVD F0, (R10); \
	TBZ  $2, R9, stored; \
	FMOVS 8(R13), F0; \
	ADDOLD(FMOVS, 8(R10), F2, 0, new3); \
	FMOVS F0, 8(R10); \
	JMP  stored; \
two: \
	TBZ  $0, R9, stored; \
	FMOVS (R13), F0; \
	ADDOLD(FMOVS, (R10), F2, 0, new1); \
	FMOVS F0, (R10); \
stored: \
	ADD  R24, R10; \
	ADD  $16, R13; \
	ADD  $4, R16; \
	ADD  $64, R20, R9; \
	CMP  R9, R13; \
	BLT  lane; \
	ADD  $LINE, R15; \
	ADD  R23, R8; \
	SUB  $1, R14; \
	CBNZ R14, row; \
	ADD  R11, R2; \
	ADD  R6, R1; \
	SUB  $1, R7; \
	CBNZ R7, next; \
	RET

// func interpolate3x4(t *Scatter, lane, lanes int)
TEXT ·interpolate3x4(SB), NOSPLIT|NOFRAME, $0-24
	MOVD lanes+16(FP), R25
	SCATTER(3, INTERPOLATE3, KEEP3, FINISH3)

// func interpolate5x4(t *Scatter, lane, lanes int)
TEXT ·interpolate5x4(SB), NOSPLIT|NOFRAME, $0-24
	MOVD lanes+16(FP), R25
	SCATTER(5, INTERPOLATE5, KEEP5, FINISH5)

// SPREAD takes V0-V6 to V4, V2, V11, V10, V9, V8 and V7, with the table of IMAGE.
#define SPREAD \
	SUMS; \
	OUTPUT(2, 1, 3, 5, 8); \
	OUTPUT(0, 12, 13, 14, 9); \
	OUTPUT(3, 1, 3, 5, 10); \
	OUTPUT(1, 12, 13, 14, 11); \
	FMULE(2, 1, 19, 0); \
	FMLAE(2, 3, 19, 1); \
	FMLAE(2, 5, 19, 2); \
	FMLAE(9, 0, 20, 0); \
	FMLAE(11, 0, 20, 1); \
	FMULE(4, 0, 20, 2)

#define KEEP7 \
	STOREQ(4, 15, 0); \
	STOREQ(2, 15, 7); \
	STOREQ(11, 15, 14); \
	STOREQ(10, 15, 21); \
	STOREQ(9, 15, 28); \
	STOREQ(8, 15, 35); \
	STOREQ(7, 15, 42)

#define ADDTO(y, V) \
	LOADQ(28, 9, 0); \
	FADD(y, y, 28); \
	VST1.P [V.S4], (R9)(R10)

// func spread4(t *Spread, times int)
TEXT ·spread4(SB), NOSPLIT|NOFRAME, $0-16
	MOVD t+0(FP), R0
	MOVD times+8(FP), R7
	MOVD Spread_Dst(R0), R1
	MOVD Spread_Src(R0), R2
	MOVD Spread_Work(R0), R3
	MOVD Spread_Step(R0), R19
	LSL  $2, R19
	MOVD $7, R9
	MUL  R9, R19, R21
	MOVD Spread_Pixel(R0), R10
	LSL  $2, R10
	MOVD Spread_Pitch(R0), R23
	LSL  $2, R23
	COEFFICIENTS(·imageTable)
next:
	COLUMNS(SPREAD, KEEP7)
	MOVD R1, R8
	MOVD R3, R15
	MOVD $7, R14
row:
	ROW
	SPREAD
	MOVD R8, R9
	ADDTO(4, V4)
	ADDTO(2, V2)
	ADDTO(11, V11)
	ADDTO(10, V10)
	ADDTO(9, V9)
	ADDTO(8, V8)
	ADDTO(7, V7)
	ADD  $LINE, R15
	ADD  R23, R8
	SUB  $1, R14
	CBNZ R14, row
	ADD  $16, R2
	ADD  $16, R1
	SUB  $1, R7
	CBNZ R7, next
	RET
