// Convolution as a matrix product without the matrix: for each group, weights
// [rows, depth] times patches [depth, columns] of the input, which are gathered
// as they go into shared memory. The forward pass is this product, and so is
// the gradient of the data: conv.go tells a kernel which pixels of the output
// are its columns and where their windows begin.
//
// The weights come packed by conv_pack, as [groups][depth][rows] with depth and
// rows rounded up, and with them a table of taps: where a row of the patches
// lies from the first pixel of a window: x in floats, y in rows of the image and
// z in columns.
//
// Variants, conv_MxN_{channels,taps,inside}:
//   channels   a slice is one tap of 8 channels: one lookup and one check of the
//              bounds for all that a thread loads. For channels in multiples of
//              8: all but the first layer of a network.
//   taps       a slice is any 8 taps: a lookup and a check for each float.
//   inside     taps of windows that lie in the image: no check. For AlexNet's
//              first layer, 11x11 with stride 4.
//   128x128    256 threads with 8x8 each.
//   96x128     128 threads with 12x8 each: AlexNet has 96, 192 and 384 filters.
//   48x128     128 threads with 12x4 each, by channels and in float32 only: the
//              gradient of AlexNet's groups of 48 channels.
//   64x64      64 threads with 8x8 each.
//   32x64      64 threads with 8x4 each: for few filters.
//   tf32_      tiles of the same sizes on tensor cores, see tensor.cuh.
//
// Each can be split along depth: block (x,y,z) sums over part z, length long,
// and writes to y + z total; partials.cu adds the parts in order.

#include "pixels.cuh"
#include "tile.cuh"

// Weights loads packed weights, four rows at a time. Rows past the last read
// the last: they reach only sums that are not stored.
template <class T>
struct Weights {
    static constexpr int Width = 4;
    static constexpr int Across = T::M / 4; // pieces of a row
    static constexpr int Total = Across * Depth;
    static constexpr int Pieces = (Total + T::Threads - 1) / T::Threads;
    static constexpr int Row = T::RowA;

    const float *at;
    int stride;
    int offset[Pieces]; // from the first
    int place[Pieces];

    __device__ __forceinline__ Weights(const float *weights, int tile, int padded) : stride(padded) {
#pragma unroll
        for (int j = 0; j < Pieces; j++) {
            const int piece = j * T::Threads + threadIdx.x;
            const int k = piece / Across, i = piece % Across * 4;
            offset[j] = k * padded + min(tile + i, padded - 4);
            place[j] = keep(4 * (k * Row + i));
        }
        at = keep(weights + offset[0]);
#pragma unroll
        for (int j = 1; j < Pieces; j++) offset[j] = keep(offset[j] - offset[0]);
        offset[0] = 0;
    }

    template <bool Sources, class F>
    __device__ __forceinline__ void each(int, F f) {
#pragma unroll
        for (int j = 0; j < Pieces; j++)
            if (Total % T::Threads == 0 || j + 1 < Pieces || threadIdx.x < Total % T::Threads)
                f(j, at + offset[j], true, place[j], 4);
    }

    __device__ __forceinline__ void next() { at += (unsigned)(Depth * stride); }
};

enum Gather { Channels, Taps, Inside };

// Patches loads what windows see: each thread that of one window, its column
// of the tile.
template <class T, Gather gather>
struct Patches {
    static constexpr int Width = 1;
    static constexpr int Step = T::Threads / T::N; // of k
    static constexpr int Pieces = Depth / Step;
    static constexpr int Row = T::RowB;
    static_assert(Step * T::N == T::Threads && Pieces * Step == Depth, "threads fill rows");

    const float *at; // first pixel of the window; it may lie outside
    const int4 *tap;
    int h, w, H, W;
    int plane, place;

    // first is k of this thread's first piece, and column its column.
    static __device__ __forceinline__ int first() { return threadIdx.x / T::N; }
    static __device__ __forceinline__ int column() { return threadIdx.x % T::N; }

    __device__ __forceinline__ Patches(const float *x, const int4 *taps, int h, int w, int H, int W)
        : h(keep(h)), w(keep(w)), H(H), W(W), plane(H * W) {
        place = keep(4 * (first() * Row + Spread<T>::place(column())));
        at = keep(x + h * W + w + (gather == Channels ? first() * plane : 0));
        tap = keep(taps + (gather == Channels ? 0 : first()));
    }

    __device__ __forceinline__ bool sees(int4 t) const {
        if (gather == Inside) return t.x != -1;
        return ((unsigned)(h + t.y) < (unsigned)H) & ((unsigned)(w + t.z) < (unsigned)W);
    }

    template <bool Sources, class F>
    __device__ __forceinline__ void each(int, F f) {
        // Looked up first, so that the memory's latency passes once.
        constexpr int Looks = gather == Channels ? 1 : Pieces;
        int4 t[Looks] = {};
#pragma unroll
        for (int j = 0; j < Looks; j++) {
            if (!Sources) continue;
            if (gather == Inside) t[j].x = __ldg(&tap[j * Step].x);
            else t[j] = __ldg(tap + j * Step);
        }
        if constexpr (gather == Channels) {
            const float *source = at + t[0].x;
            const bool inside = sees(t[0]);
#pragma unroll
            for (int j = 0; j < Pieces; j++) f(j, source + (unsigned)(j * Step * plane), inside, place + 4 * j * Step * Row, 4);
        } else {
#pragma unroll
            for (int j = 0; j < Pieces; j++)
                f(j, at + t[j].x, sees(t[j]), place + 4 * j * Step * Row, 4);
        }
    }

    __device__ __forceinline__ void next() { tap += gather == Channels ? 1 : Depth; }
};

// The parameters of a convolution's kernel, as conv.go lists them. In the
// output, pixel (row, col) of the product lies at first + row down + col right.
#define CONV_PARAMETERS                                                                      \
    float *y, const float *__restrict__ x, const float *__restrict__ weights,                \
        const int4 *__restrict__ taps, const float *__restrict__ bias, int rows, int padded,  \
        int depth, int length, int columns, int plane, int width, Divisor byPlane,           \
        Divisor byWidth, int sampleX, int groupX, int H, int W, int strideH, int strideW,    \
        int padH, int padW, int sampleY, int planeY, int first, int down, int right,         \
        size_t total, float beta, float slope

template <class T, Gather gather>
__device__ __forceinline__ void conv(CONV_PARAMETERS) {
    __shared__ __align__(16) char shared[Product<T>::Shared];

    const Pixels pixels = {plane, width, byPlane, byWidth};
    const int tall = (rows + T::M - 1) / T::M;
    const int row = blockIdx.x % tall * T::M, col = blockIdx.x / tall * T::N;
    const int group = blockIdx.y;
    const int begin = blockIdx.z * length, end = min(begin + length, depth);

    weights += ((size_t)group * depth + begin) * padded;
    taps += gather == Channels ? begin / Depth : begin;
    int sample, i, j;
    pixels.find(min(col + Patches<T, gather>::column(), columns - 1), sample, i, j);
    Weights<T> a(weights, row, padded);
    Patches<T, gather> b(x + (size_t)sample * sampleX + (size_t)group * groupX, taps,
                         i * strideH - padH, j * strideW - padW, H, W);
    Product<T> product;
    product.run(shared, a, b, end - begin);

    const Epilogue epilogue(1, beta, slope);
    const int m = row + T::row(), n = col + Spread<T>::column();
    const int biased = keep(bias != nullptr);
    float add[T::ThreadM];
#pragma unroll
    for (int e = 0; e < T::ThreadM; e++)
        add[e] = Epilogue::load(bias + group * rows + m + T::down(e), m + T::down(e) < rows ? biased : 0);
    y += blockIdx.z * total + ((size_t)group * rows + m) * planeY + first;
#pragma unroll
    for (int f = 0; f < T::ThreadN; f++) {
        const int column = n + Spread<T>::right(f);
        if (column >= columns) continue;
        pixels.find(column, sample, i, j);
        float *const out = y + (size_t)sample * sampleY + i * down + j * right;
#pragma unroll
        for (int e = 0; e < T::ThreadM; e++) {
            if (m + T::down(e) >= rows) continue;
            float *const to = out + (unsigned)(T::down(e) * planeY);
            *to = epilogue(product.sum[e][f], epilogue.old(to), add[e]);
        }
    }
}

// The second number of the bounds is the blocks that share a multiprocessor:
// it leaves a thread the registers that its sums need.
#define CONV(name, tile, blocks, gather)                                                       \
    extern "C" __global__ void __launch_bounds__(tile::Threads, blocks) name(CONV_PARAMETERS) { \
        conv<tile, gather>(y, x, weights, taps, bias, rows, padded, depth, length, columns,    \
                           plane, width, byPlane, byWidth, sampleX, groupX, H, W, strideH,     \
                           strideW, padH, padW, sampleY, planeY, first, down, right, total,    \
                           beta, slope);                                                       \
    }
