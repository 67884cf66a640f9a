//go:build !purego

#include "go_asm.h"
#include "textflag.h"

#define LANES 8
#define LOGLANES 3
#define BYTES 32

#define V0 Y0
#define V1 Y1
#define V2 Y2
#define V3 Y3
#define V4 Y4
#define V5 Y5
#define V15 Y15

#define ZERO(v) VPXOR v, v, v

// M1 and M2 are masks. MASK makes one of the first CX elements of a vector.
#define M1 Y12
#define M2 Y13
#define MASK(m) \
	LEAQ masks<>+32(SB), AX; \
	SHLQ $2, CX; \
	SUBQ CX, AX; \
	VMOVUPS (AX), m

DATA masks<>+0(SB)/8, $-1
DATA masks<>+8(SB)/8, $-1
DATA masks<>+16(SB)/8, $-1
DATA masks<>+24(SB)/8, $-1
DATA masks<>+32(SB)/8, $0
DATA masks<>+40(SB)/8, $0
DATA masks<>+48(SB)/8, $0
DATA masks<>+56(SB)/8, $0
GLOBL masks<>(SB), RODATA|NOPTR, $64

#define LOADPART(m, p, v) VMASKMOVPS p, m, v
#define STOREPART(v, m, p) VMASKMOVPS v, m, p

// SPLITPAIR is V2 the even and V3 the odd elements of V0 and V1, MERGEPAIR the reverse.
#define EVENODD

#define SPLITPAIR \
	VSHUFPS $0x88, Y1, Y0, Y2; \
	VSHUFPS $0xDD, Y1, Y0, Y3; \
	VPERMPD $0xD8, Y2, Y2; \
	VPERMPD $0xD8, Y3, Y3

#define MERGEPAIR \
	VUNPCKLPS Y1, Y0, Y6; \
	VUNPCKHPS Y1, Y0, Y7; \
	VPERM2F128 $0x20, Y7, Y6, Y2; \
	VPERM2F128 $0x31, Y7, Y6, Y3

#include "correlate_amd64.h"
#include "rows_amd64.h"

// func correlateAVX2(y, x, w []float32, at []int, bias []float32, n int, p Planes)
TEXT ·correlateAVX2(SB), NOSPLIT, $0-152
	CORRELATE
	RET

// func padAVX2(padded, image []float32, r Rows)
TEXT ·padAVX2(SB), NOSPLIT, $0-136
	PAD
	RET

// func splitAVX2(even, odd, image []float32, r Rows)
TEXT ·splitAVX2(SB), NOSPLIT, $8-160
	SPLIT
	RET

// func unpadAVX2(image, padded []float32, r Rows)
TEXT ·unpadAVX2(SB), NOSPLIT, $0-136
	UNPAD
	RET

// func mergeAVX2(image, even, odd []float32, r Rows)
TEXT ·mergeAVX2(SB), NOSPLIT, $0-160
	MERGE
	RET

// As in avx512_amd64.s; a step of sixteen elements is two vectors.

// func dotsAVX2(sums, y, x []float32, at []int)
TEXT ·dotsAVX2(SB), NOSPLIT, $0-96
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
	VMOVUPS (DI), Y0
	VMOVUPS 32(DI), Y1
	VMOVUPS 64(DI), Y2
	VMOVUPS 96(DI), Y3
	VMOVUPS 128(DI), Y4
	VMOVUPS 160(DI), Y5
	VMOVUPS 192(DI), Y6
	VMOVUPS 224(DI), Y7
	XORL BX, BX
	JMP  four_end

four_more:
	VMOVUPS (SI)(BX*4), Y8
	VMOVUPS 32(SI)(BX*4), Y9
	VFMADD231PS (R11)(BX*4), Y8, Y0
	VFMADD231PS 32(R11)(BX*4), Y9, Y1
	VFMADD231PS (R12)(BX*4), Y8, Y2
	VFMADD231PS 32(R12)(BX*4), Y9, Y3
	VFMADD231PS (R13)(BX*4), Y8, Y4
	VFMADD231PS 32(R13)(BX*4), Y9, Y5
	VFMADD231PS (AX)(BX*4), Y8, Y6
	VFMADD231PS 32(AX)(BX*4), Y9, Y7
	ADDQ $16, BX

four_end:
	CMPQ BX, R8
	JLT  four_more
	VMOVUPS Y0, (DI)
	VMOVUPS Y1, 32(DI)
	VMOVUPS Y2, 64(DI)
	VMOVUPS Y3, 96(DI)
	VMOVUPS Y4, 128(DI)
	VMOVUPS Y5, 160(DI)
	VMOVUPS Y6, 192(DI)
	VMOVUPS Y7, 224(DI)
	ADDQ $256, DI
	ADDQ $32, R9
	SUBQ $4, R10
	JMP  four

one:
	TESTQ R10, R10
	JZ   done
	MOVQ (R9), AX
	LEAQ (DX)(AX*4), R11
	VMOVUPS (DI), Y0
	VMOVUPS 32(DI), Y1
	XORL BX, BX
	JMP  one_end

one_more:
	VMOVUPS (SI)(BX*4), Y8
	VMOVUPS 32(SI)(BX*4), Y9
	VFMADD231PS (R11)(BX*4), Y8, Y0
	VFMADD231PS 32(R11)(BX*4), Y9, Y1
	ADDQ $16, BX

one_end:
	CMPQ BX, R8
	JLT  one_more
	VMOVUPS Y0, (DI)
	VMOVUPS Y1, 32(DI)
	ADDQ $64, DI
	ADDQ $8, R9
	DECQ R10
	JMP  one

done:
	VZEROUPPER
	RET
