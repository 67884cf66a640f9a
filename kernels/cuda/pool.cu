// Pooling of planes [H,W] into planes [OutH,OutW], and its gradient.
//
//   pool_{max,average}_forward   a thread to an output element
//   pool_{max,average}_backward  a thread to a pixel, which gathers from the
//                                windows that hold it, in their order: no
//                                atomic operation, and always the same bits
//   pool_gather                  a thread to an output element, which reads the
//                                pixel that an index names
//
// Elements are numbered through all planes; a launch has fewer than 2^31.

#include "divide.cuh"

constexpr int Threads = 256;

// Span is the pixels [first,end) of one axis that a window covers.
struct Span {
    int first, end;
    int padded;  // places it covers in the padded image

    __device__ __forceinline__ Span(int o, int stride, int before, int after, int window, int size) {
        first = o * stride - before;
        end = min(first + window, size + after);
        padded = end - first;
        first = max(first, 0);
        end = min(end, size);
    }
};

// Windows is the windows [first,last] of one axis that hold a pixel.
struct Windows {
    int first, last;

    __device__ __forceinline__ Windows(int pixel, Divisor stride, int before, int window, int out) {
        pixel += before;
        first = pixel < window ? 0 : divide(pixel - window, stride) + 1;
        last = min((int)divide(pixel, stride), out - 1);
    }
};

// Position is where an element lies: its plane, row and column.
struct Position {
    int plane, row, column;

    __device__ __forceinline__ Position(int i, Divisor height, Divisor width, int H, int W) {
        const int r = divide(i, width);
        column = i - r * W;
        plane = divide(r, height);
        row = r - plane * H;
    }
};

// index may be absent.
extern "C" __global__ void __launch_bounds__(Threads)
    pool_max_forward(float *y, int *index, const float *x, int n, Divisor byOutH, Divisor byOutW,
                     int H, int W, int outH, int outW, int R, int S, int strideH, int strideW,
                     int padTop, int padLeft) {
    const int o = blockIdx.x * Threads + threadIdx.x;
    if (o >= n) return;
    const Position at(o, byOutH, byOutW, outH, outW);
    const Span rows(at.row, strideH, padTop, 0, R, H), columns(at.column, strideW, padLeft, 0, S, W);
    x += (size_t)at.plane * H * W;
    int best = rows.first * W + columns.first;
    float largest = x[best];
#pragma unroll 1
    for (int i = rows.first; i < rows.end; i++)
#pragma unroll 1
        for (int j = columns.first; j < columns.end; j++) {
            const float v = x[i * W + j];
            // The first of equals; the first NaN beats all.
            if (v > largest || (v != v && largest == largest)) {
                largest = v;
                best = i * W + j;
            }
        }
    y[o] = largest;
    if (index) index[o] = best;
}

extern "C" __global__ void __launch_bounds__(Threads)
    pool_average_forward(float *y, const float *x, int n, Divisor byOutH, Divisor byOutW, int H,
                         int W, int outH, int outW, int R, int S, int strideH, int strideW,
                         int padTop, int padBottom, int padLeft, int padRight, int countPad) {
    const int o = blockIdx.x * Threads + threadIdx.x;
    if (o >= n) return;
    const Position at(o, byOutH, byOutW, outH, outW);
    const Span rows(at.row, strideH, padTop, padBottom, R, H);
    const Span columns(at.column, strideW, padLeft, padRight, S, W);
    x += (size_t)at.plane * H * W;
    float sum = 0;
#pragma unroll 1
    for (int i = rows.first; i < rows.end; i++)
#pragma unroll 1
        for (int j = columns.first; j < columns.end; j++) sum += x[i * W + j];
    const int count = countPad ? rows.padded * columns.padded
                               : (rows.end - rows.first) * (columns.end - columns.first);
    y[o] = sum / count;
}

extern "C" __global__ void __launch_bounds__(Threads)
    pool_max_backward(float *dx, const float *dy, const int *index, int n, Divisor byH, Divisor byW,
                      Divisor byStrideH, Divisor byStrideW, int H, int W, int outH, int outW, int R,
                      int S, int padTop, int padLeft, int accumulate) {
    const int i = blockIdx.x * Threads + threadIdx.x;
    if (i >= n) return;
    const Position at(i, byH, byW, H, W);
    const Windows rows(at.row, byStrideH, padTop, R, outH), columns(at.column, byStrideW, padLeft, S, outW);
    const size_t plane = (size_t)at.plane * outH * outW;
    const int pixel = at.row * W + at.column;
    float sum = 0;
#pragma unroll 1
    for (int r = rows.first; r <= rows.last; r++)
#pragma unroll 1
        for (int c = columns.first; c <= columns.last; c++) {
            const size_t o = plane + r * outW + c;
            if (index[o] == pixel) sum += dy[o];
        }
    dx[i] = accumulate ? dx[i] + sum : sum;
}

extern "C" __global__ void __launch_bounds__(Threads)
    pool_average_backward(float *dx, const float *dy, int n, Divisor byH, Divisor byW,
                          Divisor byStrideH, Divisor byStrideW, int H, int W, int outH, int outW,
                          int R, int S, int strideH, int strideW, int padTop, int padBottom,
                          int padLeft, int padRight, int countPad, int accumulate) {
    const int i = blockIdx.x * Threads + threadIdx.x;
    if (i >= n) return;
    const Position at(i, byH, byW, H, W);
    const Windows rows(at.row, byStrideH, padTop, R, outH), columns(at.column, byStrideW, padLeft, S, outW);
    const size_t plane = (size_t)at.plane * outH * outW;
    float sum = 0;
#pragma unroll 1
    for (int r = rows.first; r <= rows.last; r++) {
        const Span tall(r, strideH, padTop, padBottom, R, H);
#pragma unroll 1
        for (int c = columns.first; c <= columns.last; c++) {
            const Span wide(c, strideW, padLeft, padRight, S, W);
            const int count = countPad ? tall.padded * wide.padded
                                       : (tall.end - tall.first) * (wide.end - wide.first);
            sum += dy[plane + r * outW + c] / count;
        }
    }
    dx[i] = accumulate ? dx[i] + sum : sum;
}

extern "C" __global__ void __launch_bounds__(Threads)
    pool_gather(float *y, const int *index, const float *x, int n, Divisor byOut, int in,
                int accumulate) {
    const int o = blockIdx.x * Threads + threadIdx.x;
    if (o >= n) return;
    const int at = index[o];
    const bool inside = 0 <= at && at < in;
    const float v = inside ? x[(size_t)divide(o, byOut) * in + at] : 0;
    y[o] = accumulate ? y[o] + v : v;
}
