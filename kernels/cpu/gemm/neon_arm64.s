//go:build !purego

#include "go_asm.h"
#include "textflag.h"
#include "neon_arm64.h"

// The 8x12 tile: 24 registers of sums, V8 to V31, two of A's column, V0 and V1, three
// of B's row, V2 to V4. An element of A is a lane of its register, which FMLA multiplies
// by, so nothing is broadcast: five registers are loaded for 24 FMLA, by two
// instructions that step on at once. At the edges of C the tile is as low as 4 rows and
// as narrow as 4 columns.

// A list of rows does op for each register of sums, with its number, its vector of
// columns and its row, and next at the end of a row.

#define ROW12(op, next, y, i) op(y, 0, i); op(y+1, 1, i); op(y+2, 2, i); next
#define ROW8(op, next, y, i) op(y, 0, i); op(y+1, 1, i); next
#define ROW4(op, next, y, i) op(y, 0, i); next

#define ROWS4x12(op, next) \
	ROW12(op, next, 8, 0); \
	ROW12(op, next, 11, 1); \
	ROW12(op, next, 14, 2); \
	ROW12(op, next, 17, 3)

#define ROWS8x12(op, next) \
	ROWS4x12(op, next); \
	ROW12(op, next, 20, 4); \
	ROW12(op, next, 23, 5); \
	ROW12(op, next, 26, 6); \
	ROW12(op, next, 29, 7)

#define ROWS4x8(op, next) \
	ROW8(op, next, 8, 0); \
	ROW8(op, next, 10, 1); \
	ROW8(op, next, 12, 2); \
	ROW8(op, next, 14, 3)

#define ROWS8x8(op, next) \
	ROWS4x8(op, next); \
	ROW8(op, next, 16, 4); \
	ROW8(op, next, 18, 5); \
	ROW8(op, next, 20, 6); \
	ROW8(op, next, 22, 7)

#define ROWS4x4(op, next) \
	ROW4(op, next, 8, 0); \
	ROW4(op, next, 9, 1); \
	ROW4(op, next, 10, 2); \
	ROW4(op, next, 11, 3)

#define ROWS8x4(op, next) \
	ROWS4x4(op, next); \
	ROW4(op, next, 12, 4); \
	ROW4(op, next, 13, 5); \
	ROW4(op, next, 14, 6); \
	ROW4(op, next, 15, 7)

#define NONE

#define CLEAR(y, j, i) ZERO(y)
#define MULTIPLY(y, j, i) FMLAE(y, 2+j, (i)>>2, (i)&3)
#define SCALE(y, j, i) FMULE(y, y, 5, 0)
#define ADDCOLUMN(y, j, i) FADD(y, y, 2+j)

#define ADDC(y, j, i) \
	LOADQ(6, 10, j); \
	FMLAE(y, 6, 5, 0)
#define MOREC \
	ADD  R3, R10; \
	SUBS $1, R11, R11; \
	BEQ  store

// STORE stores what is not below V7, the least value, which lets a NaN pass.
#define STORE(y, j, i) \
	FMAX(6, y, 7); \
	STOREQ(6, 10, j)
#define MOREROWS \
	ADD  R3, R10; \
	SUBS $1, R11, R11; \
	BEQ  stored

#define A4 VLD1.P (R13)(R4), [V0.S4]
#define A8 VLD1.P (R13)(R4), [V0.S4, V1.S4]
#define B4 VLD1.P (R14)(R5), [V2.S4]
#define B8 VLD1.P (R14)(R5), [V2.S4, V3.S4]
#define B12 VLD1.P (R14)(R5), [V2.S4, V3.S4, V4.S4]

#define BIAS4 VLD1 (R8), [V2.S4]
#define BIAS8 VLD1 (R8), [V2.S4, V3.S4]
#define BIAS12 VLD1 (R8), [V2.S4, V3.S4, V4.S4]

#define STEP(ROWS, READA, READB) \
	READA; \
	READB; \
	ROWS(MULTIPLY, NONE)

// TILE is a run of tiles, each next to the one before. R0, R1 and R2 are the tile's A, B
// and C, and R13, R14 and R10 go through them; R3, R4 and R5 are the distances of two rows
// of C and of two steps of A and of B. R6 is the Store, R7 how many tiles are left, R8 the
// columns' biases.
#define TILE(ROWS, READA, READB, BIAS) \
	MOVD a+8(FP), R0; \
	MOVD stepA+16(FP), R4; \
	MOVD b+24(FP), R1; \
	MOVD stepB+32(FP), R5; \
	MOVD c+40(FP), R2; \
	MOVD ldc+48(FP), R3; \
	MOVD s+64(FP), R6; \
	LSL  $2, R3; \
	LSL  $2, R4; \
	LSL  $2, R5; \
	MOVD Store_tiles(R6), R7; \
	MOVD Store_ColBias(R6), R8; \
tile: \
	MOVD k+0(FP), R9; \
	MOVD R0, R13; \
	MOVD R1, R14; \
	ROWS(CLEAR, NONE); \
	LSR  $2, R9, R12; \
	CBZ  R12, rest; \
	PCALIGN $32; \
steps4: \
	STEP(ROWS, READA, READB); \
	STEP(ROWS, READA, READB); \
	STEP(ROWS, READA, READB); \
	STEP(ROWS, READA, READB); \
	SUB  $1, R12, R12; \
	CBNZ R12, steps4; \
rest: \
	AND  $3, R9, R9; \
	CBZ  R9, alpha; \
step: \
	STEP(ROWS, READA, READB); \
	SUB  $1, R9, R9; \
	CBNZ R9, step; \
alpha: \
	MOVWU Store_Alpha(R6), R12; \
	MOVD $0x3f800000, R11 /* 1 */; \
	CMP  R11, R12; \
	BEQ  column; \
	FMOVS Store_Alpha(R6), F5; \
	ROWS(SCALE, NONE); \
column: \
	CBZ  R8, beta; \
	BIAS; \
	MOVD Store_nextBias(R6), R12; \
	ADD  R12<<2, R8; \
	ROWS(ADDCOLUMN, NONE); \
beta: \
	MOVWU Store_Beta(R6), R12; \
	LSLW $1, R12 /* -0 is 0 */; \
	CBZW R12, store; \
	FMOVS Store_Beta(R6), F5; \
	MOVD R2, R10; \
	MOVD rows+56(FP), R11; \
	ROWS(ADDC, MOREC); \
store: \
	MOVWU Store_Floor(R6), R12; \
	VDUP R12, V7.S4; \
	MOVD R2, R10; \
	MOVD rows+56(FP), R11; \
	ROWS(STORE, MOREROWS); \
stored: \
	SUB  $1, R7, R7; \
	CBZ  R7, done; \
	MOVD Store_nextA(R6), R12; \
	ADD  R12<<2, R0; \
	MOVD Store_nextB(R6), R12; \
	ADD  R12<<2, R1; \
	MOVD Store_nextC(R6), R12; \
	ADD  R12<<2, R2; \
	JMP  tile; \
done: \
	RET

// func neon8x12(k int, a *float32, stepA int, b *float32, stepB int, c *float32, ldc, rows int, s *Store)
TEXT ·neon8x12(SB), NOSPLIT|NOFRAME, $0-72
	TILE(ROWS8x12, A8, B12, BIAS12)

// func neon4x12(k int, a *float32, stepA int, b *float32, stepB int, c *float32, ldc, rows int, s *Store)
TEXT ·neon4x12(SB), NOSPLIT|NOFRAME, $0-72
	TILE(ROWS4x12, A4, B12, BIAS12)

// func neon8x8(k int, a *float32, stepA int, b *float32, stepB int, c *float32, ldc, rows int, s *Store)
TEXT ·neon8x8(SB), NOSPLIT|NOFRAME, $0-72
	TILE(ROWS8x8, A8, B8, BIAS8)

// func neon4x8(k int, a *float32, stepA int, b *float32, stepB int, c *float32, ldc, rows int, s *Store)
TEXT ·neon4x8(SB), NOSPLIT|NOFRAME, $0-72
	TILE(ROWS4x8, A4, B8, BIAS8)

// func neon8x4(k int, a *float32, stepA int, b *float32, stepB int, c *float32, ldc, rows int, s *Store)
TEXT ·neon8x4(SB), NOSPLIT|NOFRAME, $0-72
	TILE(ROWS8x4, A8, B4, BIAS4)

// func neon4x4(k int, a *float32, stepA int, b *float32, stepB int, c *float32, ldc, rows int, s *Store)
TEXT ·neon4x4(SB), NOSPLIT|NOFRAME, $0-72
	TILE(ROWS4x4, A4, B4, BIAS4)
