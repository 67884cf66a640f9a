// Dropout and its gradient.
//
// dropout_forward draws its own random numbers, with Philox4x32-10 (Salmon et
// al. 2011): the four words for elements 4b to 4b+3 of sample n are those of
// the counter (b, sample + n, iteration, stream), as on every other device. A
// thread makes one such block. Blocks of threads go over the elements of a
// sample along x and over the samples along y. y may be x, and dx may be dy.

#include "vector.cuh"

__device__ __forceinline__ uint4 philox(uint4 c, uint2 key) {
#pragma unroll
    for (int round = 0; round < 10; round++) {
        const unsigned h0 = __umulhi(0xD2511F53u, c.x), l0 = 0xD2511F53u * c.x;
        const unsigned h1 = __umulhi(0xCD9E8D57u, c.z), l1 = 0xCD9E8D57u * c.z;
        c = make_uint4(h1 ^ c.y ^ key.x, l1, h0 ^ c.w ^ key.y, l0);
        key.x += 0x9E3779B9u;  // golden ratio
        key.y += 0xBB67AE85u;  // sqrt(3) - 1
    }
    return c;
}

extern "C" __global__ void __launch_bounds__(ElementThreads)
    dropout_forward(float *y, unsigned char *mask, const float *x, int samples, int elems,
                    unsigned threshold, float scale, unsigned seedLow, unsigned seedHigh,
                    unsigned stream, unsigned iteration, unsigned sample) {
    const size_t i = first();
    if (i >= elems) return;
    const bool vector = aligned(y) && aligned(x) && (size_t)mask % 4 == 0 && elems % 4 == 0;
#pragma unroll 1
    for (int n = blockIdx.y; n < samples; n += gridDim.y) {
        const uint4 r = philox(make_uint4(i / 4, sample + n, iteration, stream), make_uint2(seedLow, seedHigh));
        const size_t row = (size_t)n * elems;
        const float4 v = load4(x + row, i, elems, vector);
        const uchar4 keep = make_uchar4(r.x >= threshold, r.y >= threshold, r.z >= threshold, r.w >= threshold);
        if (vector) {
            *reinterpret_cast<uchar4 *>(mask + row + i) = keep;
        } else {
            mask[row + i] = keep.x;
            if (i + 1 < elems) mask[row + i + 1] = keep.y;
            if (i + 2 < elems) mask[row + i + 2] = keep.z;
            if (i + 3 < elems) mask[row + i + 3] = keep.w;
        }
        // Dropped elements are 0 even where x is not a number.
        store4(y + row, i, elems, vector,
               make_float4(keep.x ? v.x * scale : 0, keep.y ? v.y * scale : 0,
                           keep.z ? v.z * scale : 0, keep.w ? v.w * scale : 0));
    }
}

extern "C" __global__ void __launch_bounds__(ElementThreads)
    dropout_backward(float *dx, const float *dy, const unsigned char *mask, size_t n, float scale,
                     int accumulate) {
    const size_t i = first();
    if (i >= n) return;
    const bool vector = aligned(dx) && aligned(dy) && (size_t)mask % 4 == 0;
    const float4 d = load4(dy, i, n, vector);
    uchar4 keep = make_uchar4(0, 0, 0, 0);
    if (vector && i + 4 <= n) {
        keep = *reinterpret_cast<const uchar4 *>(mask + i);
    } else {
        keep.x = mask[i];
        if (i + 1 < n) keep.y = mask[i + 1];
        if (i + 2 < n) keep.z = mask[i + 2];
        if (i + 3 < n) keep.w = mask[i + 3];
    }
    put4(dx, i, n, vector, make_float4(keep.x ? d.x * scale : 0, keep.y ? d.y * scale : 0,
                                       keep.z ? d.z * scale : 0, keep.w ? d.w * scale : 0),
         accumulate);
}
