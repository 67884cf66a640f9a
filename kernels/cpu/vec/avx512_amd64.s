//go:build !purego

#include "go_asm.h"
#include "textflag.h"

// The loops for AVX-512: vectors of 16 floats, masks in K registers. The
// loops themselves are written once for both widths, in the headers at the
// end; what differs has a name here.

#define LANES 16
#define BYTES 64

#define V0 Z0
#define V1 Z1
#define V2 Z2
#define V3 Z3
#define V4 Z4
#define V5 Z5
#define V6 Z6
#define V7 Z7
#define V8 Z8
#define V9 Z9
#define V10 Z10
#define V11 Z11
#define V12 Z12
#define V14 Z14
#define V15 Z15

// H is the lower half of V.
#define H1 Y1
#define H2 Y2
#define H4 Y4
#define H5 Y5
#define H11 Y11

// T is for constants, M0 and M1 are masks.
#define T  Z31
#define XT X31
#define M0 K2
#define M1 K3

#define CLEAR(v) VPXORD v, v, v
#define SPREAD(r, v) VPBROADCASTD r, v

// PART makes the mask of the last CX elements, for LOADPART and STOREPART.
#define PART \
	MOVL  $1, R11; \
	SHLL  CX, R11; \
	DECL  R11; \
	KMOVW R11, K1

#define LOADPART(p, v) VMOVUPS.Z (p)(AX*1), K1, v
#define STOREPART(v, p) VMOVUPS v, K1, (p)(AX*1)

// BLEND is yes where the mask is set and no elsewhere; KEEP is x or 0.
#define BLEND(m, yes, no, dst) VBLENDMPS yes, no, m, dst
#define BLENDWIDE(m, yes, no, dst) VBLENDMPD yes, no, m, dst
#define KEEP(m, x, dst) VMOVAPS.Z x, m, dst

// WIDEN makes doubles: lo of the lower half of v, which is h, and hi of the
// upper, whose lower half is hih. NARROW is the way back.
#define WIDEN(v, h, lo, hi, hih) \
	VEXTRACTF64X4 $1, v, hih; \
	VCVTPS2PD h, lo; \
	VCVTPS2PD hih, hi

#define NARROW(lo, loh, hi, hih, v) \
	VCVTPD2PS lo, loh; \
	VCVTPD2PS hi, hih; \
	VINSERTF64X4 $1, hih, lo, v

// Arithmetic with one double of memory.
#define ADDC(c, x, dst) VADDPD.BCST c, x, dst
#define SUBC(c, x, dst) VSUBPD.BCST c, x, dst
#define MULC(c, x, dst) VMULPD.BCST c, x, dst
#define ANDC(c, x, dst) VPANDQ.BCST c, x, dst
#define ORC(c, x, dst) VPORQ.BCST c, x, dst
#define ADDQC(c, x, dst) VPADDQ.BCST c, x, dst

// The eight sums of a reduction are one register. ADDSUMS leaves
// ((s0+s4)+(s2+s6)) + ((s1+s5)+(s3+s7)) in X6.
#define SUMSLO Z6
#define SUMSHI Z6
#define ADDSUMS \
	VEXTRACTF64X4 $1, Z6, Y1; \
	VADDPD Y1, Y6, Y6; \
	VEXTRACTF128 $1, Y6, X1; \
	VADDPD X1, X6, X6; \
	VPERMILPD $1, X6, X1; \
	VADDSD X1, X6, X6

#define STORESUMS(p) VMOVUPD Z6, (p)

// EVERY is for each vector of a block: its lower half and its place.
#define EVERY(body) \
	body(Z0, Y0, 0); \
	body(Z1, Y1, 64); \
	body(Z2, Y2, 128); \
	body(Z3, Y3, 192)

// REST makes the mask of the first R9 elements of a block, and STOREREST stores those of a
// vector of it.
#define REST \
	MOVQ  $-1, DI; \
	BZHIQ R9, DI, R9
#define STOREREST(v, h, at) \
	KMOVW   R9, K1; \
	VMOVUPS v, K1, at(SI); \
	SHRQ    $16, R9

#define BLOCKSUMSLO Z12
#define BLOCKSUMSHI Z12
#define LOADBLOCKSUMS(p) VMOVUPD (p), Z12
#define STOREBLOCKSUMS(p) VMOVUPD Z12, (p)

// FOLDMAX leaves the largest element of V2 in X2.
#define FOLDMAX \
	VEXTRACTF64X4 $1, Z2, Y1; \
	VMAXPS Y1, Y2, Y2; \
	VEXTRACTF128 $1, Y2, X1; \
	VMAXPS X1, X2, X2; \
	VPERMILPD $1, X2, X1; \
	VMAXPS X1, X2, X2; \
	VPERMILPS $1, X2, X1; \
	VMAXSS X1, X2, X2

// LOAD1 and LOAD2 are the pixels at p of windows that lie one and two apart,
// with PIXELS1 and PIXELS2 for the last CX windows alone. LOAD2 reads the
// second vector one pixel early, so as not to read past the last window.
#define LOAD1(p, v) VMOVUPS (p), v
#define LOAD1PART(p, v) VMOVUPS.Z (p), K1, v
#define PIXELS1 PART

#define LOAD2(p, v) \
	VMOVUPS (p), v; \
	VMOVUPS 60(p), T; \
	VPERMT2PS T, V12, v
#define LOAD2PART(p, v) \
	VMOVUPS.Z (p), K4, v; \
	VMOVUPS.Z 60(p), K5, T; \
	VPERMT2PS T, V12, v
#define PIXELS2 \
	PART; \
	ADDL  CX, CX; \
	MOVL  $1, R11; \
	SHLL  CX, R11; \
	SHRL  $1, R11; \
	DECL  R11; \
	KMOVW R11, K4; \
	SHRL  $15, R11; \
	KMOVW R11, K5

DATA even<>+0(SB)/4, $0
DATA even<>+4(SB)/4, $2
DATA even<>+8(SB)/4, $4
DATA even<>+12(SB)/4, $6
DATA even<>+16(SB)/4, $8
DATA even<>+20(SB)/4, $10
DATA even<>+24(SB)/4, $12
DATA even<>+28(SB)/4, $14
DATA even<>+32(SB)/4, $17
DATA even<>+36(SB)/4, $19
DATA even<>+40(SB)/4, $21
DATA even<>+44(SB)/4, $23
DATA even<>+48(SB)/4, $25
DATA even<>+52(SB)/4, $27
DATA even<>+56(SB)/4, $29
DATA even<>+60(SB)/4, $31
GLOBL even<>(SB), RODATA|NOPTR, $64
#define EVEN VMOVUPS even<>(SB), V12

// ISNAN sets r where an element of v is NaN.
#define ISNAN(v, r) \
	VCMPPS $3, v, v, M1; \
	KMOVW M1, r

// XORWITH is y ^= x ^ a word of memory. ODDWORDS is for PAIR, which puts the low half of
// each 64-bit lane of odd into the upper of even.
#define XORWITH(word, x, y) VPTERNLOGD.BCST $0x96, word, x, y
#define ODDWORDS MOVL $0xAAAA, AX; KMOVW AX, K1
#define PAIR(odd, even) VMOVSLDUP odd, K1, even

DATA counters<>+0(SB)/8, $0
DATA counters<>+8(SB)/8, $4
DATA counters<>+16(SB)/8, $1
DATA counters<>+24(SB)/8, $5
DATA counters<>+32(SB)/8, $2
DATA counters<>+40(SB)/8, $6
DATA counters<>+48(SB)/8, $3
DATA counters<>+56(SB)/8, $7
DATA counters<>+64(SB)/8, $8
DATA counters<>+72(SB)/8, $8
DATA counters<>+80(SB)/8, $8
DATA counters<>+88(SB)/8, $8
DATA counters<>+96(SB)/8, $8
DATA counters<>+104(SB)/8, $8
DATA counters<>+112(SB)/8, $8
DATA counters<>+120(SB)/8, $8
GLOBL counters<>(SB), RODATA|NOPTR, $128

// NOTBELOW is where v, unsigned, is not below a.
#define NOTBELOW(a, v, m) VPCMPUD $5, a, v, m
#define XOR VPXORD
#define AND VPANDD
#define OR VPORD

#define fn_add ·add512
#define fn_mul ·mul512
#define fn_fill ·fill512
#define fn_spread ·spread512
#define fn_sum ·sum512
#define fn_relu ·relu512
#define fn_leakyReLU ·leakyReLU512
#define fn_sigmoid ·sigmoid512
#define fn_tanh ·tanh512
#define fn_largest ·largest512
#define fn_expSum ·expSum512
#define fn_scaleWide ·scaleWide512
#define fn_normalise75 ·normalise75512
#define fn_lrnTerms75 ·lrnTerms75512
#define fn_power ·power512
#define fn_addRows ·addRows512
#define fn_squareRows ·squareRows512
#define fn_lrnTerms ·lrnTerms512
#define fn_lrnGradient ·lrnGradient512
#define fn_lrnGradientAdd ·lrnGradientAdd512
#define fn_maxPool1 ·maxPool1512
#define fn_maxPool2 ·maxPool2512
#define fn_draw ·draw512
#define fn_run ·run512
#define fn_exponential ·exponential512
#define fn_logarithm ·logarithm512
#define fn_erf ·erf512

#include "loops_amd64.h"
#include "exp_amd64.h"
#include "arithmetic_amd64.h"
#include "unary_amd64.h"
#include "softmax_amd64.h"
#include "lrn_amd64.h"
#include "pool_amd64.h"
#include "draw_amd64.h"
#include "program_amd64.h"
