// CORRELATE makes four vectors of outputs at a time, and what is left one by one. DI is the
// outputs, CX how many are left, SI the pixels under them, R8 the weights, R9 and R10 the
// taps and their number, DX a tap, and V15 the start.
#define CORRELATE \
	MOVQ y_base+0(FP), DI; \
	MOVQ y_len+8(FP), CX; \
	MOVQ x_base+24(FP), SI; \
	MOVQ w_base+48(FP), R8; \
	MOVQ at_base+72(FP), R9; \
	MOVQ at_len+80(FP), R10; \
	VBROADCASTSS start+96(FP), V15; \
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
	JLT  done; \
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
done: \
	VZEROUPPER
