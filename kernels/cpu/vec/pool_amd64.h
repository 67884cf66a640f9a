// Max pooling of windows that lie within the image, one or two pixels apart.

DATA lanes<>+0(SB)/4, $0
DATA lanes<>+4(SB)/4, $1
DATA lanes<>+8(SB)/4, $2
DATA lanes<>+12(SB)/4, $3
DATA lanes<>+16(SB)/4, $4
DATA lanes<>+20(SB)/4, $5
DATA lanes<>+24(SB)/4, $6
DATA lanes<>+28(SB)/4, $7
DATA lanes<>+32(SB)/4, $8
DATA lanes<>+36(SB)/4, $9
DATA lanes<>+40(SB)/4, $10
DATA lanes<>+44(SB)/4, $11
DATA lanes<>+48(SB)/4, $12
DATA lanes<>+52(SB)/4, $13
DATA lanes<>+56(SB)/4, $14
DATA lanes<>+60(SB)/4, $15
GLOBL lanes<>(SB), RODATA|NOPTR, $64

// WINDOW finds the maxima of the windows at R8, V3, and where they lie from
// their windows' first pixels, V4. The sums of all pixels, V5, are NaN if a
// pixel is; R15 then becomes other than 0. V6 is the place of the pixel at
// hand, V7 is 1 and V9 is W-S.
#define WINDOW(LD, r, s) \
	MOVL $0xFF800000, AX; \
	SPREAD(AX, V3); \
	CLEAR(V4); \
	CLEAR(V5); \
	CLEAR(V6); \
	MOVQ R8, DX; \
	MOVQ Windows_R(R9), CX; \
r: \
	MOVQ DX, R13; \
	MOVQ Windows_S(R9), AX; \
s: \
	LD(R13, V1); \
	VCMPPS $30, V3, V1, M0; \
	VMAXPS V3, V1, V3; \
	BLEND(M0, V6, V4, V4); \
	VADDPS V1, V5, V5; \
	VPADDD V7, V6, V6; \
	ADDQ $4, R13; \
	DECQ AX; \
	JNZ  s; \
	VPADDD V9, V6, V6; \
	LEAQ (DX)(R10*4), DX; \
	DECQ CX; \
	JNZ  r; \
	ISNAN(V5, AX); \
	ORL  AX, R15; \
	VPADDD V8, V4, V4

// MAXPOOL works plane by plane, row by row of the outputs. DI and BX are the row's first
// output and index, SI its first pixel, R12 the offset within the row, R8 the
// window's first pixel, R9 the Windows, and R10 the image's width. V8 is the
// places of the windows' first pixels, V10 their distance from vector to
// vector.
#define MAXPOOL(LD, LDPART, PIXELS, apart) \
	MOVQ y_base+0(FP), DI; \
	MOVQ index_base+24(FP), BX; \
	MOVQ x_base+48(FP), SI; \
	LEAQ w+72(FP), R9; \
	MOVQ Windows_W(R9), R10; \
	MOVL $1, AX; \
	SPREAD(AX, V7); \
	MOVQ R10, AX; \
	SUBQ Windows_S(R9), AX; \
	SPREAD(AX, V9); \
	MOVL $(apart*LANES), AX; \
	SPREAD(AX, V10); \
	MOVQ Windows_First(R9), AX; \
	LEAQ (SI)(AX*4), SI; \
	XORL R15, R15; \
plane: \
	MOVQ Windows_First(R9), AX; \
	MOVQ AX, place-8(SP); \
	MOVQ Windows_Rows(R9), CX; \
	MOVQ CX, rows-16(SP); \
	MOVQ DI, y-32(SP); \
	MOVQ BX, index-40(SP); \
	MOVQ SI, x-48(SP); \
row: \
	MOVQ place-8(SP), AX; \
	SPREAD(AX, V8); \
	VMOVUPS lanes<>(SB), V1; \
	VPSLLD $(apart-1), V1, V1; \
	VPADDD V1, V8, V8; \
	MOVQ SI, R8; \
	XORQ R12, R12; \
	MOVQ Windows_Columns(R9), CX; \
	MOVQ CX, columns-24(SP); \
	CMPQ CX, $LANES; \
	JLT  part; \
column: \
	WINDOW(LD, r, s); \
	VMOVUPS V3, (DI)(R12*1); \
	TESTQ BX, BX; \
	JZ   noindex; \
	VMOVUPS V4, (BX)(R12*1); \
noindex: \
	VPADDD V10, V8, V8; \
	ADDQ $BYTES, R12; \
	ADDQ $(apart*BYTES), R8; \
	SUBQ $LANES, columns-24(SP); \
	CMPQ columns-24(SP), $LANES; \
	JGE  column; \
	CMPQ columns-24(SP), $0; \
	JEQ  next; \
part: \
	MOVQ columns-24(SP), CX; \
	PIXELS; \
	WINDOW(LDPART, rpart, spart); \
	MOVQ R12, AX; \
	STOREPART(V3, DI); \
	TESTQ BX, BX; \
	JZ   next; \
	STOREPART(V4, BX); \
next: \
	MOVQ Windows_OutW(R9), AX; \
	LEAQ (DI)(AX*4), DI; \
	TESTQ BX, BX; \
	JZ   norow; \
	LEAQ (BX)(AX*4), BX; \
norow: \
	MOVQ Windows_StrideH(R9), AX; \
	IMULQ R10, AX; \
	ADDQ AX, place-8(SP); \
	LEAQ (SI)(AX*4), SI; \
	DECQ rows-16(SP); \
	JNZ  row; \
	MOVQ Windows_Plane(R9), AX; \
	MOVQ x-48(SP), SI; \
	LEAQ (SI)(AX*4), SI; \
	MOVQ Windows_OutPlane(R9), AX; \
	MOVQ y-32(SP), DI; \
	LEAQ (DI)(AX*4), DI; \
	MOVQ index-40(SP), BX; \
	TESTQ BX, BX; \
	JZ   noplane; \
	LEAQ (BX)(AX*4), BX; \
noplane: \
	DECQ Windows_Planes(R9); \
	JNZ  plane; \
	TESTL R15, R15; \
	SETNE ret+168(FP); \
	VZEROUPPER

// func maxPool1(y []float32, index []int32, x []float32, w Windows) (nan bool)
TEXT fn_maxPool1(SB), NOSPLIT, $48-169
	MAXPOOL(LOAD1, LOAD1PART, PIXELS1, 1)
	RET

// func maxPool2(y []float32, index []int32, x []float32, w Windows) (nan bool)
TEXT fn_maxPool2(SB), NOSPLIT, $48-169
	EVEN
	MAXPOOL(LOAD2, LOAD2PART, PIXELS2, 2)
	RET
