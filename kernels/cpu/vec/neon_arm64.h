// Instructions of vectors that Go's assembler has no name for, encoded after the Arm
// Architecture Reference Manual (C7). Registers are their numbers. Behind each is what
// a disassembler says of it for the registers 1, 2 and 3, and a fourth parameter 3, too;
// the test of tools/neon holds every line against objdump.

#define FADD(d, n, m) WORD $(0x4E20D400|((m)<<16)|((n)<<5)|(d)) // fadd v1.4s, v2.4s, v3.4s
#define FSUB(d, n, m) WORD $(0x4EA0D400|((m)<<16)|((n)<<5)|(d)) // fsub v1.4s, v2.4s, v3.4s
#define FMUL(d, n, m) WORD $(0x6E20DC00|((m)<<16)|((n)<<5)|(d)) // fmul v1.4s, v2.4s, v3.4s
#define FDIV(d, n, m) WORD $(0x6E20FC00|((m)<<16)|((n)<<5)|(d)) // fdiv v1.4s, v2.4s, v3.4s
#define FSQRT(d, n) WORD $(0x6EA1F800|((n)<<5)|(d)) // fsqrt v1.4s, v2.4s
#define FABS(d, n) WORD $(0x4EA0F800|((n)<<5)|(d)) // fabs v1.4s, v2.4s
#define UCVTF(d, n) WORD $(0x6E21D800|((n)<<5)|(d)) // ucvtf v1.4s, v2.4s
#define FCMGT(d, n, m) WORD $(0x6EA0E400|((m)<<16)|((n)<<5)|(d)) // fcmgt v1.4s, v2.4s, v3.4s
#define FCMGE(d, n, m) WORD $(0x6E20E400|((m)<<16)|((n)<<5)|(d)) // fcmge v1.4s, v2.4s, v3.4s
#define FCMEQ(d, n, m) WORD $(0x4E20E400|((m)<<16)|((n)<<5)|(d)) // fcmeq v1.4s, v2.4s, v3.4s
#define CMHI(d, n, m) WORD $(0x6EA03400|((m)<<16)|((n)<<5)|(d)) // cmhi v1.4s, v2.4s, v3.4s
#define USHR8(d, n) WORD $(0x6F380400|((n)<<5)|(d)) // ushr v1.4s, v2.4s, #8
#define FMAXNMV(d, n) WORD $(0x6E30C800|((n)<<5)|(d)) // fmaxnmv s1, v2.4s

// BIT puts the bits of n into d where those of m are set, and BIF where they are not.
#define BIT(d, n, m) WORD $(0x6EA01C00|((m)<<16)|((n)<<5)|(d)) // bit v1.16b, v2.16b, v3.16b
#define BIF(d, n, m) WORD $(0x6EE01C00|((m)<<16)|((n)<<5)|(d)) // bif v1.16b, v2.16b, v3.16b
#define BIC(d, n, m) WORD $(0x4E601C00|((m)<<16)|((n)<<5)|(d)) // bic v1.16b, v2.16b, v3.16b
#define MOV(d, n) WORD $(0x4EA01C00|((n)<<16)|((n)<<5)|(d)) // mov v1.16b, v2.16b
#define ZERO(d) WORD $(0x6F00E400|(d)) // movi v1.2d, #0x0

// Of doubles. WIDE and WIDEUPPER make two of the lower and of the upper half of a vector
// of four floats; NARROW and NARROWUPPER round two doubles to a half of one.
#define WIDE(d, n) WORD $(0x0E617800|((n)<<5)|(d)) // fcvtl v1.2d, v2.2s
#define WIDEUPPER(d, n) WORD $(0x4E617800|((n)<<5)|(d)) // fcvtl2 v1.2d, v2.4s
#define NARROW(d, n) WORD $(0x0E616800|((n)<<5)|(d)) // fcvtn v1.2s, v2.2d
#define NARROWUPPER(d, n) WORD $(0x4E616800|((n)<<5)|(d)) // fcvtn2 v1.4s, v2.2d
#define FADDD(d, n, m) WORD $(0x4E60D400|((m)<<16)|((n)<<5)|(d)) // fadd v1.2d, v2.2d, v3.2d
#define FSUBD(d, n, m) WORD $(0x4EE0D400|((m)<<16)|((n)<<5)|(d)) // fsub v1.2d, v2.2d, v3.2d
#define FMULD(d, n, m) WORD $(0x6E60DC00|((m)<<16)|((n)<<5)|(d)) // fmul v1.2d, v2.2d, v3.2d
#define FDIVD(d, n, m) WORD $(0x6E60FC00|((m)<<16)|((n)<<5)|(d)) // fdiv v1.2d, v2.2d, v3.2d
#define FNEGD(d, n) WORD $(0x6EE0F800|((n)<<5)|(d)) // fneg v1.2d, v2.2d
#define FMAXD(d, n, m) WORD $(0x4E60F400|((m)<<16)|((n)<<5)|(d)) // fmax v1.2d, v2.2d, v3.2d
#define FMIND(d, n, m) WORD $(0x4EE0F400|((m)<<16)|((n)<<5)|(d)) // fmin v1.2d, v2.2d, v3.2d
#define FCMGTD(d, n, m) WORD $(0x6EE0E400|((m)<<16)|((n)<<5)|(d)) // fcmgt v1.2d, v2.2d, v3.2d
