// What all matrix products share: a block makes a tile of C = A B, Depth of the
// sum at a time. Slices of A and B go through shared memory, [Depth][M] and
// [Depth][N]; each thread multiplies ThreadM x ThreadN of the tile in registers
// while the next slices are on their way.
//
//   sm_70   two buffers: the next slice waits in registers while the present
//           one is multiplied.
//   sm_80   three buffers: cp.async copies straight into shared memory, two
//           slices ahead, without registers. tensor.cuh has a tile that takes
//           four.
//
// An operand's loader says how a thread's pieces of a slice are found:
//
//   Pieces, Width   a thread moves Pieces times Width neighbouring floats
//   each<Sources>(rest, f)
//                   calls f(j, source, inside, target, step) for every piece:
//                   from where, zero if not inside, and to which bytes of the
//                   slice, step apart; rest is what is left of the sum's depth.
//                   Without Sources, the first two are not looked for
//   next()          goes on to the next slice
//
// What a thread needs in every slice is computed once and kept: without keep()
// the compiler makes addresses anew from threadIdx in every slice, for which it
// has no register to spare, but instructions that multiply nothing.

#pragma once

#include "epilogue.cuh"

constexpr int Depth = 8;

#if __CUDA_ARCH__ >= 800
constexpr bool Asynchronous = true;
#else
constexpr bool Asynchronous = false;
#endif

// Slices are read by their addresses in shared memory: from a pointer, the compiler
// for sm_90 finds out anew in every slice where a block's shared memory begins.

// fragment reads n floats of a thread from a row of a slice, in groups of four
// that lie apart from each other.
template <int n>
__device__ __forceinline__ void fragment(float v[n], unsigned row, int apart) {
#pragma unroll
    for (int i = 0; i < n; i += 4)
        asm volatile("ld.shared.v4.f32 {%0, %1, %2, %3}, [%4];"
                     : "=f"(v[i]), "=f"(v[i + 1]), "=f"(v[i + 2]), "=f"(v[i + 3]) : "r"(row + i * apart) : "memory");
}

// Tile is an M x N tile made by ThreadM x ThreadN in each thread. The lanes of
// a warp lie 4 by 8, each with groups of four neighbouring rows and columns, so
// that a warp reads few distinct addresses of shared memory, 16 bytes of each.
template <int M_, int N_, int ThreadM_, int ThreadN_>
struct Tile {
    static constexpr int M = M_, N = N_, ThreadM = ThreadM_, ThreadN = ThreadN_;
    static constexpr int WarpM = 4 * ThreadM, WarpN = 8 * ThreadN;
    static constexpr int WarpsN = N / WarpN;
    static constexpr int Threads = 32 * (M / WarpM) * WarpsN;
    static constexpr int Stages = Asynchronous ? 3 : 2;
    static constexpr int Neighbours = 4; // columns that a thread has side by side
    static constexpr bool Spreads = true;
    // Pieces of a row that a loader copies float by float: an address less to work
    // out for each two, and a sector is asked for twice, by halves.
    static constexpr int Along = 2;

    // A row of a slice is padded by 4 floats: rows stay aligned for float4, and
    // stores that transpose, 8 rows by 4 columns of a warp, fall on 32 banks. Rows
    // of A that are no multiple of 32, which nothing transposes, are not: a warp
    // stores several, and finds 32 banks where they lie one after the other.
    static constexpr int RowA = M % 32 == 0 ? M + 4 : M, RowB = N + 4;

    static_assert(M % WarpM == 0 && N % WarpN == 0, "warps fill the tile");
    static_assert(ThreadM % 4 == 0 && ThreadN % 4 == 0, "fragments are read as float4");
    static_assert(M % 4 == 0 && N % 32 == 0, "rows are aligned for float4");

    // row and column of a thread's first element. Neighbouring lanes share one
    // or the other.
    static __device__ __forceinline__ int row() {
        const int lane = threadIdx.x % 32;
        return threadIdx.x / 32 / WarpsN * WarpM + (lane / 16 * 2 + lane % 2) * 4;
    }
    static __device__ __forceinline__ int column() {
        return threadIdx.x / 32 % WarpsN * WarpN + threadIdx.x / 2 % 8 * 4;
    }

    // down and right are where element i or j lies from there: groups of four,
    // 16 rows or 32 columns apart.
    static constexpr __device__ int down(int i) { return i / 4 * 16 + i % 4; }
    static constexpr __device__ int right(int j) { return j / 4 * 32 + j % 4; }

    // fromA and fromB are where a thread begins to read its fragments of slices.
    static __device__ __forceinline__ int fromA() { return row(); }
    static __device__ __forceinline__ int fromB() { return column(); }

    // multiply adds the product of two slices, read from there.
    static __device__ __forceinline__ void multiply(float sum[ThreadM][ThreadN], unsigned a, unsigned b) {
#pragma unroll
        for (int k = 0; k < Depth; k++) {
            float fa[ThreadM], fb[ThreadN];
            fragment<ThreadM>(fa, a + 4 * k * RowA, 16);
            fragment<ThreadN>(fb, b + 4 * k * RowB, 32);
#pragma unroll
            for (int i = 0; i < ThreadM; i++)
#pragma unroll
                for (int j = 0; j < ThreadN; j++) sum[i][j] += fa[i] * fb[j];
        }
    }
};

// Columns of B that are not stored four at a time are spread in their slice: of
// 32 columns, those that element j of all lanes stand for are neighbours in C,
// so that a warp stores 32 bytes at once. place is where column c of the tile
// lies, column the one at a thread's first place, and right the distance from
// there to the column of element j. A tile without Spreads has such neighbours
// as it is.
template <class T>
struct Spread {
    static __device__ __forceinline__ int place(int c) { return T::Spreads ? c / 32 * 32 + c % 8 * 4 + c / 8 % 4 : c; }
    static __device__ __forceinline__ int column() {
        const int place = T::column();
        return T::Spreads ? place / 32 * 32 + place / 4 % 8 : place;
    }
    static constexpr __device__ int right(int j) { return T::Spreads ? j / 4 * 32 + j % 4 * 8 : T::right(j); }
};

// transposed is the row or column, of the tile, that a thread moves from an
// operand with k contiguous: group q of 4 for each warp, 8 threads along k each.
// With Spreads they are chosen so that their places are neighbours.
template <bool Spreads>
__device__ __forceinline__ int transposed(int q) {
    const int i = threadIdx.x / Depth % 4;
    return Spreads ? q / 8 * 32 + q % 8 + i * 8 : q * 4 + i;
}

#if __CUDA_ARCH__ >= 800

// copy starts a copy of Floats neighbouring floats, or of zeroes.
template <int Floats>
__device__ __forceinline__ void copy(unsigned to, const float *from, bool inside) {
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;"
                 :: "r"(to), "l"(from), "n"(4 * Floats), "r"(inside ? 4 * Floats : 0) : "memory");
}

template <class Loader>
__device__ __forceinline__ void fetch(unsigned slice, Loader &loader, int rest) {
    loader.template each<true>(rest, [&](int, const float *source, bool inside, int target, int) {
        copy<Loader::Width>(slice + target, source, inside);
    });
    loader.next();
}

__device__ __forceinline__ void commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }

// arrived waits for all but the last Stages-2 groups of copies.
template <int Stages>
__device__ __forceinline__ void arrived() { asm volatile("cp.async.wait_group %0;" :: "n"(Stages - 2) : "memory"); }

#else

// Waiting is a thread's part of a slice on its way to shared memory.
template <class Loader>
struct Waiting {
    float v[Loader::Pieces][Loader::Width];

    __device__ __forceinline__ void fetch(Loader &loader, int rest) {
        loader.template each<true>(rest, [&](int j, const float *source, bool inside, int, int) {
            if (Loader::Width == 4) {
                float4 f = make_float4(0, 0, 0, 0);
                if (inside) f = __ldg(reinterpret_cast<const float4 *>(source));
                v[j][0] = f.x, v[j][1] = f.y, v[j][2] = f.z, v[j][3] = f.w;
            } else {
                v[j][0] = inside ? __ldg(source) : 0;
            }
        });
        loader.next();
    }

    __device__ __forceinline__ void store(char *slice, Loader &loader) {
        loader.template each<false>(0, [&](int j, const float *, bool, int target, int step) {
            if (Loader::Width == 4 && step == 4) {
                *reinterpret_cast<float4 *>(slice + target) = make_float4(v[j][0], v[j][1], v[j][2], v[j][3]);
            } else {
#pragma unroll
                for (int e = 0; e < Loader::Width; e++) *reinterpret_cast<float *>(slice + target + e * step) = v[j][e];
            }
        });
    }
};

#endif

// Product is the sums of a thread and the slices of its block.
template <class T>
struct Product {
    static constexpr int SliceA = 4 * Depth * T::RowA, Slices = SliceA + 4 * Depth * T::RowB; // bytes
    static constexpr int Stages = T::Stages, Shared = Stages * Slices;

    float sum[T::ThreadM][T::ThreadN];

    // run sums over depth. shared has Shared bytes.
    template <class A, class B>
    __device__ __forceinline__ void run(char *shared, A &a, B &b, int depth) {
        const unsigned start = keep((unsigned)__cvta_generic_to_shared(shared));
        const unsigned fromA = keep(start + 4 * T::fromA()), fromB = keep(start + SliceA + 4 * T::fromB());
#pragma unroll
        for (int i = 0; i < T::ThreadM; i++)
#pragma unroll
            for (int j = 0; j < T::ThreadN; j++) sum[i][j] = 0;
#if __CUDA_ARCH__ >= 800
#pragma unroll
        for (int s = 0; s < Stages - 1; s++) {
            if (s * Depth < depth) {
                fetch(start + s * Slices, a, depth - s * Depth);
                fetch(start + s * Slices + SliceA, b, depth - s * Depth);
            }
            commit();
        }
        int now = 0, next = (Stages - 1) * Slices;
        for (int ahead = depth - (Stages - 1) * Depth; ahead > -(Stages - 1) * Depth; ahead -= Depth) {
            arrived<Stages>();
            __syncthreads();
            // Every thread has multiplied the slices that were there before.
            if (ahead > 0) {
                fetch(start + next, a, ahead);
                fetch(start + next + SliceA, b, ahead);
            }
            commit();
            T::multiply(sum, fromA + now, fromB + now);
            next = now;
            now += Slices;
            if (now == Shared) now = 0;
        }
#else
        Waiting<A> nextA;
        Waiting<B> nextB;
        if (depth > 0) {
            nextA.fetch(a, depth);
            nextB.fetch(b, depth);
            nextA.store(shared, a);
            nextB.store(shared + SliceA, b);
        }
        __syncthreads();
        int now = 0;
        for (int rest = depth - Depth; rest > -Depth; rest -= Depth) {
            if (rest > 0) {
                nextA.fetch(a, rest);
                nextB.fetch(b, rest);
            }
            T::multiply(sum, fromA + now, fromB + now);
            if (rest > 0) {
                // The other buffer was last read before the previous barrier.
                now = Slices - now;
                nextA.store(shared + now, a);
                nextB.store(shared + now + SliceA, b);
                __syncthreads();
            }
        }
#endif
    }
};
