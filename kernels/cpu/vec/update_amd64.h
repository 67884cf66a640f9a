// Stochastic gradient descent with momentum.

// STEP makes the weight V1 and the velocity V4; V5 is the old one. V6 to V9
// are clip, decay, momentum and rate.
#define STEP(LD) \
	LD(DI, V1); \
	LD(DX, V2); \
	VMULPS V6, V2, V2; \
	VMULPS V7, V1, V3; \
	VADDPS V3, V2, V2; \
	LD(SI, V5); \
	VMULPS V8, V5, V4; \
	VMULPS V9, V2, V2; \
	VSUBPS V2, V4, V4

#define PLAIN(LD, ST, label) \
	STEP(LD); \
	ST(V4, SI); \
	VADDPS V4, V1, V1; \
	ST(V1, DI)

#define NESTEROV(LD, ST, label) \
	STEP(LD); \
	ST(V4, SI); \
	VSUBPS V5, V4, V5; \
	VMULPS V8, V5, V5; \
	VADDPS V5, V4, V4; \
	VADDPS V4, V1, V1; \
	ST(V1, DI)

#define STEPARGS \
	MOVQ w_base+0(FP), DI; \
	MOVQ w_len+8(FP), CX; \
	MOVQ v_base+24(FP), SI; \
	MOVQ dw_base+48(FP), DX; \
	VBROADCASTSS s_Clip+72(FP), V6; \
	VBROADCASTSS s_Decay+76(FP), V7; \
	VBROADCASTSS s_Momentum+80(FP), V8; \
	VBROADCASTSS s_Rate+84(FP), V9

// func sgd(w, v, dw []float32, s Step)
TEXT fn_sgd(SB), NOSPLIT, $0-88
	STEPARGS
	EACH(PLAIN)
	VZEROUPPER
	RET

// func nesterov(w, v, dw []float32, s Step)
TEXT fn_nesterov(SB), NOSPLIT, $0-88
	STEPARGS
	EACH(NESTEROV)
	VZEROUPPER
	RET
