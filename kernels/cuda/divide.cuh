// Division by a number that a launch knows, without a division.

#pragma once

// Divisor is 2^(31+shift) / d rounded up in its low half, and 31+shift above,
// where shift is log2 d rounded up: the product with any n below 2^31 is less
// than 2^(31+shift) / d too large (Granlund and Montgomery 1994, theorem 4.2).
// The launcher makes it.
typedef unsigned long long Divisor;

__device__ __forceinline__ unsigned divide(unsigned n, Divisor d) {
    return (unsigned long long)n * (unsigned)d >> (unsigned)(d >> 32);
}
