//go:build !purego

#include "go_asm.h"
#include "textflag.h"

#define LANES 16
#define LOGLANES 4
#define BYTES 64

#define V0 Z0
#define V1 Z1
#define V2 Z2
#define V3 Z3
#define V4 Z4
#define V5 Z5
#define V15 Z15

#define ZERO(v) VPXORD v, v, v

// M1 and M2 are masks. MASK makes one of the first CX elements of a vector.
#define M1 K1
#define M2 K2
#define MASK(m) \
	MOVL  $1, AX; \
	SHLL  CX, AX; \
	DECL  AX; \
	KMOVW AX, m

#define LOADPART(m, p, v) VMOVUPS.Z p, m, v
#define STOREPART(v, m, p) VMOVUPS v, m, p

// SPLITPAIR is V2 the even and V3 the odd elements of V0 and V1, MERGEPAIR the reverse.
#define EVENODD \
	VMOVUPS order<>+0(SB), Z6; \
	VMOVUPS order<>+64(SB), Z7; \
	VMOVUPS order<>+128(SB), Z8; \
	VMOVUPS order<>+192(SB), Z9

#define SPLITPAIR \
	VMOVAPS Z0, Z2; \
	VMOVAPS Z0, Z3; \
	VPERMT2PS Z1, Z6, Z2; \
	VPERMT2PS Z1, Z7, Z3

#define MERGEPAIR \
	VMOVAPS Z0, Z2; \
	VMOVAPS Z0, Z3; \
	VPERMT2PS Z1, Z8, Z2; \
	VPERMT2PS Z1, Z9, Z3

// The even and the odd elements of two vectors, and two vectors merged.
DATA order<>+0(SB)/8, $0x0000000200000000
DATA order<>+8(SB)/8, $0x0000000600000004
DATA order<>+16(SB)/8, $0x0000000a00000008
DATA order<>+24(SB)/8, $0x0000000e0000000c
DATA order<>+32(SB)/8, $0x0000001200000010
DATA order<>+40(SB)/8, $0x0000001600000014
DATA order<>+48(SB)/8, $0x0000001a00000018
DATA order<>+56(SB)/8, $0x0000001e0000001c
DATA order<>+64(SB)/8, $0x0000000300000001
DATA order<>+72(SB)/8, $0x0000000700000005
DATA order<>+80(SB)/8, $0x0000000b00000009
DATA order<>+88(SB)/8, $0x0000000f0000000d
DATA order<>+96(SB)/8, $0x0000001300000011
DATA order<>+104(SB)/8, $0x0000001700000015
DATA order<>+112(SB)/8, $0x0000001b00000019
DATA order<>+120(SB)/8, $0x0000001f0000001d
DATA order<>+128(SB)/8, $0x0000001000000000
DATA order<>+136(SB)/8, $0x0000001100000001
DATA order<>+144(SB)/8, $0x0000001200000002
DATA order<>+152(SB)/8, $0x0000001300000003
DATA order<>+160(SB)/8, $0x0000001400000004
DATA order<>+168(SB)/8, $0x0000001500000005
DATA order<>+176(SB)/8, $0x0000001600000006
DATA order<>+184(SB)/8, $0x0000001700000007
DATA order<>+192(SB)/8, $0x0000001800000008
DATA order<>+200(SB)/8, $0x0000001900000009
DATA order<>+208(SB)/8, $0x0000001a0000000a
DATA order<>+216(SB)/8, $0x0000001b0000000b
DATA order<>+224(SB)/8, $0x0000001c0000000c
DATA order<>+232(SB)/8, $0x0000001d0000000d
DATA order<>+240(SB)/8, $0x0000001e0000000e
DATA order<>+248(SB)/8, $0x0000001f0000000f
GLOBL order<>(SB), RODATA|NOPTR, $256

#include "correlate_amd64.h"
#include "rows_amd64.h"

// func correlate512(y, x, w []float32, at []int, bias []float32, n int, p Planes)
TEXT ·correlate512(SB), NOSPLIT, $0-152
	CORRELATE
	RET

// func pad512(padded, image []float32, r Rows)
TEXT ·pad512(SB), NOSPLIT, $0-136
	PAD
	RET

// func split512(even, odd, image []float32, r Rows)
TEXT ·split512(SB), NOSPLIT, $8-160
	SPLIT
	RET

// func unpad512(image, padded []float32, r Rows)
TEXT ·unpad512(SB), NOSPLIT, $0-136
	UNPAD
	RET

// func merge512(image, even, odd []float32, r Rows)
TEXT ·merge512(SB), NOSPLIT, $0-160
	MERGE
	RET

// Four taps at a time, which share the elements of y: BX counts these, R11 to R14 are the
// pixels under the taps.

// func dots512(sums, y, x []float32, at []int)
TEXT ·dots512(SB), NOSPLIT, $0-96
	MOVQ sums_base+0(FP), DI
	MOVQ y_base+24(FP), SI
	MOVQ y_len+32(FP), R8
	MOVQ x_base+48(FP), DX
	MOVQ at_base+72(FP), R9
	MOVQ at_len+80(FP), R10

four:
	CMPQ R10, $4
	JLT  one
	MOVQ (R9), AX
	LEAQ (DX)(AX*4), R11
	MOVQ 8(R9), AX
	LEAQ (DX)(AX*4), R12
	MOVQ 16(R9), AX
	LEAQ (DX)(AX*4), R13
	MOVQ 24(R9), AX
	LEAQ (DX)(AX*4), AX
	VMOVUPS (DI), Z0
	VMOVUPS 64(DI), Z1
	VMOVUPS 128(DI), Z2
	VMOVUPS 192(DI), Z3
	XORL BX, BX
	JMP  four_end

four_more:
	VMOVUPS (SI)(BX*4), Z4
	VFMADD231PS (R11)(BX*4), Z4, Z0
	VFMADD231PS (R12)(BX*4), Z4, Z1
	VFMADD231PS (R13)(BX*4), Z4, Z2
	VFMADD231PS (AX)(BX*4), Z4, Z3
	ADDQ $16, BX

four_end:
	CMPQ BX, R8
	JLT  four_more
	VMOVUPS Z0, (DI)
	VMOVUPS Z1, 64(DI)
	VMOVUPS Z2, 128(DI)
	VMOVUPS Z3, 192(DI)
	ADDQ $256, DI
	ADDQ $32, R9
	SUBQ $4, R10
	JMP  four

one:
	TESTQ R10, R10
	JZ   done
	MOVQ (R9), AX
	LEAQ (DX)(AX*4), R11
	VMOVUPS (DI), Z0
	XORL BX, BX
	JMP  one_end

one_more:
	VMOVUPS (SI)(BX*4), Z4
	VFMADD231PS (R11)(BX*4), Z4, Z0
	ADDQ $16, BX

one_end:
	CMPQ BX, R8
	JLT  one_more
	VMOVUPS Z0, (DI)
	ADDQ $64, DI
	ADDQ $8, R9
	DECQ R10
	JMP  one

done:
	VZEROUPPER
	RET
