//go:build !purego

#include "go_asm.h"
#include "textflag.h"

// The loops for AVX2: vectors of 8 floats, masks in vector registers. The
// loops themselves are written once for both widths, in the headers at the
// end; what differs has a name here, explained in avx512_amd64.s.

#define LANES 8
#define BYTES 32

#define V0 Y0
#define V1 Y1
#define V2 Y2
#define V3 Y3
#define V4 Y4
#define V5 Y5
#define V6 Y6
#define V7 Y7
#define V8 Y8
#define V9 Y9
#define V10 Y10
#define V11 Y11
#define V12 Y12
#define V14 Y14
#define V15 Y15

#define H1 X1
#define H2 X2
#define H4 X4
#define H5 X5
#define H11 X11

#define T  Y13
#define XT X13
#define M0 Y14
#define M1 Y14

#define CLEAR(v) VPXOR v, v, v
#define SPREAD(r, v) \
	VMOVD r, XT; \
	VPBROADCASTD XT, v

DATA masks<>+0(SB)/8, $-1
DATA masks<>+8(SB)/8, $-1
DATA masks<>+16(SB)/8, $-1
DATA masks<>+24(SB)/8, $-1
DATA masks<>+32(SB)/8, $-1
DATA masks<>+40(SB)/8, $-1
DATA masks<>+48(SB)/8, $-1
DATA masks<>+56(SB)/8, $-1
DATA masks<>+64(SB)/8, $0
DATA masks<>+72(SB)/8, $0
DATA masks<>+80(SB)/8, $0
DATA masks<>+88(SB)/8, $0
DATA masks<>+96(SB)/8, $0
DATA masks<>+104(SB)/8, $0
DATA masks<>+112(SB)/8, $0
DATA masks<>+120(SB)/8, $0
GLOBL masks<>(SB), RODATA|NOPTR, $128

// MASK is the mask of as many elements as r says, -8 to 16; it changes r.
#define MASK(r, v) \
	NEGQ r; \
	LEAQ masks<>+64(SB), R11; \
	VMOVUPS (R11)(r*4), v

#define PART MASK(CX, Y15)
#define LOADPART(p, v) VMASKMOVPS (p)(AX*1), Y15, v
#define STOREPART(v, p) VMASKMOVPS v, Y15, (p)(AX*1)

#define BLEND(m, yes, no, dst) VBLENDVPS m, yes, no, dst
#define BLENDWIDE(m, yes, no, dst) VBLENDVPD m, yes, no, dst
#define KEEP(m, x, dst) VANDPS x, m, dst

#define WIDEN(v, h, lo, hi, hih) \
	VEXTRACTF128 $1, v, hih; \
	VCVTPS2PD h, lo; \
	VCVTPS2PD hih, hi

#define NARROW(lo, loh, hi, hih, v) \
	VCVTPD2PSY lo, loh; \
	VCVTPD2PSY hi, hih; \
	VINSERTF128 $1, hih, lo, v

#define ADDC(c, x, dst) VBROADCASTSD c, T; VADDPD T, x, dst
#define SUBC(c, x, dst) VBROADCASTSD c, T; VSUBPD T, x, dst
#define MULC(c, x, dst) VBROADCASTSD c, T; VMULPD T, x, dst
#define ANDC(c, x, dst) VPBROADCASTQ c, T; VPAND T, x, dst
#define ORC(c, x, dst) VPBROADCASTQ c, T; VPOR T, x, dst
#define ADDQC(c, x, dst) VPBROADCASTQ c, T; VPADDQ T, x, dst

#define SUMSLO Y6
#define SUMSHI Y7
#define ADDSUMS \
	VADDPD Y7, Y6, Y6; \
	VEXTRACTF128 $1, Y6, X1; \
	VADDPD X1, X6, X6; \
	VPERMILPD $1, X6, X1; \
	VADDSD X1, X6, X6

#define STORESUMS(p) VMOVUPD Y6, (p); VMOVUPD Y7, 32(p)

#define EVERY(body) \
	body(Y0, X0, 0); \
	body(Y1, X1, 32); \
	body(Y2, X2, 64); \
	body(Y3, X3, 96); \
	body(Y4, X4, 128); \
	body(Y5, X5, 160); \
	body(Y6, X6, 192); \
	body(Y7, X7, 224)

// STOREREST stores those of a vector that are among R9 elements, as many as are left. A mask
// is slow on some processors: one vector of a row needs it.
#define REST
#define STOREREST(v, h, at) \
	CMPQ    R9, $8; \
	JLT     4(PC); \
	VMOVUPS v, at(SI); \
	SUBQ    $8, R9; \
	JMP     8(PC); \
	TESTQ   R9, R9; \
	JEQ     6(PC); \
	NEGQ    R9; \
	LEAQ    masks<>+64(SB), DI; \
	VMOVUPS (DI)(R9*4), V8; \
	VMASKMOVPS v, V8, at(SI); \
	XORQ    R9, R9

#define BLOCKSUMSLO Y12
#define BLOCKSUMSHI Y15
#define LOADBLOCKSUMS(p) VMOVUPD (p), Y12; VMOVUPD 32(p), Y15
#define STOREBLOCKSUMS(p) VMOVUPD Y12, (p); VMOVUPD Y15, 32(p)

#define FOLDMAX \
	VEXTRACTF128 $1, Y2, X1; \
	VMAXPS X1, X2, X2; \
	VPERMILPD $1, X2, X1; \
	VMAXPS X1, X2, X2; \
	VPERMILPS $1, X2, X1; \
	VMAXSS X1, X2, X2

#define LOAD1(p, v) VMOVUPS (p), v
#define LOAD1PART(p, v) VMASKMOVPS (p), Y15, v
#define PIXELS1 PART

#define LOAD2(p, v) \
	VMOVUPS (p), v; \
	VSHUFPS $0xD8, 28(p), v, v; \
	VPERMPD $0xD8, v, v
#define LOAD2PART(p, v) \
	VMASKMOVPS (p), Y11, v; \
	VMASKMOVPS 28(p), Y12, T; \
	VSHUFPS $0xD8, T, v, v; \
	VPERMPD $0xD8, v, v
#define PIXELS2 \
	MOVQ CX, DX; \
	PART; \
	LEAQ -1(DX)(DX*1), CX; \
	MASK(CX, Y11); \
	LEAQ -8(DX)(DX*1), CX; \
	MASK(CX, Y12)

#define EVEN

#define ISNAN(v, r) \
	VCMPPS $3, v, v, M1; \
	VMOVMSKPS M1, r

#define XORWITH(word, x, y) \
	VPBROADCASTD word, T; \
	VPXOR x, y, y; \
	VPXOR T, y, y
#define ODDWORDS
#define PAIR(odd, even) VPSLLQ $32, odd, odd; VPBLENDD $0xAA, odd, even, even

DATA counters<>+0(SB)/8, $0
DATA counters<>+8(SB)/8, $2
DATA counters<>+16(SB)/8, $1
DATA counters<>+24(SB)/8, $3
DATA counters<>+32(SB)/8, $4
DATA counters<>+40(SB)/8, $4
DATA counters<>+48(SB)/8, $4
DATA counters<>+56(SB)/8, $4
GLOBL counters<>(SB), RODATA|NOPTR, $64

#define NOTBELOW(a, v, m) VPMAXUD a, v, m; VPCMPEQD v, m, m
#define XOR VPXOR
#define AND VPAND
#define OR VPOR

#define fn_add ·addAVX2
#define fn_mul ·mulAVX2
#define fn_fill ·fillAVX2
#define fn_spread ·spreadAVX2
#define fn_sum ·sumAVX2
#define fn_relu ·reluAVX2
#define fn_leakyReLU ·leakyReLUAVX2
#define fn_sigmoid ·sigmoidAVX2
#define fn_tanh ·tanhAVX2
#define fn_largest ·largestAVX2
#define fn_expSum ·expSumAVX2
#define fn_scaleWide ·scaleWideAVX2
#define fn_normalise75 ·normalise75AVX2
#define fn_lrnTerms75 ·lrnTerms75AVX2
#define fn_power ·powerAVX2
#define fn_addRows ·addRowsAVX2
#define fn_squareRows ·squareRowsAVX2
#define fn_lrnTerms ·lrnTermsAVX2
#define fn_lrnGradient ·lrnGradientAVX2
#define fn_lrnGradientAdd ·lrnGradientAddAVX2
#define fn_maxPool1 ·maxPool1AVX2
#define fn_maxPool2 ·maxPool2AVX2
#define fn_draw ·drawAVX2
#define fn_run ·runAVX2
#define fn_exponential ·exponentialAVX2
#define fn_logarithm ·logarithmAVX2
#define fn_erf ·erfAVX2

#include "loops_amd64.h"
#include "exp_amd64.h"
#include "arithmetic_amd64.h"
#include "unary_amd64.h"
#include "softmax_amd64.h"
#include "lrn_amd64.h"
#include "pool_amd64.h"
#include "draw_amd64.h"
#include "program_amd64.h"
