// Dense layers of small batches, 16 samples at most: each weight is read once,
// and multiplied with all samples while it is in a register. Larger batches are
// products of gemm.cu, and so is the gradient of the weights of any. Everything
// moves four floats at a time: In and Out are multiples of 4.
//
// Variants, dense_{forward,data}_{1,4,16}, for as many samples:
//   forward   a warp makes 4 outputs of all samples. Its lanes lie along In.
//   data      a thread makes 4 inputs' gradients of all samples. Block (x,y) sums
//             over part y of Out, length long, and writes to dx [y][N,In];
//             partials.cu adds the parts in order.

#include "epilogue.cuh"

constexpr int Threads = 128;
constexpr int Rows = 4; // outputs of a warp

// gather adds v[i] of all lanes of a warp. Lane l ends with the sums of i from
// l Sums/32 on in v[0], v[1], …; with fewer than 32 sums, each is in several
// lanes, of which the first is at lane i 32/Sums. At each step a lane keeps one
// half of its sums and gives the other away.
template <int Sums, int Lanes = 16>
__device__ __forceinline__ void gather(float *v) {
    static_assert((Sums & (Sums - 1)) == 0, "halves all the way");
    if constexpr (Sums == 1) {
        v[0] += __shfl_xor_sync(0xFFFFFFFF, v[0], Lanes);
    } else {
        const bool upper = threadIdx.x & Lanes;
#pragma unroll
        for (int i = 0; i < Sums / 2; i++) {
            const float low = v[i], high = v[i + Sums / 2];
            v[i] = (upper ? high : low) + __shfl_xor_sync(0xFFFFFFFF, upper ? low : high, Lanes);
        }
    }
    if constexpr (Lanes > 1) gather<Sums == 1 ? 1 : Sums / 2, Lanes / 2>(v);
}

template <int Samples>
__device__ __forceinline__ void denseForward(float *y, const float *x, const float *w, const float *bias,
                                             int N, int In, int Out, float slope) {
    constexpr int Sums = Samples * Rows;
    const int lane = threadIdx.x % 32;
    const int row = (blockIdx.x * (Threads / 32) + threadIdx.x / 32) * Rows;
    if (row >= Out) return; // whole warps
    float sum[Sums] = {};
    // Two rounds in flight would need more registers than there are.
#pragma unroll 1
    for (int i = lane * 4; i < In; i += 128) {
        float4 weight[Rows];
#pragma unroll
        for (int r = 0; r < Rows; r++) weight[r] = __ldg(reinterpret_cast<const float4 *>(w + (size_t)(row + r) * In + i));
#pragma unroll
        for (int n = 0; n < Samples; n++) {
            if (n >= N) break;
            const float4 v = __ldg(reinterpret_cast<const float4 *>(x + (size_t)n * In + i));
#pragma unroll
            for (int r = 0; r < Rows; r++) {
                float &s = sum[n * Rows + r];
                s += v.x * weight[r].x;
                s += v.y * weight[r].y;
                s += v.z * weight[r].z;
                s += v.w * weight[r].w;
            }
        }
    }
    gather<Sums>(sum);
    const Epilogue epilogue(1, 0, slope);
    constexpr int Each = Sums < 32 ? 1 : Sums / 32, Apart = Sums < 32 ? 32 / Sums : 1;
    if (lane % Apart != 0) return;
#pragma unroll
    for (int e = 0; e < Each; e++) {
        const int i = lane / Apart * Each + e;
        const int n = i / Rows, o = row + i % Rows;
        if (n < N) y[(size_t)n * Out + o] = epilogue(sum[e], 0, bias ? bias[o] : 0);
    }
}

template <int Samples>
__device__ __forceinline__ void denseData(float *dx, const float *dy, const float *w, int N, int In, int Out,
                                          int length, float beta) {
    const int i = (blockIdx.x * Threads + threadIdx.x) * 4;
    if (i >= In) return;
    const int begin = blockIdx.y * length, end = min(begin + length, Out);
    float sum[Samples][4] = {};
#pragma unroll 1
    for (int o = begin; o < end; o += 4) {
        float4 weight[4];
#pragma unroll
        for (int e = 0; e < 4; e++) weight[e] = __ldg(reinterpret_cast<const float4 *>(w + (size_t)(o + e) * In + i));
#pragma unroll
        for (int n = 0; n < Samples; n++) {
            if (n >= N) break;
            const float4 d = __ldg(reinterpret_cast<const float4 *>(dy + (size_t)n * Out + o));
            const float from[4] = {d.x, d.y, d.z, d.w};
#pragma unroll
            for (int e = 0; e < 4; e++) {
                sum[n][0] += from[e] * weight[e].x;
                sum[n][1] += from[e] * weight[e].y;
                sum[n][2] += from[e] * weight[e].z;
                sum[n][3] += from[e] * weight[e].w;
            }
        }
    }
    const Epilogue epilogue(1, beta, 1);
#pragma unroll
    for (int n = 0; n < Samples; n++) {
        if (n >= N) break;
        float *const to = dx + ((size_t)blockIdx.y * N + n) * In + i;
        const float4 add = epilogue.added4(to);
        *reinterpret_cast<float4 *>(to) =
            make_float4(sum[n][0] + add.x, sum[n][1] + add.y, sum[n][2] + add.z, sum[n][3] + add.w);
    }
}

#define DENSE(samples)                                                                        \
    extern "C" __global__ void __launch_bounds__(Threads, 4)                                  \
        dense_forward_##samples(float *y, const float *__restrict__ x, const float *__restrict__ w, \
                                const float *__restrict__ bias, int N, int In, int Out, float slope) { \
        denseForward<samples>(y, x, w, bias, N, In, Out, slope);                              \
    }                                                                                         \
    extern "C" __global__ void __launch_bounds__(Threads, 4)                                  \
        dense_data_##samples(float *dx, const float *__restrict__ dy, const float *__restrict__ w, \
                             int N, int In, int Out, int length, float beta) {                \
        denseData<samples>(dx, dy, w, N, In, Out, length, beta);                              \
    }

DENSE(1)
DENSE(4)
DENSE(16)

// dense_bias sums dy [N,Out] over the samples. A block has 32 columns and 8
// threads for each, which take every eighth sample.
extern "C" __global__ void __launch_bounds__(256)
    dense_bias(float *dbias, const float *__restrict__ dy, int N, int Out, float beta) {
    __shared__ float part[8][32];
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    const int o = blockIdx.x * 32 + lane;
    float sum = 0;
    if (o < Out)
        for (int n = warp; n < N; n += 8) sum += dy[(size_t)n * Out + o];
    part[warp][lane] = sum;
    __syncthreads();
    if (warp != 0 || o >= Out) return;
#pragma unroll
    for (int i = 1; i < 8; i++) sum += part[i][lane];
    dbias[o] = sum + (beta != 0 ? beta * dbias[o] : 0);
}
