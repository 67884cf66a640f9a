// Arithmetic on slices of one length.

#define ADD(LD, ST, label) \
	LD(SI, V1); \
	LD(DX, V2); \
	VADDPS V2, V1, V1; \
	ST(V1, DI)

// func add(y, a, b []float32)
TEXT fn_add(SB), NOSPLIT, $0-72
	MOVQ y_base+0(FP), DI
	MOVQ y_len+8(FP), CX
	MOVQ a_base+24(FP), SI
	MOVQ b_base+48(FP), DX
	EACH(ADD)
	VZEROUPPER
	RET

#define MUL(LD, ST, label) \
	LD(SI, V1); \
	LD(DX, V2); \
	VMULPS V2, V1, V1; \
	ST(V1, DI)

// func mul(y, a, b []float32)
TEXT fn_mul(SB), NOSPLIT, $0-72
	MOVQ y_base+0(FP), DI
	MOVQ y_len+8(FP), CX
	MOVQ a_base+24(FP), SI
	MOVQ b_base+48(FP), DX
	EACH(MUL)
	VZEROUPPER
	RET

#define FILL(LD, ST, label) ST(V0, DI)

// func fill(y []float32, v float32)
TEXT fn_fill(SB), NOSPLIT, $0-28
	MOVQ y_base+0(FP), DI
	MOVQ y_len+8(FP), CX
	VBROADCASTSS v+24(FP), V0
	EACH(FILL)
	VZEROUPPER
	RET

// Each element is stored in whole vectors: the next one overwrites what is too much.
//
// func spread(y, x []float32, inner int)
TEXT fn_spread(SB), NOSPLIT, $0-56
	MOVQ y_base+0(FP), DI
	MOVQ x_base+24(FP), SI
	MOVQ x_len+32(FP), CX
	MOVQ inner+48(FP), DX
	SHLQ $2, DX
row:
	VBROADCASTSS (SI), V0
	XORQ AX, AX
store:
	STORE(V0, DI)
	ADDQ $BYTES, AX
	CMPQ AX, DX
	JLT  store
	ADDQ DX, DI
	ADDQ $4, SI
	DECQ CX
	JNZ  row
	VZEROUPPER
	RET

#define ADDWIDE(LD, ST, label) \
	LD(SI, V1); \
	WIDEN(V1, H1, V3, V2, H2); \
	VADDPD V3, SUMSLO, SUMSLO; \
	VADDPD V2, SUMSHI, SUMSHI

// func sum(x []float32) float64
TEXT fn_sum(SB), NOSPLIT, $0-32
	MOVQ x_base+0(FP), SI
	MOVQ x_len+8(FP), CX
	CLEAR(SUMSLO)
	CLEAR(SUMSHI)
	EACH(ADDWIDE)
	ADDSUMS
	VMOVSD X6, ret+24(FP)
	VZEROUPPER
	RET
