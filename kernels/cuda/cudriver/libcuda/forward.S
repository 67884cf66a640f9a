//go:build cuda && linux && amd64

// A jump passes on any number of arguments: cuLaunchKernel has eleven.

#ifdef HUBEL_LINK_LIBRARY
#define HIDE(name)
#else
#define HIDE(name) .hidden name;
#endif

#define SYMBOL(name) .globl name; HIDE(name) .type name, @function; name: jmp *hubel_##name(%rip);

.text
#include "symbols.h"
.section .note.GNU-stack, "", @progbits
