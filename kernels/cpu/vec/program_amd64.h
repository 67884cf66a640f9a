// The steps of element-wise programs.

#define TWO(body) \
	MOVQ y_base+0(FP), DI; \
	MOVQ y_len+8(FP), CX; \
	MOVQ a_base+24(FP), SI; \
	MOVQ b_base+48(FP), DX; \
	EACH(body); \
	VZEROUPPER

#define ONE(body) \
	MOVQ y_base+0(FP), DI; \
	MOVQ y_len+8(FP), CX; \
	MOVQ x_base+24(FP), SI; \
	EACH(body); \
	VZEROUPPER

#define SUB(LD, ST, label) \
	LD(SI, V1); \
	LD(DX, V2); \
	VSUBPS V2, V1, V1; \
	ST(V1, DI)

// func sub(y, a, b []float32)
TEXT fn_sub(SB), NOSPLIT, $0-72
	TWO(SUB)
	RET

#define DIV(LD, ST, label) \
	LD(SI, V1); \
	LD(DX, V2); \
	VDIVPS V2, V1, V1; \
	ST(V1, DI)

// func div(y, a, b []float32)
TEXT fn_div(SB), NOSPLIT, $0-72
	TWO(DIV)
	RET

// The instruction gives b where one of them is NaN or the two are equal; a that is
// NaN goes before.
#define MIN(LD, ST, label) \
	LD(SI, V1); \
	LD(DX, V2); \
	VMINPS V2, V1, V2; \
	VCMPPS $3, V1, V1, M0; \
	BLEND(M0, V1, V2, V1); \
	ST(V1, DI)

// func minimum(y, a, b []float32)
TEXT fn_minimum(SB), NOSPLIT, $0-72
	TWO(MIN)
	RET

#define MAX(LD, ST, label) \
	LD(SI, V1); \
	LD(DX, V2); \
	VMAXPS V2, V1, V2; \
	VCMPPS $3, V1, V1, M0; \
	BLEND(M0, V1, V2, V1); \
	ST(V1, DI)

// func maximum(y, a, b []float32)
TEXT fn_maximum(SB), NOSPLIT, $0-72
	TWO(MAX)
	RET

// SELECT is p where a compares with b, else q.
#define SELECT(predicate, LD, ST) \
	LD(SI, V1); \
	LD(DX, V2); \
	LD(R8, V3); \
	LD(R9, V4); \
	VCMPPS predicate, V2, V1, M0; \
	BLEND(M0, V3, V4, V1); \
	ST(V1, DI)

#define FOUR(body) \
	MOVQ y_base+0(FP), DI; \
	MOVQ y_len+8(FP), CX; \
	MOVQ a_base+24(FP), SI; \
	MOVQ b_base+48(FP), DX; \
	MOVQ p_base+72(FP), R8; \
	MOVQ q_base+96(FP), R9; \
	EACH(body); \
	VZEROUPPER

#define SELECTLESS(LD, ST, label) SELECT($17, LD, ST)

// func selectLess(y, a, b, p, q []float32)
TEXT fn_selectLess(SB), NOSPLIT, $0-120
	FOUR(SELECTLESS)
	RET

#define SELECTLESSEQUAL(LD, ST, label) SELECT($18, LD, ST)

// func selectLessEqual(y, a, b, p, q []float32)
TEXT fn_selectLessEqual(SB), NOSPLIT, $0-120
	FOUR(SELECTLESSEQUAL)
	RET

#define SELECTEQUAL(LD, ST, label) SELECT($0, LD, ST)

// func selectEqual(y, a, b, p, q []float32)
TEXT fn_selectEqual(SB), NOSPLIT, $0-120
	FOUR(SELECTEQUAL)
	RET

DATA magnitude<>+0(SB)/4, $0x7FFFFFFF
GLOBL magnitude<>(SB), RODATA|NOPTR, $4

#define ABS(LD, ST, label) \
	LD(SI, V1); \
	AND V0, V1, V1; \
	ST(V1, DI)

// func abs(y, x []float32)
TEXT fn_abs(SB), NOSPLIT, $0-48
	VBROADCASTSS magnitude<>(SB), V0
	ONE(ABS)
	RET

#define SQRT(LD, ST, label) \
	LD(SI, V1); \
	VSQRTPS V1, V1; \
	ST(V1, DI)

// func sqrt(y, x []float32)
TEXT fn_sqrt(SB), NOSPLIT, $0-48
	ONE(SQRT)
	RET

#define EXPONENTIAL(LD, ST, label) \
	LD(SI, V1); \
	WIDEN(V1, H1, V4, V5, H5); \
	EXP(V4, V6, V7); \
	EXP(V5, V6, V7); \
	NARROW(V4, H4, V5, H5, V1); \
	ST(V1, DI)

// func exponential(y, x []float32)
TEXT fn_exponential(SB), NOSPLIT, $0-48
	ONE(EXPONENTIAL)
	RET

DATA limits<>+0(SB)/4, $0x7F800000 // Inf
DATA limits<>+4(SB)/4, $0xFF800000 // -Inf
DATA limits<>+8(SB)/4, $0x7FC00000 // NaN
GLOBL limits<>(SB), RODATA|NOPTR, $12

// Where x is 0, infinite, negative or NaN, the logarithm is put in afterwards.
#define LOGARITHM(LD, ST, label) \
	LD(SI, V1); \
	WIDEN(V1, H1, V4, V5, H5); \
	LOG(V4, V6, V7, V8); \
	LOG(V5, V6, V7, V8); \
	NARROW(V4, H4, V5, H5, V2); \
	VCMPPS $0, V9, V1, M0; \
	BLEND(M0, V9, V2, V2); \
	VCMPPS $0, V0, V1, M0; \
	BLEND(M0, V10, V2, V2); \
	VCMPPS $25, V0, V1, M0; \
	BLEND(M0, V11, V2, V2); \
	ST(V2, DI)

// func logarithm(y, x []float32)
TEXT fn_logarithm(SB), NOSPLIT, $0-48
	CLEAR(V0)
	VBROADCASTSS limits<>+0(SB), V9
	VBROADCASTSS limits<>+4(SB), V10
	VBROADCASTSS limits<>+8(SB), V11
	ONE(LOGARITHM)
	RET

#define erf_12 erf<>+0(SB)
#define erf_11 erf<>+8(SB)
#define erf_10 erf<>+16(SB)
#define erf_9 erf<>+24(SB)
#define erf_8 erf<>+32(SB)
#define erf_7 erf<>+40(SB)
#define erf_6 erf<>+48(SB)
#define erf_5 erf<>+56(SB)
#define erf_4 erf<>+64(SB)
#define erf_3 erf<>+72(SB)
#define erf_2 erf<>+80(SB)
#define erf_1 erf<>+88(SB)
#define erfc_7 erf<>+96(SB)
#define erfc_6 erf<>+104(SB)
#define erfc_5 erf<>+112(SB)
#define erfc_4 erf<>+120(SB)
#define erfc_3 erf<>+128(SB)
#define erfc_2 erf<>+136(SB)
#define erfc_1 erf<>+144(SB)
#define erfc_0 erf<>+152(SB)
#define erf_magnitude erf<>+160(SB)
#define erf_sign erf<>+168(SB)

DATA erf<>+0(SB)/8, $(-1.2290555301717926e-09)
DATA erf<>+8(SB)/8, $1.4807192815879218e-08
DATA erf<>+16(SB)/8, $(-1.6365844691234924e-07)
DATA erf<>+24(SB)/8, $1.6462114365889246e-06
DATA erf<>+32(SB)/8, $(-1.492565035840625e-05)
DATA erf<>+40(SB)/8, $0.00012055332981789664
DATA erf<>+48(SB)/8, $(-0.0008548327023450852)
DATA erf<>+56(SB)/8, $0.005223977625442188
DATA erf<>+64(SB)/8, $(-0.026866170645131252)
DATA erf<>+72(SB)/8, $0.11283791670955126
DATA erf<>+80(SB)/8, $(-0.37612638903183754)
DATA erf<>+88(SB)/8, $1.1283791670955126
DATA erf<>+96(SB)/8, $(-0.22747669145409083)
DATA erf<>+104(SB)/8, $0.9105051758599338
DATA erf<>+112(SB)/8, $(-1.2582411647206069)
DATA erf<>+120(SB)/8, $0.568333785501764
DATA erf<>+128(SB)/8, $(-0.1448340022070455)
DATA erf<>+136(SB)/8, $0.42260922983289995
DATA erf<>+144(SB)/8, $0.9944965070766051
DATA erf<>+152(SB)/8, $(-1.2652407029950654)
DATA erf<>+160(SB)/8, $0x7FFFFFFFFFFFFFFF
DATA erf<>+168(SB)/8, $0x8000000000000000
GLOBL erf<>(SB), RODATA|NOPTR, $176

#define HORNER(c, x, p) \
	VMULPD x, p, p; \
	ADDC(c, p, p)

// ERFWIDE is x = erf x, in doubles, as erf in program.go computes it: of the series
// where x² < 1, and of e^-x² elsewhere. V2, V3, V6, V7, V8 and V11 are between.
#define ERFWIDE(x) \
	VMULPD x, x, V2; \
	MULC(erf_12, V2, V11); \
	ADDC(erf_11, V11, V11); \
	HORNER(erf_10, V2, V11); \
	HORNER(erf_9, V2, V11); \
	HORNER(erf_8, V2, V11); \
	HORNER(erf_7, V2, V11); \
	HORNER(erf_6, V2, V11); \
	HORNER(erf_5, V2, V11); \
	HORNER(erf_4, V2, V11); \
	HORNER(erf_3, V2, V11); \
	HORNER(erf_2, V2, V11); \
	HORNER(erf_1, V2, V11); \
	VMULPD x, V11, V11; \
	ANDC(erf_magnitude, x, V3); \
	MULC(exp_2, V3, V3); \
	ADDC(exp_1, V3, V3); \
	VBROADCASTSD exp_1, T; \
	VDIVPD V3, T, V8; \
	MULC(erfc_7, V8, V3); \
	ADDC(erfc_6, V3, V3); \
	HORNER(erfc_5, V8, V3); \
	HORNER(erfc_4, V8, V3); \
	HORNER(erfc_3, V8, V3); \
	HORNER(erfc_2, V8, V3); \
	HORNER(erfc_1, V8, V3); \
	HORNER(erfc_0, V8, V3); \
	VSUBPD V2, V3, V3; \
	EXP(V3, V6, V7); \
	VMULPD V8, V3, V3; \
	VBROADCASTSD exp_1, T; \
	VSUBPD V3, T, V3; \
	ANDC(erf_sign, x, V6); \
	OR V6, V3, V3; \
	VBROADCASTSD exp_1, T; \
	VCMPPD $17, T, V2, M0; \
	BLENDWIDE(M0, V11, V3, x)

#define ERF(LD, ST, label) \
	LD(SI, V1); \
	WIDEN(V1, H1, V4, V5, H5); \
	ERFWIDE(V4); \
	ERFWIDE(V5); \
	NARROW(V4, H4, V5, H5, V1); \
	ST(V1, DI)

// func erf(y, x []float32)
TEXT fn_erf(SB), NOSPLIT, $0-48
	ONE(ERF)
	RET
