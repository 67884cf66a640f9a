// copy_strided copies the elements of up to six axes between tensors that lie anyhow,
// or adds them: one element of the destination a thread, in the order in which they lie
// there, so that writes are coalesced. copy_strided_4 does so by four floats, where
// the launcher finds that these lie together on both sides.
//
// Axes come innermost first. Those that add up are before the others, and each thread
// sums their elements in order.

#include "divide.cuh"
#include "vector.cuh"

constexpr int Axes = 6; // of device.Strided

struct Axis {
    Divisor by; // len
    unsigned len, to, from;
};

struct Place {
    size_t to, from;
};

// place is where element i of all axes lies.
__device__ __forceinline__ Place place(unsigned i, const Axis (&axes)[Axes], int rank) {
    Place p = {0, 0};
#pragma unroll
    for (int k = 0; k < Axes; k++) {
        if (k == rank) break;
        const unsigned outer = divide(i, axes[k].by), at = i - outer * axes[k].len;
        p.to += (size_t)at * axes[k].to;
        p.from += (size_t)at * axes[k].from;
        i = outer;
    }
    return p;
}

__device__ __forceinline__ float sum(float a, float b) { return a + b; }
__device__ __forceinline__ float4 sum(float4 a, float4 b) {
    return make_float4(a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w);
}

template <class T>
__device__ __forceinline__ void copy(T *dst, const T *src, unsigned n, unsigned terms,
                                     const Axis (&axes)[Axes], int rank, int accumulate) {
    const unsigned i = blockIdx.x * ElementThreads + threadIdx.x;
    if (i >= n) return;
    const unsigned first = i * terms;
    const Place p = place(first, axes, rank);
    T v = src[p.from];
#pragma unroll 1
    for (unsigned t = 1; t < terms; t++) v = sum(v, src[place(first + t, axes, rank).from]);
    if (accumulate) v = sum(dst[p.to], v);
    dst[p.to] = v;
}

#define AXIS(k) Divisor by##k, unsigned len##k, unsigned to##k, unsigned from##k
#define COPY(name, T)                                                                            \
    extern "C" __global__ void __launch_bounds__(ElementThreads)                                 \
        name(T *dst, const T *src, unsigned n, unsigned terms, int accumulate, int rank, AXIS(0), \
             AXIS(1), AXIS(2), AXIS(3), AXIS(4), AXIS(5)) {                                      \
        const Axis axes[Axes] = {                                                                \
            {by0, len0, to0, from0}, {by1, len1, to1, from1}, {by2, len2, to2, from2},           \
            {by3, len3, to3, from3}, {by4, len4, to4, from4}, {by5, len5, to5, from5}};          \
        copy(dst, src, n, terms, axes, rank, accumulate);                                        \
    }

COPY(copy_strided, float)
COPY(copy_strided_4, float4)
