// Element-wise kernels work on four floats a thread. Where an address does
// not allow float4, or fewer than four are left, they go one by one.

#pragma once

constexpr int ElementThreads = 256;

// first is the first of the four elements that a thread works on.
__device__ __forceinline__ size_t first() {
    return 4 * ((size_t)blockIdx.x * ElementThreads + threadIdx.x);
}

// aligned reports whether p may be read and written as float4.
__device__ __forceinline__ bool aligned(const float *p) { return (size_t)p % sizeof(float4) == 0; }

// load4 is p[i] to p[i+3]; elements from n on are not read and are 0.
__device__ __forceinline__ float4 load4(const float *p, size_t i, size_t n, bool vector) {
    if (vector && i + 4 <= n) return *reinterpret_cast<const float4 *>(p + i);
    float4 v = make_float4(0, 0, 0, 0);
    if (i < n) v.x = p[i];
    if (i + 1 < n) v.y = p[i + 1];
    if (i + 2 < n) v.z = p[i + 2];
    if (i + 3 < n) v.w = p[i + 3];
    return v;
}

// store4 writes p[i] to p[i+3], without those from n on.
__device__ __forceinline__ void store4(float *p, size_t i, size_t n, bool vector, float4 v) {
    if (vector && i + 4 <= n) {
        *reinterpret_cast<float4 *>(p + i) = v;
        return;
    }
    if (i < n) p[i] = v.x;
    if (i + 1 < n) p[i + 1] = v.y;
    if (i + 2 < n) p[i + 2] = v.z;
    if (i + 3 < n) p[i + 3] = v.w;
}
