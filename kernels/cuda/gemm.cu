// C = alpha op(A) op(B) + beta C, row-major and contiguous; op(A) is [M,K],
// op(B) [K,N], C [M,N]. With beta 0, C is never read.
//
// Variants, sgemm_128x128x8_{nn,nt,tn,tt}[_v4]:
//   128x128x8   a block of 256 threads makes a 128x128 tile of C, 8 of k at a
//               time, each thread 8x8 of it: 64 multiply-adds for 16 floats
//               read from shared memory, and the next slice is loaded into
//               registers while the present one is multiplied.
//   _v4         loads and stores four floats at once. The launcher takes it
//               where the contiguous extents of A, B and C are multiples of
//               4 and the addresses of 16 bytes.

constexpr int TileM = 128, TileN = 128, TileK = 8;
constexpr int Threads = 256;

// A row of a slice in shared memory is padded by 4 floats: rows stay aligned
// for float4, and the transposing stores, which lie 4 rows apart for
// neighbouring threads, fall on different banks.
constexpr int Row = 128 + 4;

static_assert(TileM == TileN, "one loader serves A and B");
static_assert(TileM * TileK == Threads * 4, "a thread loads four floats of each slice");
static_assert(TileM * TileN == Threads * 64, "a thread makes 8x8 of the tile");
static_assert(Row % 4 == 0, "float4 reads are aligned");

// Slice is the part of an operand that a thread loads: four floats at (i, k),
// along k where the operand is stored with k contiguous (KMajor), and along i
// otherwise. extent is the operand's number of i (M or N).
template <bool KMajor, bool Vector>
struct Slice {
    const float *at;
    int i, k;
    int extent, depth;

    __device__ __forceinline__ Slice(const float *p, int tile, int extent, int depth)
        : extent(extent), depth(depth) {
        if (KMajor) {
            i = tile + threadIdx.x / 2;
            k = threadIdx.x % 2 * 4;
            at = p + (size_t)i * depth + k;
        } else {
            i = tile + threadIdx.x % 32 * 4;
            k = threadIdx.x / 32;
            at = p + (size_t)k * extent + i;
        }
    }

    // load reads the four floats, zeroes where they lie outside the matrix,
    // and moves on by TileK.
    __device__ __forceinline__ void load(float v[4]) {
        if (Vector) {
            float4 f = make_float4(0, 0, 0, 0);
            if (i < extent && k < depth) f = *reinterpret_cast<const float4 *>(at);
            v[0] = f.x, v[1] = f.y, v[2] = f.z, v[3] = f.w;
        } else {
#pragma unroll
            for (int j = 0; j < 4; j++) {
                bool in = KMajor ? i < extent && k + j < depth : i + j < extent && k < depth;
                v[j] = in ? at[j] : 0;
            }
        }
        k += TileK;
        at += KMajor ? (size_t)TileK : (size_t)TileK * extent;
    }

    // store writes them to a slice [TileK][Row].
    __device__ __forceinline__ void store(float (*to)[Row], const float v[4]) {
        if (KMajor) {
#pragma unroll
            for (int j = 0; j < 4; j++) to[threadIdx.x % 2 * 4 + j][threadIdx.x / 2] = v[j];
        } else {
            *reinterpret_cast<float4 *>(&to[threadIdx.x / 32][threadIdx.x % 32 * 4]) =
                make_float4(v[0], v[1], v[2], v[3]);
        }
    }
};

// fragment reads the eight floats of a thread from a row of a slice: two
// groups of four, 64 apart, so that neighbouring threads read neighbouring
// addresses.
__device__ __forceinline__ void fragment(float v[8], const float *row, int at) {
    float4 lo = *reinterpret_cast<const float4 *>(row + at);
    float4 hi = *reinterpret_cast<const float4 *>(row + at + 64);
    v[0] = lo.x, v[1] = lo.y, v[2] = lo.z, v[3] = lo.w;
    v[4] = hi.x, v[5] = hi.y, v[6] = hi.z, v[7] = hi.w;
}

template <bool TransA, bool TransB, bool Vector>
__device__ __forceinline__ void sgemm(float *c, const float *a, const float *b,
                                      int M, int N, int K, float alpha, float beta) {
    __shared__ __align__(16) float as[2][TileK][Row];
    __shared__ __align__(16) float bs[2][TileK][Row];

    const int row = blockIdx.y * TileM, col = blockIdx.x * TileN;
    const int ty = threadIdx.x / 16 * 4, tx = threadIdx.x % 16 * 4;

    Slice<!TransA, Vector> sliceA(a, row, M, K);
    Slice<TransB, Vector> sliceB(b, col, N, K);

    float acc[8][8] = {};
    float nextA[4], nextB[4];
    sliceA.load(nextA);
    sliceB.load(nextB);
    sliceA.store(as[0], nextA);
    sliceB.store(bs[0], nextB);
    __syncthreads();

    int now = 0;
    for (int k = 0; k < K; k += TileK) {
        const bool more = k + TileK < K;
        if (more) {
            sliceA.load(nextA);
            sliceB.load(nextB);
        }
#pragma unroll
        for (int kk = 0; kk < TileK; kk++) {
            float fa[8], fb[8];
            fragment(fa, as[now][kk], ty);
            fragment(fb, bs[now][kk], tx);
#pragma unroll
            for (int i = 0; i < 8; i++)
#pragma unroll
                for (int j = 0; j < 8; j++) acc[i][j] += fa[i] * fb[j];
        }
        if (more) {
            // The other buffer was last read before the previous barrier.
            now ^= 1;
            sliceA.store(as[now], nextA);
            sliceB.store(bs[now], nextB);
            __syncthreads();
        }
    }

#pragma unroll
    for (int i = 0; i < 8; i++) {
        const int m = row + ty + (i / 4) * 64 + i % 4;
        if (m >= M) continue;
#pragma unroll
        for (int half = 0; half < 2; half++) {
            const int n = col + tx + half * 64;
            float *out = c + (size_t)m * N + n;
            const float *sum = acc[i] + half * 4;
            if (Vector) {
                if (n >= N) continue;
                float4 v = make_float4(alpha * sum[0], alpha * sum[1], alpha * sum[2], alpha * sum[3]);
                if (beta != 0) {
                    float4 old = *reinterpret_cast<float4 *>(out);
                    v.x += beta * old.x, v.y += beta * old.y, v.z += beta * old.z, v.w += beta * old.w;
                }
                *reinterpret_cast<float4 *>(out) = v;
            } else {
#pragma unroll
                for (int j = 0; j < 4; j++) {
                    if (n + j >= N) continue;
                    float v = alpha * sum[j];
                    if (beta != 0) v += beta * out[j];
                    out[j] = v;
                }
            }
        }
    }
}

#define SGEMM(name, transA, transB, vector)                                        \
    extern "C" __global__ void __launch_bounds__(Threads, 2)                       \
        name(float *c, const float *__restrict__ a, const float *__restrict__ b,   \
             int M, int N, int K, float alpha, float beta) {                       \
        sgemm<transA, transB, vector>(c, a, b, M, N, K, alpha, beta);              \
    }

SGEMM(sgemm_128x128x8_nn, false, false, false)
SGEMM(sgemm_128x128x8_nt, false, true, false)
SGEMM(sgemm_128x128x8_tn, true, false, false)
SGEMM(sgemm_128x128x8_tt, true, true, false)
SGEMM(sgemm_128x128x8_nn_v4, false, false, true)
SGEMM(sgemm_128x128x8_nt_v4, false, true, true)
SGEMM(sgemm_128x128x8_tn_v4, true, false, true)
SGEMM(sgemm_128x128x8_tt_v4, true, true, true)
