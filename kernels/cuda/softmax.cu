// y = exp(x - max) / sum, over the C channels of [N,C,Inner], and its gradient
// dx_c = y_c (dy_c - sum of dy_k y_k).
//
//   _rows  Inner is 1: a block to a sample, which reduces over its threads.
//   _maps  a thread to a position of a feature map, so that neighbouring
//          threads read neighbouring scores; blocks go over the positions
//          along x and over the samples along y.

#include "reduce.cuh"

// Every thread reads back only what it wrote itself.
extern "C" __global__ void __launch_bounds__(RowThreads)
    softmax_forward_rows(float *y, const float *x, int C) {
    const size_t row = (size_t)blockIdx.x * C;
    y += row, x += row;
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
}

extern "C" __global__ void __launch_bounds__(RowThreads)
    softmax_backward_rows(float *dx, const float *y, const float *dy, int C, int accumulate) {
    const size_t row = (size_t)blockIdx.x * C;
    dx += row, y += row, dy += row;
    float sum = 0;
#pragma unroll 1
    for (int c = threadIdx.x; c < C; c += RowThreads) sum += dy[c] * y[c];
    sum = reduce<Sum, RowThreads>(sum);
#pragma unroll 1
    for (int c = threadIdx.x; c < C; c += RowThreads) {
        const float d = y[c] * (dy[c] - sum);
        dx[c] = accumulate ? dx[c] + d : d;
    }
}

extern "C" __global__ void __launch_bounds__(RowThreads)
    softmax_forward_maps(float *y, const float *x, int N, int C, int inner) {
    const int p = blockIdx.x * RowThreads + threadIdx.x;
    if (p >= inner) return;
#pragma unroll 1
    for (int n = blockIdx.y; n < N; n += gridDim.y) {
        const size_t begin = (size_t)n * C * inner + p, end = begin + (size_t)C * inner;
        float largest = -INFINITY;
#pragma unroll 1
        for (size_t i = begin; i < end; i += inner) largest = fmaxf(largest, x[i]);
        float sum = 0;
#pragma unroll 1
        for (size_t i = begin; i < end; i += inner) {
            const float e = expf(x[i] - largest);
            y[i] = e;
            sum += e;
        }
        const float inverse = 1 / sum;
#pragma unroll 1
        for (size_t i = begin; i < end; i += inner) y[i] *= inverse;
    }
}

extern "C" __global__ void __launch_bounds__(RowThreads)
    softmax_backward_maps(float *dx, const float *y, const float *dy, int N, int C, int inner,
                          int accumulate) {
    const int p = blockIdx.x * RowThreads + threadIdx.x;
    if (p >= inner) return;
#pragma unroll 1
    for (int n = blockIdx.y; n < N; n += gridDim.y) {
        const size_t begin = (size_t)n * C * inner + p, end = begin + (size_t)C * inner;
        float sum = 0;
#pragma unroll 1
        for (size_t i = begin; i < end; i += inner) sum += dy[i] * y[i];
#pragma unroll 1
        for (size_t i = begin; i < end; i += inner) {
            const float d = y[i] * (dy[i] - sum);
            dx[i] = accumulate ? dx[i] + d : d;
        }
    }
}
