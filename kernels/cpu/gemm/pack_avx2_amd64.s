//go:build !purego

#include "textflag.h"

// QUAD transposes each 4x4 of four rows: in lane l of the results, of 128 bits
// each, lies column 4l, 4l+1, 4l+2 and 4l+3 of the rows.
#define QUAD(a, b, c, d, t, u, v, w) \
	VUNPCKLPS b, a, t; \
	VUNPCKHPS b, a, u; \
	VUNPCKLPS d, c, v; \
	VUNPCKHPS d, c, w; \
	VUNPCKLPD v, t, a; \
	VUNPCKHPD v, t, b; \
	VUNPCKLPD w, u, c; \
	VUNPCKHPD w, u, d

#define CLEAR(a, b, c, d) \
	VXORPS a, a, a; \
	VXORPS b, b, b; \
	VXORPS c, c, c; \
	VXORPS d, d, d

// LOAD reads 8 steps of a row, if there is such a row.
#define LOAD(i, y) \
	CMPQ BX, $i; \
	JLE  loaded; \
	MOVQ (i*8)(R9), AX; \
	VMOVUPS (SI)(AX*4), y

// LOADSOME reads the steps that Y15 says.
#define LOADSOME(i, y) \
	CMPQ BX, $i; \
	JLE  loaded; \
	MOVQ (i*8)(R9), AX; \
	VMASKMOVPS (SI)(AX*4), Y15, y

// STORE8 and STORE6 write a step, if there is one left.
#define STORE8(y) \
	VMOVUPS y, (DI); \
	ADDQ R8, DI; \
	DECQ CX; \
	JZ   done

#define STORE6(x, y) \
	VMOVUPS x, (DI); \
	VEXTRACTF128 $1, y, x; \
	VMOVLPS x, 16(DI); \
	ADDQ R8, DI; \
	DECQ CX; \
	JZ   done

// func transpose8(dst, src *float32, rows *int, n, k, r, width int)
TEXT ·transpose8(SB), NOSPLIT, $0-56
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ rows+16(FP), R9
	MOVQ n+24(FP), BX
	MOVQ k+32(FP), CX
	MOVQ r+40(FP), R8
	MOVQ width+48(FP), R10
	SHLQ $2, R8

block:
	CLEAR(Y0, Y1, Y2, Y3)
	CLEAR(Y4, Y5, Y6, Y7)
	CMPQ CX, $8
	JLT  some
	LOAD(0, Y0)
	LOAD(1, Y1)
	LOAD(2, Y2)
	LOAD(3, Y3)
	LOAD(4, Y4)
	LOAD(5, Y5)
	LOAD(6, Y6)
	LOAD(7, Y7)

loaded:
	ADDQ $32, SI
	QUAD(Y0, Y1, Y2, Y3, Y8, Y9, Y10, Y11)
	QUAD(Y4, Y5, Y6, Y7, Y12, Y13, Y14, Y15)
	VPERM2F128 $0x20, Y4, Y0, Y8
	VPERM2F128 $0x20, Y5, Y1, Y9
	VPERM2F128 $0x20, Y6, Y2, Y10
	VPERM2F128 $0x20, Y7, Y3, Y11
	VPERM2F128 $0x31, Y4, Y0, Y12
	VPERM2F128 $0x31, Y5, Y1, Y13
	VPERM2F128 $0x31, Y6, Y2, Y14
	VPERM2F128 $0x31, Y7, Y3, Y15
	CMPQ R10, $8
	JNE  six
	STORE8(Y8)
	STORE8(Y9)
	STORE8(Y10)
	STORE8(Y11)
	STORE8(Y12)
	STORE8(Y13)
	STORE8(Y14)
	STORE8(Y15)
	JMP  block

six:
	STORE6(X8, Y8)
	STORE6(X9, Y9)
	STORE6(X10, Y10)
	STORE6(X11, Y11)
	STORE6(X12, Y12)
	STORE6(X13, Y13)
	STORE6(X14, Y14)
	STORE6(X15, Y15)
	JMP  block

done:
	VZEROUPPER
	RET

some:
	LEAQ ·firstLanes+32(SB), AX
	NEGQ CX
	VMOVUPS (AX)(CX*4), Y15
	NEGQ CX
	LOADSOME(0, Y0)
	LOADSOME(1, Y1)
	LOADSOME(2, Y2)
	LOADSOME(3, Y3)
	LOADSOME(4, Y4)
	LOADSOME(5, Y5)
	LOADSOME(6, Y6)
	LOADSOME(7, Y7)
	JMP  loaded

// firstLanes is the mask of the first n of 8 lanes at 32-4n.
DATA ·firstLanes+0(SB)/8, $-1
DATA ·firstLanes+8(SB)/8, $-1
DATA ·firstLanes+16(SB)/8, $-1
DATA ·firstLanes+24(SB)/8, $-1
DATA ·firstLanes+32(SB)/8, $0
DATA ·firstLanes+40(SB)/8, $0
DATA ·firstLanes+48(SB)/8, $0
DATA ·firstLanes+56(SB)/8, $0
GLOBL ·firstLanes(SB), RODATA|NOPTR, $64

// func copy6(dst, src *float32, k, ld int)
TEXT ·copy6(SB), NOSPLIT, $0-32
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ k+16(FP), CX
	MOVQ ld+24(FP), R9
	SHLQ $2, R9

step:
	VMOVUPS (SI), X0
	MOVQ 16(SI), AX
	VMOVUPS X0, (DI)
	MOVQ AX, 16(DI)
	ADDQ R9, SI
	ADDQ $24, DI
	DECQ CX
	JNZ  step
	RET

// func copy2x8(dst, src *float32, k, ld int)
TEXT ·copy2x8(SB), NOSPLIT, $0-32
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ k+16(FP), CX
	MOVQ ld+24(FP), R9
	SHLQ $2, R9
	MOVQ R9, R10
	SHLQ $4, R10 // fetch what lies 16 steps ahead

step:
	PREFETCHT0 (SI)(R10*1)
	VMOVUPS (SI), Y0
	VMOVUPS 32(SI), Y1
	VMOVUPS Y0, (DI)
	VMOVUPS Y1, 32(DI)
	ADDQ R9, SI
	ADDQ $64, DI
	DECQ CX
	JNZ  step
	VZEROUPPER
	RET
