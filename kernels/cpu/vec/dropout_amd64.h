// Dropout, over whole vectors.

DATA keepers<>+0(SB)/4, $0xD2511F53
DATA keepers<>+4(SB)/4, $0xCD9E8D57
DATA keepers<>+8(SB)/4, $0x9E3779B9
DATA keepers<>+12(SB)/4, $0xBB67AE85
DATA keepers<>+16(SB)/4, $0x00000001
DATA keepers<>+20(SB)/4, $0x00000100
DATA keepers<>+24(SB)/4, $0x00010000
DATA keepers<>+28(SB)/4, $0x01000000
GLOBL keepers<>(SB), RODATA|NOPTR, $32

// Each 64-bit lane is a counter: the words V0 to V3, whose upper halves do not
// matter, and the keys V4 and V5.
#define ROUND \
	VPMULUDQ V10, V0, V6; \
	VPMULUDQ V11, V2, V7; \
	VPSRLQ $32, V7, V0; \
	XOR V1, V0, V0; \
	XOR V4, V0, V0; \
	VPSRLQ $32, V6, V2; \
	XOR V3, V2, V2; \
	XOR V5, V2, V2; \
	VMOVAPS V7, V1; \
	VMOVAPS V6, V3

#define NEXTKEY \
	VPBROADCASTD keepers<>+8(SB), T; \
	VPADDD T, V4, V4; \
	VPBROADCASTD keepers<>+12(SB), T; \
	VPADDD T, V5, V5

// Each lane of the result is the four bytes of a block.
//
// func keepMask(mask []uint8, block uint32, c philox)
TEXT fn_keepMask(SB), NOSPLIT, $0-52
	MOVQ mask_base+0(FP), DI
	MOVQ mask_len+8(FP), CX
	MOVL block+24(FP), AX
	LEAQ c+28(FP), SI
	VPBROADCASTD keepers<>+0(SB), V10
	VPBROADCASTD keepers<>+4(SB), V11
	VPBROADCASTD keeper_threshold(SI), V8
	SPREAD(AX, V12)
	VPMOVZXDQ lanes<>(SB), V1
	VPADDD V1, V12, V12

blocks:
	VMOVAPS V12, V0
	VPBROADCASTD keeper_sample(SI), V1
	VPBROADCASTD keeper_iteration(SI), V2
	VPBROADCASTD keeper_stream(SI), V3
	VPBROADCASTD keeper_key0(SI), V4
	VPBROADCASTD keeper_key1(SI), V5
	ROUND
	NEXTKEY
	ROUND
	NEXTKEY
	ROUND
	NEXTKEY
	ROUND
	NEXTKEY
	ROUND
	NEXTKEY
	ROUND
	NEXTKEY
	ROUND
	NEXTKEY
	ROUND
	NEXTKEY
	ROUND
	NEXTKEY
	ROUND
	CLEAR(V9)
	VPBROADCASTD keepers<>+16(SB), V6
	KEEPS(V0, V6)
	VPBROADCASTD keepers<>+20(SB), V6
	KEEPS(V1, V6)
	VPBROADCASTD keepers<>+24(SB), V6
	KEEPS(V2, V6)
	VPBROADCASTD keepers<>+28(SB), V6
	KEEPS(V3, V6)
	STOREKEEPS(DI)
	MOVL $(LANES/2), AX
	SPREAD(AX, V6)
	VPADDD V6, V12, V12
	ADDQ $(LANES*2), DI
	SUBQ $(LANES*2), CX
	JG   blocks
	VZEROUPPER
	RET

// DROPOUT is V1 = scale x, or 0 where the mask's byte is 0.
#define DROPOUT \
	LOAD(SI, V1); \
	VMULPS V0, V1, V1; \
	VPMOVZXBD (DX), V2; \
	VPSUBD V2, V4, V2; \
	AND V2, V1, V1

#define DROPOUTARGS \
	MOVQ y_base+0(FP), DI; \
	MOVQ y_len+8(FP), CX; \
	MOVQ x_base+24(FP), SI; \
	MOVQ mask_base+48(FP), DX; \
	VBROADCASTSS scale+72(FP), V0; \
	CLEAR(V4); \
	XORQ AX, AX

// func dropout(y, x []float32, mask []uint8, scale float32)
TEXT fn_dropout(SB), NOSPLIT, $0-76
	DROPOUTARGS

vectors:
	DROPOUT
	STORE(V1, DI)
	ADDQ $LANES, DX
	ADDQ $BYTES, AX
	SUBQ $LANES, CX
	JG   vectors
	VZEROUPPER
	RET

// func dropoutAdd(y, x []float32, mask []uint8, scale float32)
TEXT fn_dropoutAdd(SB), NOSPLIT, $0-76
	DROPOUTARGS

vectors:
	DROPOUT
	LOAD(DI, V2)
	VADDPS V1, V2, V1
	STORE(V1, DI)
	ADDQ $LANES, DX
	ADDQ $BYTES, AX
	SUBQ $LANES, CX
	JG   vectors
	VZEROUPPER
	RET
