// LOAD and STORE move the vector AX bytes behind p; LOADPART and STOREPART
// only the part of it that PART has made the mask of.
#define LOAD(p, v) VMOVUPS (p)(AX*1), v
#define STORE(v, p) VMOVUPS v, (p)(AX*1)
#define STOREPAST(v, p) VMOVNTPS v, (p)(AX*1)

// EACH runs body over CX elements, a vector at a time, with AX the offset in
// bytes; a last part of a vector is loaded and stored with a mask. body gets
// the names of what loads and stores, and one for a label.
#define EACH(body) \
	XORQ AX, AX; \
	SUBQ $LANES, CX; \
	JLT  rest; \
whole: \
	body(LOAD, STORE, inner); \
	ADDQ $BYTES, AX; \
	SUBQ $LANES, CX; \
	JGE  whole; \
rest: \
	ADDQ $LANES, CX; \
	JZ   done; \
	PART; \
	body(LOADPART, STOREPART, innerpart); \
done:

// EACHSTREAM is EACH for what is stored past the caches: whole lines are not
// read before they are written. A first part of a vector brings DI to where
// vectors are aligned; what else is stored to has the same place in its line.
// It uses R13 and R15.
#define EACHSTREAM(body) \
	XORQ AX, AX; \
	MOVQ CX, R15; \
	MOVQ DI, CX; \
	NEGQ CX; \
	ANDQ $(BYTES-1), CX; \
	SHRQ $2, CX; \
	CMPQ CX, R15; \
	CMOVQGT R15, CX; \
	SUBQ CX, R15; \
	LEAQ (CX*4), R13; \
	TESTQ CX, CX; \
	JZ   aligned; \
	PART; \
	body(LOADPART, STOREPART, innerhead); \
	MOVQ R13, AX; \
aligned: \
	SUBQ $LANES, R15; \
	JLT  rest; \
whole: \
	body(LOAD, STOREPAST, inner); \
	ADDQ $BYTES, AX; \
	SUBQ $LANES, R15; \
	JGE  whole; \
rest: \
	ADDQ $LANES, R15; \
	JZ   done; \
	MOVQ R15, CX; \
	PART; \
	body(LOADPART, STOREPART, innerpart); \
done:
