// The matrix products of gemm.cuh in float32.

#include "gemm.cuh"

using Large = Tile<128, 128, 8, 8>;
using Medium = Tile<64, 64, 8, 8>;
using Small = Tile<32, 32, 4, 4>;
static_assert(Large::Threads == 256 && Medium::Threads == 64 && Small::Threads == 64, "as gemm.go launches them");

SGEMM(sgemm_128x128_nn, Large, 2, false, false, true)
SGEMM(sgemm_128x128_nt, Large, 2, false, true, true)
SGEMM(sgemm_128x128_tn, Large, 2, true, false, true)
SGEMM(sgemm_128x128_tt, Large, 2, true, true, true)
SGEMM(sgemm_64x64_nn, Medium, 6, false, false, false)
SGEMM(sgemm_64x64_nt, Medium, 6, false, true, false)
SGEMM(sgemm_64x64_tn, Medium, 6, true, false, false)
SGEMM(sgemm_64x64_tt, Medium, 6, true, true, false)
SGEMM(sgemm_32x32_nn, Small, 16, false, false, false)
SGEMM(sgemm_32x32_nt, Small, 16, false, true, false)
SGEMM(sgemm_32x32_tn, Small, 16, true, false, false)
SGEMM(sgemm_32x32_tt, Small, 16, true, true, false)
