// Reductions over the threads of a block, in an order that never changes.

#pragma once

constexpr int RowThreads = 128;

static_assert(RowThreads % 32 == 0, "every warp is whole, for the shuffles");

struct Sum {
    static __device__ __forceinline__ float of(float a, float b) { return a + b; }
};

struct Max {
    static __device__ __forceinline__ float of(float a, float b) { return fmaxf(a, b); }
};

// reduce combines v of all threads of a block of Threads and gives the result
// to each. Every thread must call it, and once for an Op: nothing keeps a
// second call from overwriting what a slow thread still reads.
template <typename Op, int Threads>
__device__ __forceinline__ float reduce(float v) {
    constexpr int Warps = Threads / 32;
    __shared__ float part[Warps];
#pragma unroll
    for (int d = 16; d > 0; d /= 2) v = Op::of(v, __shfl_xor_sync(0xFFFFFFFF, v, d));
    if (threadIdx.x % 32 == 0) part[threadIdx.x / 32] = v;
    __syncthreads();
    v = part[0];
#pragma unroll
    for (int w = 1; w < Warps; w++) v = Op::of(v, part[w]);
    return v;
}
