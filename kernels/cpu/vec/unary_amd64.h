// Element-wise functions, y = u(x).

// UNARY loads the arguments of a function and runs body; one slope is for all.
#define UNARY(body) \
	MOVQ y_base+0(FP), DI; \
	MOVQ y_len+8(FP), CX; \
	MOVQ x_base+24(FP), SI; \
	VBROADCASTSS slope+48(FP), V9; \
	CLEAR(V0); \
	VBROADCASTSS one<>(SB), V10; \
	EACH(body); \
	VZEROUPPER

DATA one<>+0(SB)/4, $1.0
GLOBL one<>(SB), RODATA|NOPTR, $4

// The maximum is its second source where the two are equal or one is NaN: -0
// and NaN stay.
#define RELU(LD, ST, label) \
	LD(SI, V1); \
	VMAXPS V1, V0, V1; \
	ST(V1, DI)

// func relu(y, x []float32, slope float32)
TEXT fn_relu(SB), NOSPLIT, $0-52
	UNARY(RELU)
	RET

#define LEAKY(LD, ST, label) \
	LD(SI, V1); \
	VMULPS V9, V1, V2; \
	VCMPPS $17, V0, V1, M0; \
	BLEND(M0, V2, V1, V1); \
	ST(V1, DI)

// func leakyReLU(y, x []float32, slope float32)
TEXT fn_leakyReLU(SB), NOSPLIT, $0-52
	UNARY(LEAKY)
	RET

// SIGMOIDWIDE is x = 1/(1 + e^-x), in doubles. V0 is 0.
#define SIGMOIDWIDE(x, k, p) \
	VSUBPD x, V0, x; \
	EXP(x, k, p); \
	ADDC(exp_1, x, x); \
	VBROADCASTSD exp_1, T; \
	VDIVPD x, T, x

#define SIGMOID(LD, ST, label) \
	LD(SI, V1); \
	WIDEN(V1, H1, V4, V5, H5); \
	SIGMOIDWIDE(V4, V6, V7); \
	SIGMOIDWIDE(V5, V6, V7); \
	NARROW(V4, H4, V5, H5, V1); \
	ST(V1, DI)

// func sigmoid(y, x []float32, slope float32)
TEXT fn_sigmoid(SB), NOSPLIT, $0-52
	UNARY(SIGMOID)
	RET

// TANHWIDE is x = tanh x, in doubles: of the polynomial where x² < 0.01, and of
// e^2x elsewhere. s and e are for the two.
#define TANHWIDE(x, s, e, k, p) \
	VMULPD x, x, s; \
	MULC(tanh_17_315, s, p); \
	ADDC(tanh_2_15, p, p); \
	VMULPD s, p, p; \
	SUBC(tanh_1_3, p, p); \
	VMULPD p, s, p; \
	VMULPD p, x, p; \
	VADDPD p, x, V11; \
	VADDPD x, x, e; \
	EXP(e, k, p); \
	VBROADCASTSD exp_1, T; \
	VSUBPD T, e, p; \
	VADDPD T, e, e; \
	VDIVPD e, p, e; \
	VBROADCASTSD tanh_small, T; \
	VCMPPD $17, T, s, M0; \
	BLENDWIDE(M0, V11, e, x)

#define TANH(LD, ST, label) \
	LD(SI, V1); \
	WIDEN(V1, H1, V4, V5, H5); \
	TANHWIDE(V4, V2, V3, V6, V7); \
	TANHWIDE(V5, V2, V3, V6, V7); \
	NARROW(V4, H4, V5, H5, V1); \
	ST(V1, DI)

// func tanh(y, x []float32, slope float32)
TEXT fn_tanh(SB), NOSPLIT, $0-52
	UNARY(TANH)
	RET
