//go:build !purego

#include "go_asm.h"
#include "textflag.h"

// The 12x32 tile: 24 registers of sums, two of B's row, one of an element of A.
// That is 24 multiply-adds for 14 loads a step. At the edges of C it is as low
// as 10, 8, 6, 4 or 2 rows and as narrow as 24 or 16 columns.

// A list of rows does first for each row, op for each of its registers of sums,
// with its distance from the row's first, its part of B's row and its mask, and
// next at the end of the row.

#define ROWS12x32(first, op, half, next) \
	first(0); op(Z0, 0, Z24, K1); op(Z1, 64, Z25, K2); next; \
	first(1); op(Z2, 0, Z24, K1); op(Z3, 64, Z25, K2); next; \
	first(2); op(Z4, 0, Z24, K1); op(Z5, 64, Z25, K2); next; \
	first(3); op(Z6, 0, Z24, K1); op(Z7, 64, Z25, K2); next; \
	first(4); op(Z8, 0, Z24, K1); op(Z9, 64, Z25, K2); next; \
	first(5); op(Z10, 0, Z24, K1); op(Z11, 64, Z25, K2); next; \
	first(6); op(Z12, 0, Z24, K1); op(Z13, 64, Z25, K2); next; \
	first(7); op(Z14, 0, Z24, K1); op(Z15, 64, Z25, K2); next; \
	first(8); op(Z16, 0, Z24, K1); op(Z17, 64, Z25, K2); next; \
	first(9); op(Z18, 0, Z24, K1); op(Z19, 64, Z25, K2); next; \
	first(10); op(Z20, 0, Z24, K1); op(Z21, 64, Z25, K2); next; \
	first(11); op(Z22, 0, Z24, K1); op(Z23, 64, Z25, K2); next

#define ROWS10x32(first, op, half, next) \
	first(0); op(Z0, 0, Z24, K1); op(Z1, 64, Z25, K2); next; \
	first(1); op(Z2, 0, Z24, K1); op(Z3, 64, Z25, K2); next; \
	first(2); op(Z4, 0, Z24, K1); op(Z5, 64, Z25, K2); next; \
	first(3); op(Z6, 0, Z24, K1); op(Z7, 64, Z25, K2); next; \
	first(4); op(Z8, 0, Z24, K1); op(Z9, 64, Z25, K2); next; \
	first(5); op(Z10, 0, Z24, K1); op(Z11, 64, Z25, K2); next; \
	first(6); op(Z12, 0, Z24, K1); op(Z13, 64, Z25, K2); next; \
	first(7); op(Z14, 0, Z24, K1); op(Z15, 64, Z25, K2); next; \
	first(8); op(Z16, 0, Z24, K1); op(Z17, 64, Z25, K2); next; \
	first(9); op(Z18, 0, Z24, K1); op(Z19, 64, Z25, K2); next

#define ROWS8x32(first, op, half, next) \
	first(0); op(Z0, 0, Z24, K1); op(Z1, 64, Z25, K2); next; \
	first(1); op(Z2, 0, Z24, K1); op(Z3, 64, Z25, K2); next; \
	first(2); op(Z4, 0, Z24, K1); op(Z5, 64, Z25, K2); next; \
	first(3); op(Z6, 0, Z24, K1); op(Z7, 64, Z25, K2); next; \
	first(4); op(Z8, 0, Z24, K1); op(Z9, 64, Z25, K2); next; \
	first(5); op(Z10, 0, Z24, K1); op(Z11, 64, Z25, K2); next; \
	first(6); op(Z12, 0, Z24, K1); op(Z13, 64, Z25, K2); next; \
	first(7); op(Z14, 0, Z24, K1); op(Z15, 64, Z25, K2); next

#define ROWS6x32(first, op, half, next) \
	first(0); op(Z0, 0, Z24, K1); op(Z1, 64, Z25, K2); next; \
	first(1); op(Z2, 0, Z24, K1); op(Z3, 64, Z25, K2); next; \
	first(2); op(Z4, 0, Z24, K1); op(Z5, 64, Z25, K2); next; \
	first(3); op(Z6, 0, Z24, K1); op(Z7, 64, Z25, K2); next; \
	first(4); op(Z8, 0, Z24, K1); op(Z9, 64, Z25, K2); next; \
	first(5); op(Z10, 0, Z24, K1); op(Z11, 64, Z25, K2); next

#define ROWS4x32(first, op, half, next) \
	first(0); op(Z0, 0, Z24, K1); op(Z1, 64, Z25, K2); next; \
	first(1); op(Z2, 0, Z24, K1); op(Z3, 64, Z25, K2); next; \
	first(2); op(Z4, 0, Z24, K1); op(Z5, 64, Z25, K2); next; \
	first(3); op(Z6, 0, Z24, K1); op(Z7, 64, Z25, K2); next

#define ROWS2x32(first, op, half, next) \
	first(0); op(Z0, 0, Z24, K1); op(Z1, 64, Z25, K2); next; \
	first(1); op(Z2, 0, Z24, K1); op(Z3, 64, Z25, K2); next

#define ROWS12x16(first, op, half, next) \
	first(0); op(Z0, 0, Z24, K1); next; \
	first(1); op(Z1, 0, Z24, K1); next; \
	first(2); op(Z2, 0, Z24, K1); next; \
	first(3); op(Z3, 0, Z24, K1); next; \
	first(4); op(Z4, 0, Z24, K1); next; \
	first(5); op(Z5, 0, Z24, K1); next; \
	first(6); op(Z6, 0, Z24, K1); next; \
	first(7); op(Z7, 0, Z24, K1); next; \
	first(8); op(Z8, 0, Z24, K1); next; \
	first(9); op(Z9, 0, Z24, K1); next; \
	first(10); op(Z10, 0, Z24, K1); next; \
	first(11); op(Z11, 0, Z24, K1); next

#define ROWS8x16(first, op, half, next) \
	first(0); op(Z0, 0, Z24, K1); next; \
	first(1); op(Z1, 0, Z24, K1); next; \
	first(2); op(Z2, 0, Z24, K1); next; \
	first(3); op(Z3, 0, Z24, K1); next; \
	first(4); op(Z4, 0, Z24, K1); next; \
	first(5); op(Z5, 0, Z24, K1); next; \
	first(6); op(Z6, 0, Z24, K1); next; \
	first(7); op(Z7, 0, Z24, K1); next

#define ROWS4x16(first, op, half, next) \
	first(0); op(Z0, 0, Z24, K1); next; \
	first(1); op(Z1, 0, Z24, K1); next; \
	first(2); op(Z2, 0, Z24, K1); next; \
	first(3); op(Z3, 0, Z24, K1); next

// Of 24 columns only the sums differ: the upper halves of the second registers
// stay 0.

#define ROWS12x24(first, op, half, next) \
	first(0); op(Z0, 0, Z24, K1); half(Y1, 64, Y25); next; \
	first(1); op(Z2, 0, Z24, K1); half(Y3, 64, Y25); next; \
	first(2); op(Z4, 0, Z24, K1); half(Y5, 64, Y25); next; \
	first(3); op(Z6, 0, Z24, K1); half(Y7, 64, Y25); next; \
	first(4); op(Z8, 0, Z24, K1); half(Y9, 64, Y25); next; \
	first(5); op(Z10, 0, Z24, K1); half(Y11, 64, Y25); next; \
	first(6); op(Z12, 0, Z24, K1); half(Y13, 64, Y25); next; \
	first(7); op(Z14, 0, Z24, K1); half(Y15, 64, Y25); next; \
	first(8); op(Z16, 0, Z24, K1); half(Y17, 64, Y25); next; \
	first(9); op(Z18, 0, Z24, K1); half(Y19, 64, Y25); next; \
	first(10); op(Z20, 0, Z24, K1); half(Y21, 64, Y25); next; \
	first(11); op(Z22, 0, Z24, K1); half(Y23, 64, Y25); next

#define ROWS8x24(first, op, half, next) \
	first(0); op(Z0, 0, Z24, K1); half(Y1, 64, Y25); next; \
	first(1); op(Z2, 0, Z24, K1); half(Y3, 64, Y25); next; \
	first(2); op(Z4, 0, Z24, K1); half(Y5, 64, Y25); next; \
	first(3); op(Z6, 0, Z24, K1); half(Y7, 64, Y25); next; \
	first(4); op(Z8, 0, Z24, K1); half(Y9, 64, Y25); next; \
	first(5); op(Z10, 0, Z24, K1); half(Y11, 64, Y25); next; \
	first(6); op(Z12, 0, Z24, K1); half(Y13, 64, Y25); next; \
	first(7); op(Z14, 0, Z24, K1); half(Y15, 64, Y25); next

#define ROWS4x24(first, op, half, next) \
	first(0); op(Z0, 0, Z24, K1); half(Y1, 64, Y25); next; \
	first(1); op(Z2, 0, Z24, K1); half(Y3, 64, Y25); next; \
	first(2); op(Z4, 0, Z24, K1); half(Y5, 64, Y25); next; \
	first(3); op(Z6, 0, Z24, K1); half(Y7, 64, Y25); next

#define NONE
#define NOROW(i)
#define NOHALF(y, at, b)

#define BROADCAST(i) VBROADCASTSS ((i)*4)(SI), Z26
#define MULTIPLY(z, at, b, mask) VFMADD231PS b, Z26, z
#define HALF(y, at, b) VFMADD231PS b, Y26, y
#define ZERO(z, at, b, mask) VPXORD z, z, z
#define SCALE(z, at, b, mask) VMULPS Z26, z, z

// FETCH gets a row of C into the cache while the sums are formed.
#define FETCH(z, at, b, mask) PREFETCHT0 at(R9)
#define NEXTROW ADDQ R8, R9

#define ADDCOLUMN(z, at, b, mask) VADDPS b, z, z

// ADDC adds C's wanted columns, times Z26.
#define ADDC(z, at, b, mask) \
	VMOVUPS.Z at(R9), mask, Z28; \
	VFMADD231PS Z28, Z26, z
#define MOREC \
	ADDQ R8, R9; \
	DECQ R12; \
	JZ   store

// STORE stores what is not below Z27, the least value, which lets a NaN pass;
// STORESOME does so for the wanted columns only, and holds up the loads that
// follow: a tile as wide as its kernel is worth a way of its own.
#define STORE(z, at, b, mask) \
	VMAXPS  z, Z27, Z28; \
	VMOVUPS Z28, at(R9)

#define STOREHALF(y, at, b) \
	VMAXPS  y, Y27, Y28; \
	VMOVUPS Y28, at(R9)

#define STORESOME(z, at, b, mask) \
	VMAXPS  z, Z27, Z28; \
	VMOVUPS Z28, mask, at(R9)

#define MOREROWS \
	ADDQ R8, R9; \
	DECQ R12; \
	JZ   stored

// READ32, READ24 and READ16 read a row of B and go on to the next.
#define READ32 \
	VMOVUPS (DX), Z24; \
	VMOVUPS 64(DX), Z25; \
	ADDQ R11, DX

#define READ24 \
	VMOVUPS (DX), Z24; \
	VMOVUPS 64(DX), Y25; \
	ADDQ R11, DX

#define READ16 \
	VMOVUPS (DX), Z24; \
	ADDQ R11, DX

#define STEP(SUMS, READ) \
	READ; \
	SUMS(BROADCAST, MULTIPLY, HALF, NONE); \
	ADDQ R9, SI

// TILE has rows of registers, which take part in steps as SUMS lists them. It
// is a run of tiles, each next to the one before. Those with all lanes of WHOLE
// store whole registers.
#define TILE(ROWS, SUMS, READ, WHOLE) \
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
	MOVL Store_lanes(R13), AX; \
	KMOVW AX, K1; \
	SHRL $16, AX; \
	KMOVW AX, K2; \
	VBROADCASTSS Store_Floor(R13), Z27; \
tile: \
	MOVQ k+0(FP), CX; \
	MOVQ DX, R15; \
	MOVQ DI, R9; \
	ROWS(NOROW, FETCH, NOHALF, NEXTROW); \
	ROWS(NOROW, ZERO, NOHALF, NONE); \
	MOVQ stepA+16(FP), R9; \
	SHLQ $2, R9; \
	MOVQ CX, AX; \
	SHRQ $2, AX; \
	JZ   rest; \
	PCALIGN $64; \
steps4: \
	STEP(SUMS, READ); \
	STEP(SUMS, READ); \
	STEP(SUMS, READ); \
	STEP(SUMS, READ); \
	DECQ AX; \
	JNZ  steps4; \
rest: \
	ANDQ $3, CX; \
	JZ   alpha; \
step: \
	STEP(SUMS, READ); \
	DECQ CX; \
	JNZ  step; \
alpha: \
	MOVL Store_Alpha(R13), AX; \
	CMPL AX, $0x3f800000 /* 1 */; \
	JEQ  column; \
	VBROADCASTSS Store_Alpha(R13), Z26; \
	ROWS(NOROW, SCALE, NOHALF, NONE); \
column: \
	TESTQ R10, R10; \
	JZ   beta; \
	VMOVUPS.Z (R10), K1, Z24; \
	VMOVUPS.Z 64(R10), K2, Z25; \
	MOVQ Store_nextBias(R13), AX; \
	LEAQ (R10)(AX*4), R10; \
	ROWS(NOROW, ADDCOLUMN, NOHALF, NONE); \
beta: \
	MOVL Store_Beta(R13), AX; \
	SHLL $1, AX /* -0 is 0 */; \
	JZ   store; \
	VBROADCASTSS Store_Beta(R13), Z26; \
	MOVQ DI, R9; \
	MOVQ rows+56(FP), R12; \
	ROWS(NOROW, ADDC, NOHALF, MOREC); \
store: \
	MOVQ DI, R9; \
	MOVQ rows+56(FP), R12; \
	CMPL Store_lanes(R13), $WHOLE; \
	JNE  some; \
	SUMS(NOROW, STORE, STOREHALF, MOREROWS); \
some: \
	ROWS(NOROW, STORESOME, NOHALF, MOREROWS); \
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

// func zmm12x32(k int, a *float32, stepA int, b *float32, stepB int, c *float32, ldc, rows int, s *Store)
TEXT ·zmm12x32(SB), NOSPLIT, $0-72
	TILE(ROWS12x32, ROWS12x32, READ32, 0xffffffff)

// func zmm10x32(k int, a *float32, stepA int, b *float32, stepB int, c *float32, ldc, rows int, s *Store)
TEXT ·zmm10x32(SB), NOSPLIT, $0-72
	TILE(ROWS10x32, ROWS10x32, READ32, 0xffffffff)

// func zmm8x32(k int, a *float32, stepA int, b *float32, stepB int, c *float32, ldc, rows int, s *Store)
TEXT ·zmm8x32(SB), NOSPLIT, $0-72
	TILE(ROWS8x32, ROWS8x32, READ32, 0xffffffff)

// func zmm6x32(k int, a *float32, stepA int, b *float32, stepB int, c *float32, ldc, rows int, s *Store)
TEXT ·zmm6x32(SB), NOSPLIT, $0-72
	TILE(ROWS6x32, ROWS6x32, READ32, 0xffffffff)

// func zmm4x32(k int, a *float32, stepA int, b *float32, stepB int, c *float32, ldc, rows int, s *Store)
TEXT ·zmm4x32(SB), NOSPLIT, $0-72
	TILE(ROWS4x32, ROWS4x32, READ32, 0xffffffff)

// func zmm2x32(k int, a *float32, stepA int, b *float32, stepB int, c *float32, ldc, rows int, s *Store)
TEXT ·zmm2x32(SB), NOSPLIT, $0-72
	TILE(ROWS2x32, ROWS2x32, READ32, 0xffffffff)

// func zmm12x24(k int, a *float32, stepA int, b *float32, stepB int, c *float32, ldc, rows int, s *Store)
TEXT ·zmm12x24(SB), NOSPLIT, $0-72
	TILE(ROWS12x32, ROWS12x24, READ24, 0xffffff)

// func zmm8x24(k int, a *float32, stepA int, b *float32, stepB int, c *float32, ldc, rows int, s *Store)
TEXT ·zmm8x24(SB), NOSPLIT, $0-72
	TILE(ROWS8x32, ROWS8x24, READ24, 0xffffff)

// func zmm4x24(k int, a *float32, stepA int, b *float32, stepB int, c *float32, ldc, rows int, s *Store)
TEXT ·zmm4x24(SB), NOSPLIT, $0-72
	TILE(ROWS4x32, ROWS4x24, READ24, 0xffffff)

// func zmm12x16(k int, a *float32, stepA int, b *float32, stepB int, c *float32, ldc, rows int, s *Store)
TEXT ·zmm12x16(SB), NOSPLIT, $0-72
	TILE(ROWS12x16, ROWS12x16, READ16, 0xffff)

// func zmm8x16(k int, a *float32, stepA int, b *float32, stepB int, c *float32, ldc, rows int, s *Store)
TEXT ·zmm8x16(SB), NOSPLIT, $0-72
	TILE(ROWS8x16, ROWS8x16, READ16, 0xffff)

// func zmm4x16(k int, a *float32, stepA int, b *float32, stepB int, c *float32, ldc, rows int, s *Store)
TEXT ·zmm4x16(SB), NOSPLIT, $0-72
	TILE(ROWS4x16, ROWS4x16, READ16, 0xffff)
