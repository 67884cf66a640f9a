//go:build !purego

#include "go_asm.h"
#include "textflag.h"

// The 6x16 tile: 12 registers of sums, two of B's row, one of an element of A.
// At the edges of C it is as low as 4 or 2 rows and as narrow as 8 columns.

// A list of rows does first for each row, op for each of its registers of sums,
// with its distance from the row's first and its part of B's row, and next at
// the end of the row.

#define ROWS6x16(first, op, next) \
	first(0); op(Y0, 0, Y12); op(Y1, 32, Y13); next; \
	first(1); op(Y2, 0, Y12); op(Y3, 32, Y13); next; \
	first(2); op(Y4, 0, Y12); op(Y5, 32, Y13); next; \
	first(3); op(Y6, 0, Y12); op(Y7, 32, Y13); next; \
	first(4); op(Y8, 0, Y12); op(Y9, 32, Y13); next; \
	first(5); op(Y10, 0, Y12); op(Y11, 32, Y13); next

#define ROWS4x16(first, op, next) \
	first(0); op(Y0, 0, Y12); op(Y1, 32, Y13); next; \
	first(1); op(Y2, 0, Y12); op(Y3, 32, Y13); next; \
	first(2); op(Y4, 0, Y12); op(Y5, 32, Y13); next; \
	first(3); op(Y6, 0, Y12); op(Y7, 32, Y13); next

#define ROWS2x16(first, op, next) \
	first(0); op(Y0, 0, Y12); op(Y1, 32, Y13); next; \
	first(1); op(Y2, 0, Y12); op(Y3, 32, Y13); next

#define ROWS6x8(first, op, next) \
	first(0); op(Y0, 0, Y12); next; \
	first(1); op(Y1, 0, Y12); next; \
	first(2); op(Y2, 0, Y12); next; \
	first(3); op(Y3, 0, Y12); next; \
	first(4); op(Y4, 0, Y12); next; \
	first(5); op(Y5, 0, Y12); next

#define ROWS4x8(first, op, next) \
	first(0); op(Y0, 0, Y12); next; \
	first(1); op(Y1, 0, Y12); next; \
	first(2); op(Y2, 0, Y12); next; \
	first(3); op(Y3, 0, Y12); next

#define ROWS2x8(first, op, next) \
	first(0); op(Y0, 0, Y12); next; \
	first(1); op(Y1, 0, Y12); next

#define NONE
#define NOROW(i)

#define BROADCAST(i) VBROADCASTSS ((i)*4)(SI), Y14
#define MULTIPLY(y, at, b) VFMADD231PS b, Y14, y
#define ZERO(y, at, b) VXORPS y, y, y
#define SCALE(y, at, b) VMULPS Y14, y, y

// FETCH gets a row of C into the cache while the sums are formed.
#define FETCH(y, at, b) PREFETCHT0 at(R9)
#define NEXTROW ADDQ R8, R9

#define ADDCOLUMN(y, at, b) VADDPS b, y, y

#define ADDC(y, at, b) VFMADD231PS at(R9), Y14, y
#define MOREC \
	ADDQ R8, R9; \
	DECQ R12; \
	JZ   store

// STORE stores what is not below Y15, the least value, which lets a NaN pass.
#define STORE(y, at, b) \
	VMAXPS  y, Y15, Y14; \
	VMOVUPS Y14, at(R9)

#define MOREROWS \
	ADDQ R8, R9; \
	DECQ R12; \
	JZ   stored

// READ2 and READ1 read a row of B and go on to the next.
#define READ2 \
	VMOVUPS (DX), Y12; \
	VMOVUPS 32(DX), Y13; \
	ADDQ R11, DX

#define READ1 \
	VMOVUPS (DX), Y12; \
	ADDQ R11, DX

// BIAS2 and BIAS1 read the columns' biases.
#define BIAS2 \
	VMOVUPS (R10), Y12; \
	VMOVUPS 32(R10), Y13

#define BIAS1 VMOVUPS (R10), Y12

#define STEP(ROWS, READ) \
	READ; \
	ROWS(BROADCAST, MULTIPLY, NONE); \
	ADDQ R9, SI

// TILE is a run of tiles, each next to the one before.
#define TILE(ROWS, READ, BIAS) \
	MOVQ a+8(FP), SI; \
	MOVQ b+24(FP), DX; \
	MOVQ stepB+32(FP), R11; \
	MOVQ c+40(FP), DI; \
	MOVQ ldc+48(FP), R8; \
	MOVQ s+64(FP), R13; \
	SHLQ $2, R11; \
	SHLQ $2, R8; \
	MOVQ Store_tiles(R13), BX; \
	MOVQ Store_ColBias(R13), R10; \
	VBROADCASTSS Store_Floor(R13), Y15; \
tile: \
	MOVQ k+0(FP), CX; \
	MOVQ DX, R15; \
	MOVQ DI, R9; \
	ROWS(NOROW, FETCH, NEXTROW); \
	ROWS(NOROW, ZERO, NONE); \
	MOVQ stepA+16(FP), R9; \
	SHLQ $2, R9; \
	MOVQ CX, AX; \
	SHRQ $2, AX; \
	JZ   rest; \
	PCALIGN $64; \
steps4: \
	STEP(ROWS, READ); \
	STEP(ROWS, READ); \
	STEP(ROWS, READ); \
	STEP(ROWS, READ); \
	DECQ AX; \
	JNZ  steps4; \
rest: \
	ANDQ $3, CX; \
	JZ   alpha; \
step: \
	STEP(ROWS, READ); \
	DECQ CX; \
	JNZ  step; \
alpha: \
	MOVL Store_Alpha(R13), AX; \
	CMPL AX, $0x3f800000 /* 1 */; \
	JEQ  column; \
	VBROADCASTSS Store_Alpha(R13), Y14; \
	ROWS(NOROW, SCALE, NONE); \
column: \
	TESTQ R10, R10; \
	JZ   beta; \
	BIAS; \
	MOVQ Store_nextBias(R13), AX; \
	LEAQ (R10)(AX*4), R10; \
	ROWS(NOROW, ADDCOLUMN, NONE); \
beta: \
	MOVL Store_Beta(R13), AX; \
	SHLL $1, AX /* -0 is 0 */; \
	JZ   store; \
	VBROADCASTSS Store_Beta(R13), Y14; \
	MOVQ DI, R9; \
	MOVQ rows+56(FP), R12; \
	ROWS(NOROW, ADDC, MOREC); \
store: \
	MOVQ DI, R9; \
	MOVQ rows+56(FP), R12; \
	ROWS(NOROW, STORE, MOREROWS); \
stored: \
	DECQ BX; \
	JZ   done; \
	MOVQ a+8(FP), SI; \
	MOVQ Store_nextA(R13), AX; \
	LEAQ (SI)(AX*4), SI; \
	MOVQ SI, a+8(FP); \
	MOVQ Store_nextB(R13), AX; \
	LEAQ (R15)(AX*4), DX; \
	MOVQ Store_nextC(R13), AX; \
	LEAQ (DI)(AX*4), DI; \
	JMP  tile; \
done: \
	VZEROUPPER; \
	RET

// func ymm6x16(k int, a *float32, stepA int, b *float32, stepB int, c *float32, ldc, rows int, s *Store)
TEXT ·ymm6x16(SB), NOSPLIT, $0-72
	TILE(ROWS6x16, READ2, BIAS2)

// func ymm4x16(k int, a *float32, stepA int, b *float32, stepB int, c *float32, ldc, rows int, s *Store)
TEXT ·ymm4x16(SB), NOSPLIT, $0-72
	TILE(ROWS4x16, READ2, BIAS2)

// func ymm2x16(k int, a *float32, stepA int, b *float32, stepB int, c *float32, ldc, rows int, s *Store)
TEXT ·ymm2x16(SB), NOSPLIT, $0-72
	TILE(ROWS2x16, READ2, BIAS2)

// func ymm6x8(k int, a *float32, stepA int, b *float32, stepB int, c *float32, ldc, rows int, s *Store)
TEXT ·ymm6x8(SB), NOSPLIT, $0-72
	TILE(ROWS6x8, READ1, BIAS1)

// func ymm4x8(k int, a *float32, stepA int, b *float32, stepB int, c *float32, ldc, rows int, s *Store)
TEXT ·ymm4x8(SB), NOSPLIT, $0-72
	TILE(ROWS4x8, READ1, BIAS1)

// func ymm2x8(k int, a *float32, stepA int, b *float32, stepB int, c *float32, ldc, rows int, s *Store)
TEXT ·ymm2x8(SB), NOSPLIT, $0-72
	TILE(ROWS2x8, READ1, BIAS1)
