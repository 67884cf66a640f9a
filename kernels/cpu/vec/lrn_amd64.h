// Local response normalisation.

DATA root<>+0(SB)/4, $0x7F7FFFFF // the largest float
DATA root<>+4(SB)/4, $0x4F586008
DATA root<>+8(SB)/4, $0.25
GLOBL root<>(SB), RODATA|NOPTR, $12

#define ROOTARGS \
	VBROADCASTSS root<>+0(SB), V9; \
	VBROADCASTSS root<>+4(SB), V10; \
	VBROADCASTSS root<>+8(SB), V11

#define NEWTON(quarter, r) \
	VMULPS r, r, V5; \
	VMULPS V5, quarter, V6; \
	VMULPS V5, V6, V6; \
	VSUBPS V6, V11, V6; \
	VMULPS V6, r, V6; \
	VADDPS V6, r, r

// ROOT is r = x^-1/4 as root in lrn.go computes it, step by step. The mask is
// of what is not greater than the largest float: the others become 0. A NaN is
// the second source of the minimum, and stays.
#define ROOT(x, r) \
	VCMPPS $10, V9, x, M0; \
	VMINPS x, V9, x; \
	VPSRLD $2, x, r; \
	VPSUBD r, V10, r; \
	VMULPS x, V11, x; \
	NEWTON(x, r); \
	NEWTON(x, r); \
	NEWTON(x, r); \
	KEEP(M0, r, r)

// SQUARES is V1 = k + the sum of a x² of BX rows at SI, DX bytes apart, with a and
// k in V7 and V8. R8 becomes the row behind them.
#define SQUARES(LD, label) \
	CLEAR(V1); \
	MOVQ SI, R8; \
	MOVQ BX, R9; \
label: \
	LD(R8, V2); \
	VMULPS V2, V7, V3; \
	VMULPS V2, V3, V2; \
	VADDPS V2, V1, V1; \
	ADDQ DX, R8; \
	DECQ R9; \
	JNZ  label; \
	VADDPS V1, V8, V1

// The row behind is the next channel's.
#define NORMALISE75(LD, ST, label) \
	SQUARES(LD, label); \
	PREFETCHT0 (R8)(AX*1); \
	ST(V1, R12); \
	ROOT(V1, V2); \
	VMULPS V2, V2, V3; \
	VMULPS V2, V3, V3; \
	LD(R10, V1); \
	VMULPS V1, V3, V3; \
	ST(V3, DI)

// func normalise75(y, scale, x []float32, rows, stride, centre int, a, k float32)
TEXT fn_normalise75(SB), NOSPLIT, $0-104
	MOVQ y_base+0(FP), DI
	MOVQ y_len+8(FP), CX
	MOVQ scale_base+24(FP), R12
	MOVQ x_base+48(FP), SI
	MOVQ rows+72(FP), BX
	MOVQ stride+80(FP), DX
	SHLQ $2, DX
	MOVQ centre+88(FP), R10
	IMULQ DX, R10
	ADDQ SI, R10
	VBROADCASTSS a+96(FP), V7
	VBROADCASTSS k+100(FP), V8
	ROOTARGS
	EACH(NORMALISE75)
	VZEROUPPER
	RET

#define LRNTERMS75(LD, ST, label) \
	LD(DX, V1); \
	ROOT(V1, V2); \
	VMULPS V2, V2, V3; \
	VMULPS V2, V3, V3; \
	ST(V3, SI); \
	VMULPS V2, V3, V2; \
	LD(R8, V1); \
	VMULPS V2, V1, V1; \
	LD(R9, V2); \
	VMULPS V3, V2, V2; \
	VMULPS V2, V1, V1; \
	ST(V1, DI)

// func lrnTerms75(t, s, scale, x, dy []float32)
TEXT fn_lrnTerms75(SB), NOSPLIT, $0-120
	MOVQ t_base+0(FP), DI
	MOVQ t_len+8(FP), CX
	MOVQ s_base+24(FP), SI
	MOVQ scale_base+48(FP), DX
	MOVQ x_base+72(FP), R8
	MOVQ dy_base+96(FP), R9
	ROOTARGS
	EACH(LRNTERMS75)
	VZEROUPPER
	RET

// POWERWIDE is x = x^beta, in doubles, with beta in V0. A NaN stays.
#define POWERWIDE(x) \
	VCMPPD $3, x, x, M1; \
	VMOVAPS x, V3; \
	LOG(x, V8, V9, V2); \
	MULC(power_nothing, V3, V2); \
	VADDPD V2, x, x; \
	VMULPD V0, x, x; \
	EXP(x, V8, V9); \
	BLENDWIDE(M1, V3, x, x)

#define POWER(LD, ST, label) \
	LD(SI, V1); \
	WIDEN(V1, H1, V4, V5, H5); \
	POWERWIDE(V4); \
	POWERWIDE(V5); \
	NARROW(V4, H4, V5, H5, V1); \
	ST(V1, DI)

// func power(y, x []float32, beta float64)
TEXT fn_power(SB), NOSPLIT, $0-56
	MOVQ y_base+0(FP), DI
	MOVQ y_len+8(FP), CX
	MOVQ x_base+24(FP), SI
	VBROADCASTSD beta+48(FP), V0
	EACH(POWER)
	VZEROUPPER
	RET

#define ADDROWS(LD, ST, label) \
	LD(DI, V1); \
	MOVQ SI, R8; \
	MOVQ BX, R9; \
label: \
	LD(R8, V2); \
	VADDPS V2, V1, V1; \
	ADDQ DX, R8; \
	DECQ R9; \
	JNZ  label; \
	ST(V1, DI)

// func addRows(y, x []float32, rows, stride int)
TEXT fn_addRows(SB), NOSPLIT, $0-64
	MOVQ y_base+0(FP), DI
	MOVQ y_len+8(FP), CX
	MOVQ x_base+24(FP), SI
	MOVQ rows+48(FP), BX
	MOVQ stride+56(FP), DX
	SHLQ $2, DX
	EACH(ADDROWS)
	VZEROUPPER
	RET

#define SQUAREROWS(LD, ST, label) \
	SQUARES(LD, label); \
	ST(V1, DI)

// func squareRows(y, x []float32, rows, stride int, a, k float32)
TEXT fn_squareRows(SB), NOSPLIT, $0-72
	MOVQ y_base+0(FP), DI
	MOVQ y_len+8(FP), CX
	MOVQ x_base+24(FP), SI
	MOVQ rows+48(FP), BX
	MOVQ stride+56(FP), DX
	SHLQ $2, DX
	VBROADCASTSS a+64(FP), V7
	VBROADCASTSS k+68(FP), V8
	EACH(SQUAREROWS)
	VZEROUPPER
	RET

#define LRNTERMS(LD, ST, label) \
	LD(R9, V1); \
	LD(SI, V2); \
	VMULPS V2, V1, V1; \
	LD(R8, V2); \
	LD(DX, V3); \
	VDIVPS V3, V2, V2; \
	VMULPS V2, V1, V1; \
	ST(V1, DI)

// func lrnTerms(t, s, scale, x, dy []float32)
TEXT fn_lrnTerms(SB), NOSPLIT, $0-120
	MOVQ t_base+0(FP), DI
	MOVQ t_len+8(FP), CX
	MOVQ s_base+24(FP), SI
	MOVQ scale_base+48(FP), DX
	MOVQ x_base+72(FP), R8
	MOVQ dy_base+96(FP), R9
	EACH(LRNTERMS)
	VZEROUPPER
	RET

// LRNGRADIENT is V2 = dy s - factor x sum.
#define LRNGRADIENT(LD) \
	LD(R10, V2); \
	LD(SI, V1); \
	VMULPS V1, V2, V2; \
	LD(R8, V3); \
	LD(DX, V1); \
	VMULPS V1, V3, V3; \
	VMULPS V3, V0, V3; \
	VSUBPS V3, V2, V2

#define LRNWRITE(LD, ST, label) LRNGRADIENT(LD); ST(V2, DI)
#define LRNADD(LD, ST, label) LRNGRADIENT(LD); LD(DI, V3); VADDPS V2, V3, V2; ST(V2, DI)

#define LRNARGS \
	MOVQ dx_base+0(FP), DI; \
	MOVQ dx_len+8(FP), CX; \
	MOVQ s_base+24(FP), SI; \
	MOVQ sum_base+48(FP), DX; \
	MOVQ x_base+72(FP), R8; \
	MOVQ dy_base+96(FP), R10; \
	VBROADCASTSS factor+120(FP), V0

// func lrnGradient(dx, s, sum, x, dy []float32, factor float32)
TEXT fn_lrnGradient(SB), NOSPLIT, $0-124
	LRNARGS
	EACH(LRNWRITE)
	VZEROUPPER
	RET

// func lrnGradientAdd(dx, s, sum, x, dy []float32, factor float32)
TEXT fn_lrnGradientAdd(SB), NOSPLIT, $0-124
	LRNARGS
	EACH(LRNADD)
	VZEROUPPER
	RET
