// Gradient of a convolution's weights: for each group, the matrix product of dy
// [rows, pixels] with the patches of x [pixels, columns], where pixels are those
// of dy's planes, of all samples, and a column is a channel and a tap (c,r,s).
// Patches are gathered as they go into shared memory; which pixel a thread loads
// is found once a slice, for both.
//
// Variants, conv_filter_MxN:
//   128x128   256 threads with 8x8 each.
//   96x128    128 threads with 12x8 each: AlexNet has 96, 192 and 384 filters.
//   64x64     64 threads with 8x8 each.
//   32x32     64 threads with 4x4 each: for few filters and taps.
//   tf32_     tiles of the same sizes on tensor cores, see tensor.cuh.
//
// The sum over pixels is long and the gradient small, so it is split: block
// (x,y,z) sums over part z, length long, and writes to dw + z total; partials.cu
// adds the parts in order.

#include "pixels.cuh"
#include "tile.cuh"

// Two numbers below 2^14 in one, as h << 16 | w, are checked at once: with 2^15
// added to both, and what Bounds takes off, bit 15 of each half says whether it
// is at least 0, and whether it is past the end.
constexpr unsigned Halves = 0x80008000;

__device__ __forceinline__ unsigned pack(int h, int w) { return ((unsigned)h << 16) + w; }

// Walk is the pixel of the output that a thread loads in a slice: eight
// neighbouring threads have eight neighbouring pixels.
struct Walk {
    Pixels pixels;
    const float *x, *dy;
    int fromX, fromDy; // where the group begins
    int sampleX, sampleDy, W, strideH, strideW, padH, padW;
    unsigned ends; // of the image, packed
    int pixel, k;

    const float *window, *output; // first pixel of the window, and dy there
    unsigned from, past;          // where the window begins, packed for the checks

    __device__ __forceinline__ void find() {
        int sample, i, j;
        pixels.find(pixel, sample, i, j);
        const int h = i * strideH - padH, w = j * strideW - padW;
        output = keep(dy + keep(fromDy + sample * sampleDy + i * pixels.width + j));
        window = keep(x + keep(fromX + sample * sampleX + h * W + w));
        from = pack(h, w) + Halves;
        past = from - ends;
    }

    // sees reports whether a tap that lies apart from there is in the image.
    __device__ __forceinline__ bool sees(unsigned apart) const { return ((from + apart) & ~(past + apart) & Halves) == Halves; }
};

// Outputs loads dy: each piece is another row. Rows past the last read the
// last: they reach only sums that are not stored.
template <class T>
struct Outputs {
    static constexpr int Width = 1, Pieces = T::M * Depth / T::Threads, Row = T::M + 4;
    static_assert(Pieces * T::Threads == T::M * Depth, "threads fill the slice");

    Walk &walk;
    int place;
    unsigned offset[Pieces];

    __device__ __forceinline__ Outputs(Walk &walk, int tile, int rows, int plane) : walk(walk) {
        const int warp = threadIdx.x / 32;
        place = keep(4 * (walk.k * Row + transposed<false>(warp)));
#pragma unroll
        for (int j = 0; j < Pieces; j++)
            offset[j] = keep(min(tile + transposed<false>(j * (T::Threads / 32) + warp), rows - 1) * plane);
    }

    template <bool Sources, class F>
    __device__ __forceinline__ void each(int rest, F f) {
        if (Sources) walk.find();
#pragma unroll
        for (int j = 0; j < Pieces; j++)
            f(j, walk.output + offset[j], walk.k < rest, place + 4 * j * (T::M / Pieces), 4 * Row);
    }

    __device__ __forceinline__ void next() {}
};

// Windows loads patches of x: each piece is another column. It comes after
// Outputs, which finds the pixel, and goes on to the next.
template <class T>
struct Windows {
    static constexpr int Width = 1, Pieces = T::N * Depth / T::Threads, Row = T::N + 4;
    static_assert(Pieces * T::Threads == T::N * Depth, "threads fill the slice");

    Walk &walk;
    int place;
    unsigned offset[Pieces], apart[Pieces]; // tap from window, and packed

    __device__ __forceinline__ Windows(Walk &walk, int tile, int columns, int taps, int S, int H, int W,
                                       int dilationH, int dilationW) : walk(walk) {
        const int warp = threadIdx.x / 32;
        place = keep(4 * (walk.k * Row + Spread<T>::place(transposed<T::Spreads>(warp))));
#pragma unroll
        for (int j = 0; j < Pieces; j++) {
            const int column = min(tile + transposed<T::Spreads>(j * (T::Threads / 32) + warp), columns - 1);
            const int channel = column / taps, tap = column % taps;
            const int down = tap / S * dilationH, right = tap % S * dilationW;
            apart[j] = keep(pack(down, right));
            offset[j] = keep((channel * H + down) * W + right);
        }
    }

    template <bool Sources, class F>
    __device__ __forceinline__ void each(int rest, F f) {
#pragma unroll
        for (int j = 0; j < Pieces; j++)
            f(j, walk.window + offset[j], (walk.k < rest) & walk.sees(apart[j]), place + 4 * j * (T::N / Pieces), 4 * Row);
    }

    __device__ __forceinline__ void next() { walk.pixel += Depth; }
};

// The parameters of a kernel, as conv_filter.go lists them.
#define FILTER_PARAMETERS                                                                   \
    float *dw, const float *__restrict__ x, const float *__restrict__ dy, int rows,         \
        int columns, int depth, int length, int plane, int width, Divisor byPlane,          \
        Divisor byWidth, int sampleX, int groupX, int H, int W, int strideH, int strideW,   \
        int padH, int padW, int taps, int S, int dilationH, int dilationW, int sampleDy,    \
        size_t total, float beta

template <class T>
__device__ __forceinline__ void convFilter(FILTER_PARAMETERS) {
    __shared__ __align__(16) char shared[Product<T>::Shared];

    const int tall = (rows + T::M - 1) / T::M;
    const int row = blockIdx.x % tall * T::M, col = blockIdx.x / tall * T::N;
    const int group = blockIdx.y;
    const int begin = blockIdx.z * length, end = min(begin + length, depth);
    const int k = threadIdx.x % Depth;

    Walk walk = {{plane, width, byPlane, byWidth}, x, dy, group * groupX, group * rows * plane, sampleX, sampleDy, W, strideH, strideW, padH, padW, pack(H, W), begin + k, k};
    Outputs<T> a(walk, row, rows, plane);
    Windows<T> b(walk, col, columns, taps, S, H, W, dilationH, dilationW);
    Product<T> product;
    product.run(shared, a, b, end - begin);

    const Epilogue epilogue(1, beta, 1);
    const int m = row + T::row(), n = col + Spread<T>::column();
    float *const out = dw + blockIdx.z * total + ((size_t)group * rows + m) * columns + n;
#pragma unroll
    for (int j = 0; j < T::ThreadN; j++) {
        if (n + Spread<T>::right(j) >= columns) continue;
#pragma unroll
        for (int i = 0; i < T::ThreadM; i++) {
            if (m + T::down(i) >= rows) continue;
            float *const to = out + (size_t)(T::down(i)) * columns + Spread<T>::right(j);
            *to = product.sum[i][j] + epilogue.added(to);
        }
    }
}

// The second number of the bounds is the blocks that share a multiprocessor: it
// leaves a thread the registers that its sums need, and what waits in others.
#define CONV_FILTER(name, tile, blocks)                                                          \
    extern "C" __global__ void __launch_bounds__(tile::Threads, blocks) name(FILTER_PARAMETERS) { \
        convFilter<tile>(dw, x, dy, rows, columns, depth, length, plane, width, byPlane, byWidth, \
                         sampleX, groupX, H, W, strideH, strideW, padH, padW, taps, S, dilationH, \
                         dilationW, sampleDy, total, beta);                                       \
    }
