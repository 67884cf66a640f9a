// The three passes of a softmax, over whole vectors.

// The maximum is its second source where one is NaN: a NaN of x is left out.
//
// func largest(x []float32) float32
TEXT fn_largest(SB), NOSPLIT, $0-28
	MOVQ x_base+0(FP), SI
	MOVQ x_len+8(FP), CX
	MOVL $0xFF800000, AX // -Inf
	SPREAD(AX, V2)
	XORQ AX, AX

vectors:
	LOAD(SI, V1)
	VMAXPS V2, V1, V2
	ADDQ $BYTES, AX
	SUBQ $LANES, CX
	JG   vectors
	FOLDMAX
	VMOVSS X2, ret+24(FP)
	VZEROUPPER
	RET

// func expSum(y, x []float32, largest float32) [8]float64
TEXT fn_expSum(SB), NOSPLIT, $0-120
	MOVQ y_base+0(FP), DI
	MOVQ y_len+8(FP), CX
	MOVQ x_base+24(FP), SI
	VBROADCASTSS largest+48(FP), V1
	WIDEN(V1, H1, V0, V2, H2)
	CLEAR(SUMSLO)
	CLEAR(SUMSHI)
	XORQ AX, AX

vectors:
	LOAD(SI, V1)
	WIDEN(V1, H1, V4, V5, H5)
	VSUBPD V0, V4, V4
	VSUBPD V0, V5, V5
	EXP(V4, V8, V9)
	EXP(V5, V8, V9)
	VADDPD V4, SUMSLO, SUMSLO
	VADDPD V5, SUMSHI, SUMSHI
	NARROW(V4, H4, V5, H5, V1)
	STORE(V1, DI)
	ADDQ $BYTES, AX
	SUBQ $LANES, CX
	JG   vectors
	LEAQ ret+56(FP), DX
	STORESUMS(DX)
	VZEROUPPER
	RET

#define SCALEWIDE(LD, ST, label) \
	LD(SI, V1); \
	WIDEN(V1, H1, V4, V5, H5); \
	VMULPD V0, V4, V4; \
	VMULPD V0, V5, V5; \
	NARROW(V4, H4, V5, H5, V1); \
	ST(V1, DI)

// func scaleWide(y, x []float32, factor float64)
TEXT fn_scaleWide(SB), NOSPLIT, $0-56
	MOVQ y_base+0(FP), DI
	MOVQ y_len+8(FP), CX
	MOVQ x_base+24(FP), SI
	VBROADCASTSD factor+48(FP), V0
	EACH(SCALEWIDE)
	VZEROUPPER
	RET
