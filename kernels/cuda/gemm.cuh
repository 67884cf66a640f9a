// C = act(alpha op(A) op(B) + beta C + bias), row-major and contiguous; op(A)
// is [M,K], op(B) [K,N], C [M,N], and bias [N] may be null. With beta 0, C is
// never read.
//
// Variants, sgemm_MxN_{nn,nt,tn,tt}:
//   128x128   256 threads with 8x8 each: 64 multiply-adds for 16 floats read
//             from shared memory. Moves four floats at once: the launcher takes
//             it where the contiguous extents of A, B and C are multiples of 4
//             and the addresses of 16 bytes.
//   64x64     64 threads with 8x8 each, any shape: four times as many blocks.
//   32x32     64 threads with 4x4 each, any shape: for small matrices.
//   tf32_     tiles of the same sizes on tensor cores, see tensor.cuh.
//
// Each can be split along K: block (x,y,z) sums over part z of K, range long,
// and writes to c [z][M,N]; partials.cu adds the parts in order.

#include "tile.cuh"

// Matrix loads an operand's part of a tile, Extent of i (M or N), as it lies in
// memory: k contiguous (KMajor) or i. Rows past the last read the last: they
// reach only sums that are not stored.
template <class T, int Extent, bool KMajor, bool Vector, bool Spreads>
struct Matrix {
    // An asynchronous copy cannot transpose four floats.
    static constexpr int Width = Vector && !(KMajor && Asynchronous) ? 4 : 1;
    static constexpr int Threads = T::Threads, Pieces = Extent * Depth / Width / Threads;
    // With k contiguous, pieces of one row, whose address is worked out once.
    static constexpr int Along = KMajor && Vector && Asynchronous ? T::Along : 1, Apart = Depth / Along;
    static constexpr int Row = Extent + 4;
    static constexpr int Across = Extent / Width; // pieces of a row of i
    static_assert(Pieces * Width * Threads == Extent * Depth, "threads fill the slice");
    static_assert(KMajor || Threads % Across == 0, "threads fill rows");
    static_assert(!(Vector && Spreads), "four at a time keep their places");

    const float *at;
    int k, stride, place;
    unsigned offset[KMajor ? Pieces / Along : 1]; // of rows, from the first

    __device__ __forceinline__ Matrix(const float *p, int tile, int extent, int K, int begin)
        : k(keep(first())), stride(KMajor ? K : extent) {
        const int last = extent - tile - (KMajor ? 1 : Width);
        place = keep(4 * (k * Row + (Spreads ? Spread<T>::place(i(0)) : i(0))));
        at = p + (KMajor ? (size_t)(tile + min(i(0), last)) * K + begin + k
                         : (size_t)(begin + k) * extent + tile + min(i(0), last));
        for (int j = 1; KMajor && j < Pieces / Along; j++) offset[j] = keep((min(i(j), last) - min(i(0), last)) * K);
    }

    // first is k of the first piece, and i that of piece j, or of row j. One at a
    // time along k, 8 neighbours make a sector of memory, and a warp's 8 of k by 4
    // of i, or 4 of k by 4 and 4 of i, 16 apart, fall on 32 banks.
    static __device__ __forceinline__ int first() {
        if (!KMajor) return threadIdx.x / Across;
        return Width == 4 ? threadIdx.x % 2 * 4 : threadIdx.x % Apart;
    }
    static __device__ __forceinline__ int i(int j) {
        if (!KMajor) return threadIdx.x % Across * Width;
        if (Width == 4) return threadIdx.x / 2 + j * (Threads / 2);
        const int q = j * (Threads / 32) + threadIdx.x / 32;
        if (Along == 2) return q / 4 * 32 + q % 4 * 4 + threadIdx.x / 16 % 2 * 16 + threadIdx.x / 4 % 4;
        return transposed<Spreads>(q);
    }

    template <bool Sources, class F>
    __device__ __forceinline__ void each(int rest, F f) {
        if (KMajor) {
#pragma unroll
            for (int j = 0; j < Pieces; j++) {
                // Where there are two, K is a multiple of Apart.
                const int row = j / Along, right = j % Along * Apart;
                f(j, (row ? keep(at + offset[row]) : at) + right, (Along > 1 ? 0 : k) + right < rest,
                  place + 4 * (row * (Extent * Along / Pieces) + right * Row), 4 * Row);
            }
        } else {
#pragma unroll
            for (int j = 0; j < Pieces; j++) {
                const int down = j * (Threads / Across); // of k
                f(j, at + (unsigned)(down * stride), k + down < rest, place + 4 * down * Row, 4);
            }
        }
    }

    __device__ __forceinline__ void next() { at += KMajor ? Depth : (size_t)(unsigned)(Depth * stride); }
};

template <class T, bool TransA, bool TransB, bool Vector>
__device__ __forceinline__ void sgemm(float *c, const float *a, const float *b, const float *bias,
                                      int M, int N, int K, int range, float alpha, float beta, float slope) {
    __shared__ __align__(16) char shared[Product<T>::Shared];

    const int across = (N + T::N - 1) / T::N;
    const int row = blockIdx.x / across * T::M, col = blockIdx.x % across * T::N;
    const int begin = blockIdx.y * range, end = min(begin + range, K);
    c += (size_t)blockIdx.y * M * N;

    Matrix<T, T::M, !TransA, Vector, false> sliceA(a, row, M, K, begin);
    Matrix<T, T::N, TransB, Vector, !Vector && T::Spreads> sliceB(b, col, N, K, begin);
    Product<T> product;
    product.run(shared, sliceA, sliceB, end - begin);

    const Epilogue epilogue(alpha, beta, slope);
    const int m = row + T::row(), n = col + (Vector ? T::column() : Spread<T>::column());
    const int biased = keep(bias != nullptr);
    float *const out = c + (size_t)m * N + n;
    constexpr int Stored = Vector ? T::Neighbours : 1;
#pragma unroll
    for (int j = 0; j < T::ThreadN; j += Stored) {
        const int right = Vector ? T::right(j) : Spread<T>::right(j);
        if (n + right >= N) continue;
        float add[4];
#pragma unroll
        for (int e = 0; e < Stored; e++) add[e] = Epilogue::load(bias + n + right + e, biased);
#pragma unroll
        for (int i = 0; i < T::ThreadM; i++) {
            if (m + T::down(i) >= M) continue;
            const float *sum = &product.sum[i][j];
            float *const to = out + (unsigned)(T::down(i) * N) + right;
            if (Stored == 4) {
                const float4 old = epilogue.old4(to);
                *reinterpret_cast<float4 *>(to) = make_float4(
                    epilogue(sum[0], old.x, add[0]), epilogue(sum[1], old.y, add[1]),
                    epilogue(sum[2], old.z, add[2]), epilogue(sum[3], old.w, add[3]));
            } else {
                *to = epilogue(sum[0], epilogue.old(to), add[0]);
            }
        }
    }
}

// The second number of the bounds is the blocks that share a multiprocessor: it
// leaves 128 registers a thread.
#define SGEMM(name, tile, blocks, transA, transB, vector)                                     \
    extern "C" __global__ void __launch_bounds__(tile::Threads, blocks)                       \
        name(float *c, const float *__restrict__ a, const float *__restrict__ b,              \
             const float *__restrict__ bias, int M, int N, int K, int range,                  \
             float alpha, float beta, float slope) {                                          \
        sgemm<tile, transA, transB, vector>(c, a, b, bias, M, N, K, range, alpha, beta, slope); \
    }
