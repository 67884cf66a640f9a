// CORRELATE makes four vectors of outputs at a time, and what is left one by one. BX counts
// the planes. In a plane DI is the outputs, CX how many are left, SI the pixels under them,
// R8 the weights, R9 and R10 the taps and their number, DX a tap, and V15 the bias.
#define CORRELATE \
	MOVQ w_base+48(FP), R8; \
	MOVQ at_base+72(FP), R9; \
	MOVQ at_len+80(FP), R10; \
	MOVQ bias_base+96(FP), R12; \
	LEAQ p+128(FP), R11; \
	MOVQ Planes_Count(R11), BX; \
	MOVQ y_base+0(FP), R13; \
	MOVQ x_base+24(FP), R11; \
	JMP  plane_end; \
plane: \
	MOVQ R13, DI; \
	MOVQ R11, SI; \
	MOVQ n+120(FP), CX; \
	ZERO(V15); \
	TESTQ R12, R12; \
	JZ   four; \
	VBROADCASTSS (R12), V15; \
	ADDQ $4, R12; \
four: \
	CMPQ CX, $(4*LANES); \
	JLT  one; \
	VMOVAPS V15, V0; \
	VMOVAPS V15, V1; \
	VMOVAPS V15, V2; \
	VMOVAPS V15, V3; \
	XORL DX, DX; \
	JMP  four_end; \
four_tap: \
	MOVQ (R9)(DX*8), AX; \
	VBROADCASTSS (R8)(DX*4), V4; \
	LEAQ (SI)(AX*4), AX; \
	VFMADD231PS (AX), V4, V0; \
	VFMADD231PS BYTES(AX), V4, V1; \
	VFMADD231PS (2*BYTES)(AX), V4, V2; \
	VFMADD231PS (3*BYTES)(AX), V4, V3; \
	INCQ DX; \
four_end: \
	CMPQ DX, R10; \
	JLT  four_tap; \
	VMOVUPS V0, (DI); \
	VMOVUPS V1, BYTES(DI); \
	VMOVUPS V2, (2*BYTES)(DI); \
	VMOVUPS V3, (3*BYTES)(DI); \
	ADDQ $(4*BYTES), DI; \
	ADDQ $(4*BYTES), SI; \
	SUBQ $(4*LANES), CX; \
	JMP  four; \
one: \
	CMPQ CX, $LANES; \
	JLT  next; \
	VMOVAPS V15, V0; \
	XORL DX, DX; \
	JMP  one_end; \
one_tap: \
	MOVQ (R9)(DX*8), AX; \
	VBROADCASTSS (R8)(DX*4), V4; \
	VFMADD231PS (SI)(AX*4), V4, V0; \
	INCQ DX; \
one_end: \
	CMPQ DX, R10; \
	JLT  one_tap; \
	VMOVUPS V0, (DI); \
	ADDQ $BYTES, DI; \
	ADDQ $BYTES, SI; \
	SUBQ $LANES, CX; \
	JMP  one; \
next: \
	LEAQ (R8)(R10*4), R8; \
	LEAQ p+128(FP), AX; \
	MOVQ Planes_Y(AX), DX; \
	LEAQ (R13)(DX*4), R13; \
	MOVQ Planes_X(AX), DX; \
	LEAQ (R11)(DX*4), R11; \
plane_end: \
	DECQ BX; \
	JGE  plane; \
	VZEROUPPER
