// Rows with and without padding. In all of them R9 is the Rows, R10 how many whole vectors
// (or pairs of vectors) a row of the image has, and R8 how many elements are left; BX counts
// planes, DX rows, and AX is a place in a row. V5 is 0.

// ZEROS clears CX elements from p on, in whole vectors.
#define ZEROS(p, loop, done) \
	XORL AX, AX; \
loop: \
	CMPQ AX, CX; \
	JGE  done; \
	VMOVUPS V5, (p)(AX*4); \
	ADDQ $LANES, AX; \
	JMP  loop; \
done:

// BEHIND clears what is left of a row behind the place AX of a copy at p that begins left
// elements into it.
#define BEHIND(p, left, loop, done) \
	MOVQ Rows_Pitch(R9), CX; \
	SUBQ left, CX; \
loop: \
	CMPQ AX, CX; \
	JGE  done; \
	VMOVUPS V5, (p)(AX*4); \
	ADDQ $LANES, AX; \
	JMP  loop; \
done:

// DI is a padded row, SI one of the image, R11 Left, R12 and R13 the planes.
#define PAD \
	MOVQ padded_base+0(FP), R12; \
	MOVQ image_base+24(FP), R13; \
	LEAQ r+48(FP), R9; \
	MOVQ Rows_Width(R9), CX; \
	MOVQ CX, R10; \
	SHRQ $LOGLANES, R10; \
	ANDQ $(LANES-1), CX; \
	MOVQ CX, R8; \
	MASK(M1); \
	ZERO(V5); \
	MOVQ Rows_Left(R9), R11; \
	MOVQ Rows_Planes(R9), BX; \
	JMP  plane_end; \
plane: \
	MOVQ R12, DI; \
	MOVQ R13, SI; \
	MOVQ Rows_Head(R9), CX; \
	ZEROS(DI, head, head_done) \
	LEAQ (DI)(CX*4), DI; \
	MOVQ Rows_Rows(R9), DX; \
	JMP  row_end; \
row: \
	MOVQ R11, CX; \
	ZEROS(DI, left, left_done) \
	LEAQ (DI)(R11*4), DI; \
	XORL AX, AX; \
	MOVQ R10, CX; \
	JMP  whole_end; \
whole: \
	VMOVUPS (SI)(AX*4), V0; \
	VMOVUPS V0, (DI)(AX*4); \
	ADDQ $LANES, AX; \
whole_end: \
	DECQ CX; \
	JGE  whole; \
	TESTQ R8, R8; \
	JZ   behind; \
	LOADPART(M1, (SI)(AX*4), V0); \
	VMOVUPS V0, (DI)(AX*4); \
	ADDQ $LANES, AX; \
behind: \
	BEHIND(DI, R11, clear, clear_done) \
	LEAQ (DI)(CX*4), DI; \
	MOVQ Rows_Next(R9), CX; \
	LEAQ (SI)(CX*4), SI; \
row_end: \
	DECQ DX; \
	JGE  row; \
	MOVQ Rows_Tail(R9), CX; \
	ZEROS(DI, tail, tail_done) \
	MOVQ Rows_Plane(R9), CX; \
	LEAQ (R12)(CX*4), R12; \
	MOVQ Rows_NextPlane(R9), CX; \
	LEAQ (R13)(CX*4), R13; \
plane_end: \
	DECQ BX; \
	JGE  plane; \
	VZEROUPPER

// DI is a row of the image, SI a padded one.
#define UNPAD \
	MOVQ image_base+0(FP), R12; \
	MOVQ padded_base+24(FP), R13; \
	LEAQ r+48(FP), R9; \
	MOVQ Rows_Width(R9), CX; \
	MOVQ CX, R10; \
	SHRQ $LOGLANES, R10; \
	ANDQ $(LANES-1), CX; \
	MOVQ CX, R8; \
	MASK(M1); \
	MOVQ Rows_Planes(R9), BX; \
	JMP  plane_end; \
plane: \
	MOVQ R12, DI; \
	MOVQ R13, SI; \
	MOVQ Rows_Rows(R9), DX; \
	JMP  row_end; \
row: \
	XORL AX, AX; \
	MOVQ R10, CX; \
	JMP  whole_end; \
whole: \
	VMOVUPS (SI)(AX*4), V0; \
	VMOVUPS V0, (DI)(AX*4); \
	ADDQ $LANES, AX; \
whole_end: \
	DECQ CX; \
	JGE  whole; \
	TESTQ R8, R8; \
	JZ   next; \
	LOADPART(M1, (SI)(AX*4), V0); \
	STOREPART(V0, M1, (DI)(AX*4)); \
next: \
	MOVQ Rows_Next(R9), CX; \
	LEAQ (DI)(CX*4), DI; \
	MOVQ Rows_Pitch(R9), CX; \
	LEAQ (SI)(CX*4), SI; \
row_end: \
	DECQ DX; \
	JGE  row; \
	MOVQ Rows_NextPlane(R9), CX; \
	LEAQ (R12)(CX*4), R12; \
	MOVQ Rows_Plane(R9), CX; \
	LEAQ (R13)(CX*4), R13; \
plane_end: \
	DECQ BX; \
	JGE  plane; \
	VZEROUPPER

// MASKS makes M1 and M2 of the CX elements that are left of a pair of vectors, and leaves
// CX in R8.
#define MASKS(less, done) \
	MOVQ CX, R8; \
	SUBQ $LANES, CX; \
	JGE  done; \
	XORL CX, CX; \
done: \
	MASK(M2); \
	MOVQ R8, CX; \
	CMPQ CX, $LANES; \
	JLE  less; \
	MOVL $LANES, CX; \
less: \
	MASK(M1)

// DI and R11 are rows of the even and the odd pixels, SI one of the image; the planes are
// where the arguments are.
#define SPLIT \
	LEAQ r+72(FP), R9; \
	MOVQ Rows_Width(R9), CX; \
	MOVQ CX, R10; \
	SHRQ $(LOGLANES+1), R10; \
	ANDQ $(2*LANES-1), CX; \
	MASKS(less, mask_done); \
	ZERO(V5); \
	EVENODD; \
	MOVQ Rows_Planes(R9), BX; \
	JMP  plane_end; \
plane: \
	MOVQ even_base+0(FP), DI; \
	MOVQ odd_base+24(FP), R11; \
	MOVQ image_base+48(FP), SI; \
	MOVQ Rows_Head(R9), CX; \
	ZEROS(DI, even_head, even_head_done) \
	ZEROS(R11, odd_head, odd_head_done) \
	LEAQ (DI)(CX*4), DI; \
	LEAQ (R11)(CX*4), R11; \
	MOVQ Rows_Rows(R9), DX; \
	JMP  row_end; \
row: \
	MOVQ Rows_Left(R9), CX; \
	ZEROS(DI, even_left, even_left_done) \
	LEAQ (DI)(CX*4), R12; \
	MOVQ Rows_LeftOdd(R9), CX; \
	ZEROS(R11, odd_left, odd_left_done) \
	LEAQ (R11)(CX*4), R13; \
	XORL AX, AX; \
	MOVQ R10, CX; \
	JMP  whole_end; \
whole: \
	VMOVUPS (SI)(AX*8), V0; \
	VMOVUPS BYTES(SI)(AX*8), V1; \
	SPLITPAIR; \
	VMOVUPS V2, (R12)(AX*4); \
	VMOVUPS V3, (R13)(AX*4); \
	ADDQ $LANES, AX; \
whole_end: \
	DECQ CX; \
	JGE  whole; \
	TESTQ R8, R8; \
	JZ   behind; \
	LOADPART(M1, (SI)(AX*8), V0); \
	LOADPART(M2, BYTES(SI)(AX*8), V1); \
	SPLITPAIR; \
	VMOVUPS V2, (R12)(AX*4); \
	VMOVUPS V3, (R13)(AX*4); \
	ADDQ $LANES, AX; \
behind: \
	MOVQ AX, place-8(SP); \
	BEHIND(R12, Rows_Left(R9), even_clear, even_clear_done) \
	MOVQ place-8(SP), AX; \
	BEHIND(R13, Rows_LeftOdd(R9), odd_clear, odd_clear_done) \
	MOVQ Rows_Pitch(R9), CX; \
	LEAQ (DI)(CX*4), DI; \
	LEAQ (R11)(CX*4), R11; \
	MOVQ Rows_Next(R9), CX; \
	LEAQ (SI)(CX*4), SI; \
row_end: \
	DECQ DX; \
	JGE  row; \
	MOVQ Rows_Tail(R9), CX; \
	ZEROS(DI, even_tail, even_tail_done) \
	ZEROS(R11, odd_tail, odd_tail_done) \
	MOVQ Rows_Plane(R9), CX; \
	SHLQ $2, CX; \
	ADDQ CX, even_base+0(FP); \
	ADDQ CX, odd_base+24(FP); \
	MOVQ Rows_NextPlane(R9), CX; \
	SHLQ $2, CX; \
	ADDQ CX, image_base+48(FP); \
plane_end: \
	DECQ BX; \
	JGE  plane; \
	VZEROUPPER

// DI is a row of the image, SI and R11 rows of every other pixel.
#define MERGE \
	LEAQ r+72(FP), R9; \
	MOVQ Rows_Width(R9), CX; \
	MOVQ CX, R10; \
	SHRQ $(LOGLANES+1), R10; \
	ANDQ $(2*LANES-1), CX; \
	MASKS(less, mask_done); \
	EVENODD; \
	MOVQ Rows_Planes(R9), BX; \
	JMP  plane_end; \
plane: \
	MOVQ image_base+0(FP), DI; \
	MOVQ even_base+24(FP), SI; \
	MOVQ odd_base+48(FP), R11; \
	MOVQ Rows_Rows(R9), DX; \
	JMP  row_end; \
row: \
	XORL AX, AX; \
	MOVQ R10, CX; \
	JMP  whole_end; \
whole: \
	VMOVUPS (SI)(AX*4), V0; \
	VMOVUPS (R11)(AX*4), V1; \
	MERGEPAIR; \
	VMOVUPS V2, (DI)(AX*8); \
	VMOVUPS V3, BYTES(DI)(AX*8); \
	ADDQ $LANES, AX; \
whole_end: \
	DECQ CX; \
	JGE  whole; \
	TESTQ R8, R8; \
	JZ   next; \
	VMOVUPS (SI)(AX*4), V0; \
	VMOVUPS (R11)(AX*4), V1; \
	MERGEPAIR; \
	STOREPART(V2, M1, (DI)(AX*8)); \
	STOREPART(V3, M2, BYTES(DI)(AX*8)); \
next: \
	MOVQ Rows_Next(R9), CX; \
	LEAQ (DI)(CX*4), DI; \
	MOVQ Rows_Pitch(R9), CX; \
	LEAQ (SI)(CX*4), SI; \
	LEAQ (R11)(CX*4), R11; \
row_end: \
	DECQ DX; \
	JGE  row; \
	MOVQ Rows_NextPlane(R9), CX; \
	SHLQ $2, CX; \
	ADDQ CX, image_base+0(FP); \
	MOVQ Rows_Plane(R9), CX; \
	SHLQ $2, CX; \
	ADDQ CX, even_base+24(FP); \
	ADDQ CX, odd_base+48(FP); \
plane_end: \
	DECQ BX; \
	JGE  plane; \
	VZEROUPPER
