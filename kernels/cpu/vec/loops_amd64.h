// LOAD and STORE move the vector AX bytes behind p; LOADPART and STOREPART
// only the part of it that PART has made the mask of.
#define LOAD(p, v) VMOVUPS (p)(AX*1), v
#define STORE(v, p) VMOVUPS v, (p)(AX*1)

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
