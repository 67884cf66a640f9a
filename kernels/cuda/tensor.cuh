// A tile whose products tensor cores make, of numbers rounded to TF32, with sums
// in float32. Loaders and epilogues are those of tile.cuh.
//
// A warp multiplies with mma.m16n8k8, whose 16 rows are columns of the tile and
// whose 8 columns are rows of it, so that a group of lanes has neighbouring
// columns of C. Which k of a slice stands for which of the instruction's is free:
// thread t of a group takes rows 2t and 2t+1 of a slice for k = t and t+4. Rows
// are 4 words longer than a multiple of 32, so threads read 8 banks apart, the 8
// groups neighbouring ones, and none clash.

#pragma once

#include "tile.cuh"

// toTF32 rounds to nearest, halves away from zero: mma cuts the low 13 bits off.
// It is what cvt.rna.tf32 computes, in two instructions for ptxas's six. A NaN
// keeps its bits, where a carry could make a zero of it; one that has none but
// the low 13, which no arithmetic makes, is an infinity to mma.
__device__ __forceinline__ unsigned toTF32(float v) {
    unsigned r = __float_as_uint(v);
    asm("{ .reg .pred number; setp.eq.f32 number, %1, %1; @number add.s32 %0, %0, 0x1000; }" : "+r"(r) : "f"(v));
    return r;
}

// TensorTile is an M x N tile of warps that make WarpM x WarpN each.
template <int M_, int N_, int WarpM, int WarpN>
struct TensorTile {
    static constexpr int M = M_, N = N_, ThreadM = WarpM / 4, ThreadN = WarpN / 8;
    static constexpr int WarpsN = N / WarpN;
    static constexpr int Threads = 32 * (M / WarpM) * WarpsN;
    static constexpr int Stages = 4; // a slice takes less time than in float32, one from memory as long
    static constexpr int Neighbours = 1;
    static constexpr bool Spreads = false;
    static constexpr int Along = 1; // shared memory and the cache limit it, not instructions
    static constexpr int RowA = M + 4, RowB = N + 4;

    static_assert(M % WarpM == 0 && N % WarpN == 0, "warps fill the tile");
    static_assert(WarpM % 8 == 0 && WarpN % 16 == 0, "instructions fill a warp's part");
    static_assert(M % 32 == 0 && N % 32 == 0, "threads of a group read 8 banks apart");
    static_assert(Depth == 8, "a slice is one instruction deep");

    static __device__ __forceinline__ int group() { return threadIdx.x / 4 % 8; }
    static __device__ __forceinline__ int member() { return threadIdx.x % 4; }
    static __device__ __forceinline__ int warpRow() { return threadIdx.x / 32 / WarpsN * WarpM; }
    static __device__ __forceinline__ int warpColumn() { return threadIdx.x / 32 % WarpsN * WarpN; }

    // The sums of a thread are those of the manual's c0 to c3: two rows, and
    // columns 8 apart.
    static __device__ __forceinline__ int row() { return warpRow() + 2 * member(); }
    static __device__ __forceinline__ int column() { return warpColumn() + group(); }
    static constexpr __device__ int down(int i) { return i / 2 * 8 + i % 2; }
    static constexpr __device__ int right(int j) { return j * 8; }

    static __device__ __forceinline__ int fromA() { return 2 * member() * RowA + warpRow() + group(); }
    static __device__ __forceinline__ int fromB() { return 2 * member() * RowB + warpColumn() + group(); }

    // read rounds n numbers, 8 apart, of each of the two rows of a slice.
    template <int n, int Row>
    static __device__ __forceinline__ void read(unsigned v[2][n], unsigned from) {
#pragma unroll
        for (int k = 0; k < 2; k++)
#pragma unroll
            for (int i = 0; i < n; i++) {
                float f;
                asm volatile("ld.shared.f32 %0, [%1];" : "=f"(f) : "r"(from + 4 * (k * Row + 8 * i)) : "memory");
                v[k][i] = toTF32(f);
            }
    }

    static __device__ __forceinline__ void multiply(float sum[ThreadM][ThreadN], unsigned a, unsigned b) {
        unsigned rows[2][ThreadM / 2], columns[2][ThreadN];
        read<ThreadM / 2, RowA>(rows, a);
        read<ThreadN, RowB>(columns, b);
#pragma unroll
        for (int i = 0; i < ThreadM; i += 2)
#pragma unroll
            for (int j = 0; j < ThreadN; j += 2)
                asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 "
                    "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                    : "+f"(sum[i][j]), "+f"(sum[i + 1][j]), "+f"(sum[i][j + 1]), "+f"(sum[i + 1][j + 1])
                    : "r"(columns[0][j]), "r"(columns[0][j + 1]), "r"(columns[1][j]), "r"(columns[1][j + 1]),
                      "r"(rows[0][i / 2]), "r"(rows[1][i / 2]));
    }
};
