// Instructions of vectors that Go's assembler has no name for, encoded after the Arm
// Architecture Reference Manual (C7). Registers are their numbers. Behind each is what
// a disassembler says of it for the registers 1, 2 and 3, and a fourth parameter 3, too;
// the test of tools/neon holds every line against objdump.

#define FMLAE(d, n, m, i) WORD $(0x4F801000|(((i)&1)<<21)|((((i)>>1)&1)<<11)|((m)<<16)|((n)<<5)|(d)) // fmla v1.4s, v2.4s, v3.s[3]
