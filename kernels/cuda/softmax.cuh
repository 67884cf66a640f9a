// The softmax of a row by a block, for softmax.cu and loss.cu.

#pragma once

#include "reduce.cuh"

// softmaxRow writes the softmax y of C scores x, and returns their maximum and
// the sum of exp(x - maximum). A block of RowThreads works on it; every thread
// reads back only what it wrote itself.
__device__ __forceinline__ float2 softmaxRow(float *y, const float *x, int C) {
    float largest = -INFINITY;
#pragma unroll 1
    for (int c = threadIdx.x; c < C; c += RowThreads) largest = fmaxf(largest, x[c]);
    largest = reduce<Max, RowThreads>(largest);
    float sum = 0;
#pragma unroll 1
    for (int c = threadIdx.x; c < C; c += RowThreads) {
        const float e = expf(x[c] - largest);  // NaN stays, although fmaxf drops it
        y[c] = e;
        sum += e;
    }
    sum = reduce<Sum, RowThreads>(sum);
    const float inverse = 1 / sum;
#pragma unroll 1
    for (int c = threadIdx.x; c < C; c += RowThreads) y[c] *= inverse;
    return make_float2(largest, sum);
}
