// Exponentials and logarithms of doubles.

#define exp_high wide<>+0(SB)
#define exp_low wide<>+8(SB)
#define exp_shift wide<>+16(SB)
#define exp_log2e wide<>+24(SB)
#define exp_ln2 wide<>+32(SB)
#define exp_8 wide<>+40(SB)
#define exp_7 wide<>+48(SB)
#define exp_6 wide<>+56(SB)
#define exp_5 wide<>+64(SB)
#define exp_4 wide<>+72(SB)
#define exp_3 wide<>+80(SB)
#define exp_2 wide<>+88(SB)
#define exp_1 wide<>+96(SB)
#define tanh_17_315 wide<>+104(SB)
#define tanh_2_15 wide<>+112(SB)
#define tanh_1_3 wide<>+120(SB)
#define tanh_small wide<>+128(SB)
#define log_13 wide<>+136(SB)
#define log_11 wide<>+144(SB)
#define log_9 wide<>+152(SB)
#define log_7 wide<>+160(SB)
#define log_5 wide<>+168(SB)
#define log_3 wide<>+176(SB)
#define log_bias wide<>+184(SB)
#define exp_bias wide<>+200(SB)
#define log_up wide<>+208(SB)
#define log_down wide<>+216(SB)
#define log_mantissa wide<>+224(SB)
#define log_magic wide<>+232(SB)
#define power_nothing wide<>+240(SB)

DATA wide<>+0(SB)/8, $200.0
DATA wide<>+8(SB)/8, $(-200.0)
DATA wide<>+16(SB)/8, $6755399441055744.0
DATA wide<>+24(SB)/8, $1.4426950408889634
DATA wide<>+32(SB)/8, $0.69314718055994529
DATA wide<>+40(SB)/8, $2.4801587301587302e-05
DATA wide<>+48(SB)/8, $0.00019841269841269841
DATA wide<>+56(SB)/8, $0.0013888888888888889
DATA wide<>+64(SB)/8, $0.0083333333333333332
DATA wide<>+72(SB)/8, $0.041666666666666664
DATA wide<>+80(SB)/8, $0.16666666666666666
DATA wide<>+88(SB)/8, $0.5
DATA wide<>+96(SB)/8, $1.0
DATA wide<>+104(SB)/8, $(-0.053968253968253971)
DATA wide<>+112(SB)/8, $0.13333333333333333
DATA wide<>+120(SB)/8, $0.33333333333333331
DATA wide<>+128(SB)/8, $0.01
DATA wide<>+136(SB)/8, $0.076923076923076927
DATA wide<>+144(SB)/8, $0.090909090909090912
DATA wide<>+152(SB)/8, $0.1111111111111111
DATA wide<>+160(SB)/8, $0.14285714285714285
DATA wide<>+168(SB)/8, $0.20000000000000001
DATA wide<>+176(SB)/8, $0.33333333333333331
DATA wide<>+184(SB)/8, $4503599627371519.0
DATA wide<>+200(SB)/8, $0x3FF
DATA wide<>+208(SB)/8, $0x95F6200000000
DATA wide<>+216(SB)/8, $0x3FE6A09E00000000
DATA wide<>+224(SB)/8, $0xFFFFFFFFFFFFF
DATA wide<>+232(SB)/8, $0x4330000000000000
DATA wide<>+240(SB)/8, $0x3370000000000000 // 2^-200
GLOBL wide<>(SB), RODATA|NOPTR, $248

// EXP is x = e^x as Exp in exp.go computes it, step by step; k and p are for
// what is between. A NaN is the second source of the maximum, and stays.
#define EXP(x, k, p) \
	VBROADCASTSD exp_high, T; \
	VMINPD x, T, x; \
	VBROADCASTSD exp_low, T; \
	VMAXPD x, T, x; \
	MULC(exp_log2e, x, k); \
	ADDC(exp_shift, k, k); \
	SUBC(exp_shift, k, p); \
	MULC(exp_ln2, p, p); \
	VSUBPD p, x, x; \
	MULC(exp_8, x, p); \
	ADDC(exp_7, p, p); \
	VMULPD x, p, p; \
	ADDC(exp_6, p, p); \
	VMULPD x, p, p; \
	ADDC(exp_5, p, p); \
	VMULPD x, p, p; \
	ADDC(exp_4, p, p); \
	VMULPD x, p, p; \
	ADDC(exp_3, p, p); \
	VMULPD x, p, p; \
	ADDC(exp_2, p, p); \
	VMULPD x, p, p; \
	ADDC(exp_1, p, p); \
	VMULPD x, p, p; \
	ADDC(exp_1, p, p); \
	ADDQC(exp_bias, k, k); \
	VPSLLQ $52, k, k; \
	VMULPD k, p, x

// LOG is x = log x of a positive x as log in exp.go computes it. A NaN becomes
// a number.
#define LOG(x, k, p, z) \
	ADDQC(log_up, x, x); \
	VPSRLQ $52, x, k; \
	ORC(log_magic, k, k); \
	SUBC(log_bias, k, k); \
	ANDC(log_mantissa, x, x); \
	ADDQC(log_down, x, x); \
	SUBC(exp_1, x, p); \
	ADDC(exp_1, x, x); \
	VDIVPD x, p, x; \
	VMULPD x, x, z; \
	MULC(log_13, z, p); \
	ADDC(log_11, p, p); \
	VMULPD z, p, p; \
	ADDC(log_9, p, p); \
	VMULPD z, p, p; \
	ADDC(log_7, p, p); \
	VMULPD z, p, p; \
	ADDC(log_5, p, p); \
	VMULPD z, p, p; \
	ADDC(log_3, p, p); \
	VMULPD p, z, p; \
	VMULPD p, x, p; \
	VADDPD p, x, x; \
	VADDPD x, x, x; \
	MULC(exp_ln2, k, k); \
	VADDPD x, k, x
