// Random numbers: Philox4x32-10, over whole vectors.

DATA philox<>+0(SB)/4, $0xD2511F53
DATA philox<>+4(SB)/4, $0xCD9E8D57
GLOBL philox<>(SB), RODATA|NOPTR, $8

// Each 64-bit lane is a counter, whose upper halves do not matter: the words c0 to c3
// and, after a round, c0, p1, c2 and p0. V14 and V15 are the factors.
#define PHILOX(round, c0, c1, c2, c3, p0, p1) \
	VPMULUDQ V14, c0, p0; \
	VPMULUDQ V15, c2, p1; \
	VMOVSHDUP p1, c0; \
	XORWITH((philox_keys+8*round)(SI), c1, c0); \
	VMOVSHDUP p0, c2; \
	XORWITH((philox_keys+8*round+4)(SI), c3, c2)

// Two vectors at once, for one waits for its products.
#define TWOROUNDS(round) \
	PHILOX(round, V0, V1, V2, V3, V4, V5); \
	PHILOX(round, V6, V7, V8, V9, V10, V11); \
	PHILOX((round+1), V0, V5, V2, V4, V3, V1); \
	PHILOX((round+1), V6, V11, V8, V10, V9, V7)

#define COUNT(c0, c1, c2, c3) \
	VMOVAPS V12, c0; \
	VPBROADCASTD philox_sample(SI), c1; \
	VPBROADCASTD philox_iteration(SI), c2; \
	VPBROADCASTD philox_stream(SI), c3; \
	VPADDD counters<>+BYTES(SB), V12, V12

// The lanes count such that the words of those with even numbers come first.
#define STOREWORDS(c0, c1, c2, c3, at) \
	PAIR(c1, c0); \
	PAIR(c3, c2); \
	VPUNPCKLQDQ c2, c0, c1; \
	VPUNPCKHQDQ c2, c0, c3; \
	VMOVUPS c1, at(DI); \
	VMOVUPS c3, (at+BYTES)(DI)

// func draw(words []uint32, block uint32, c philox)
TEXT fn_draw(SB), NOSPLIT, $0-120
	MOVQ words_base+0(FP), DI
	MOVQ words_len+8(FP), CX
	MOVL block+24(FP), AX
	LEAQ c+28(FP), SI
	VPBROADCASTD philox<>+0(SB), V14
	VPBROADCASTD philox<>+4(SB), V15
	SPREAD(AX, V12)
	VPADDD counters<>(SB), V12, V12
	ODDWORDS

blocks:
	COUNT(V0, V1, V2, V3)
	COUNT(V6, V7, V8, V9)
	TWOROUNDS(0)
	TWOROUNDS(2)
	TWOROUNDS(4)
	TWOROUNDS(6)
	TWOROUNDS(8)
	STOREWORDS(V0, V1, V2, V3, 0)
	STOREWORDS(V6, V7, V8, V9, (2*BYTES))
	ADDQ $(4*BYTES), DI
	SUBQ $(4*LANES), CX
	JG   blocks
	VZEROUPPER
	RET
