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

// LANES transposes the lanes of four registers.
#define LANES(a, b, c, d, t, u, v, w) \
	VSHUFF32X4 $0x88, b, a, t; \
	VSHUFF32X4 $0xdd, b, a, u; \
	VSHUFF32X4 $0x88, d, c, v; \
	VSHUFF32X4 $0xdd, d, c, w; \
	VSHUFF32X4 $0x88, v, t, a; \
	VSHUFF32X4 $0x88, w, u, b; \
	VSHUFF32X4 $0xdd, v, t, c; \
	VSHUFF32X4 $0xdd, w, u, d

#define CLEAR(a, b, c, d) \
	VPXORD a, a, a; \
	VPXORD b, b, b; \
	VPXORD c, c, c; \
	VPXORD d, d, d

// LOAD reads 16 steps of a row, if there is such a row.
#define LOAD(i, z) \
	CMPQ BX, $i; \
	JLE  loaded; \
	MOVQ (i*8)(R9), AX; \
	VMOVUPS.Z (SI)(AX*4), K1, z

// STORE writes a step, if there is one left.
#define STORE(z) \
	VMOVUPS z, K2, (DI); \
	ADDQ R8, DI; \
	DECQ CX; \
	JZ   done

// func transpose16(dst, src *float32, rows *int, n, k, r int, mask uint32)
TEXT ·transpose16(SB), NOSPLIT, $0-52
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ rows+16(FP), R9
	MOVQ n+24(FP), BX
	MOVQ k+32(FP), CX
	MOVQ r+40(FP), R8
	SHLQ $2, R8
	MOVL mask+48(FP), AX
	KMOVW AX, K2
	KXNORW K1, K1, K1

block:
	CMPQ CX, $16
	JGE  load
	MOVL $1, AX
	SHLL CX, AX
	DECL AX
	KMOVW AX, K1

load:
	CLEAR(Z0, Z1, Z2, Z3)
	CLEAR(Z4, Z5, Z6, Z7)
	CLEAR(Z8, Z9, Z10, Z11)
	CLEAR(Z12, Z13, Z14, Z15)
	LOAD(0, Z0)
	LOAD(1, Z1)
	LOAD(2, Z2)
	LOAD(3, Z3)
	LOAD(4, Z4)
	LOAD(5, Z5)
	LOAD(6, Z6)
	LOAD(7, Z7)
	LOAD(8, Z8)
	LOAD(9, Z9)
	LOAD(10, Z10)
	LOAD(11, Z11)
	LOAD(12, Z12)
	LOAD(13, Z13)
	LOAD(14, Z14)
	LOAD(15, Z15)

loaded:
	ADDQ $64, SI
	QUAD(Z0, Z1, Z2, Z3, Z16, Z17, Z18, Z19)
	QUAD(Z4, Z5, Z6, Z7, Z20, Z21, Z22, Z23)
	QUAD(Z8, Z9, Z10, Z11, Z24, Z25, Z26, Z27)
	QUAD(Z12, Z13, Z14, Z15, Z28, Z29, Z30, Z31)
	LANES(Z0, Z4, Z8, Z12, Z16, Z17, Z18, Z19)
	LANES(Z1, Z5, Z9, Z13, Z20, Z21, Z22, Z23)
	LANES(Z2, Z6, Z10, Z14, Z24, Z25, Z26, Z27)
	LANES(Z3, Z7, Z11, Z15, Z28, Z29, Z30, Z31)
	STORE(Z0)
	STORE(Z1)
	STORE(Z2)
	STORE(Z3)
	STORE(Z4)
	STORE(Z5)
	STORE(Z6)
	STORE(Z7)
	STORE(Z8)
	STORE(Z9)
	STORE(Z10)
	STORE(Z11)
	STORE(Z12)
	STORE(Z13)
	STORE(Z14)
	STORE(Z15)
	JMP  block

done:
	VZEROUPPER
	RET

// func copy16(dst, src *float32, k, ld, r int, load, store uint32)
TEXT ·copy16(SB), NOSPLIT, $0-48
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ k+16(FP), CX
	MOVQ ld+24(FP), R9
	MOVQ r+32(FP), R8
	SHLQ $2, R9
	SHLQ $2, R8
	MOVQ R9, R10
	SHLQ $4, R10 // fetch what lies 16 steps ahead
	MOVL load+40(FP), AX
	MOVL store+44(FP), BX
	KMOVW AX, K1
	KMOVW BX, K3
	SHRL $16, BX
	JZ   narrow
	SHRL $16, AX
	KMOVW AX, K2
	KMOVW BX, K4

wide:
	PREFETCHT0 (SI)(R10*1)
	PREFETCHT0 64(SI)(R10*1)
	VMOVUPS.Z (SI), K1, Z0
	VMOVUPS.Z 64(SI), K2, Z1
	VMOVUPS Z0, K3, (DI)
	VMOVUPS Z1, K4, 64(DI)
	ADDQ R9, SI
	ADDQ R8, DI
	DECQ CX
	JNZ  wide
	VZEROUPPER
	RET

narrow:
	PREFETCHT0 (SI)(R10*1)
	VMOVUPS.Z (SI), K1, Z0
	VMOVUPS Z0, K3, (DI)
	ADDQ R9, SI
	ADDQ R8, DI
	DECQ CX
	JNZ  narrow
	VZEROUPPER
	RET
