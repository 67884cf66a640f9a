// Instructions of vectors that Go's assembler has no name for, encoded after the Arm
// Architecture Reference Manual (C7). Registers are their numbers. Behind each is what
// a disassembler says of it for the registers 1, 2 and 3, and a fourth parameter 3, too;
// the test of tools/neon holds every line against objdump.

#define FMLAE(d, n, m, i) WORD $(0x4F801000|(((i)&1)<<21)|((((i)>>1)&1)<<11)|((m)<<16)|((n)<<5)|(d)) // fmla v1.4s, v2.4s, v3.s[3]
#define FMULE(d, n, m, i) WORD $(0x4F809000|(((i)&1)<<21)|((((i)>>1)&1)<<11)|((m)<<16)|((n)<<5)|(d)) // fmul v1.4s, v2.4s, v3.s[3]
#define FADD(d, n, m) WORD $(0x4E20D400|((m)<<16)|((n)<<5)|(d)) // fadd v1.4s, v2.4s, v3.4s
#define FMAX(d, n, m) WORD $(0x4E20F400|((m)<<16)|((n)<<5)|(d)) // fmax v1.4s, v2.4s, v3.4s
#define FADDP(d, n, m) WORD $(0x6E20D400|((m)<<16)|((n)<<5)|(d)) // faddp v1.4s, v2.4s, v3.4s
#define ZERO(d) WORD $(0x6F00E400|(d)) // movi v1.2d, #0x0

// LOADQ and STOREQ move a whole vector, i vectors behind a general register.
#define LOADQ(t, n, i) WORD $(0x3DC00000|((i)<<10)|((n)<<5)|(t)) // ldr q1, [x2, #48]
#define STOREQ(t, n, i) WORD $(0x3D800000|((i)<<10)|((n)<<5)|(t)) // str q1, [x2, #48]
