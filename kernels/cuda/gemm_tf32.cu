// The matrix products of gemm.cuh in TF32.

#include "gemm.cuh"
#include "tensor.cuh"

using Large = TensorTile<128, 128, 64, 64>;
using Medium = TensorTile<64, 64, 64, 32>;
using Small = TensorTile<32, 32, 16, 32>;
static_assert(Large::Threads == 128 && Medium::Threads == 64 && Small::Threads == 64, "as gemm.go launches them");

SGEMM(sgemm_tf32_128x128_nn, Large, 2, false, false, true)
SGEMM(sgemm_tf32_128x128_nt, Large, 2, false, true, true)
SGEMM(sgemm_tf32_128x128_tn, Large, 2, true, false, true)
SGEMM(sgemm_tf32_128x128_tt, Large, 2, true, true, true)
SGEMM(sgemm_tf32_64x64_nn, Medium, 7, false, false, false)
SGEMM(sgemm_tf32_64x64_nt, Medium, 7, false, true, false)
SGEMM(sgemm_tf32_64x64_tn, Medium, 7, true, false, false)
SGEMM(sgemm_tf32_64x64_tt, Medium, 7, true, true, false)
SGEMM(sgemm_tf32_32x32_nn, Small, 16, false, false, false)
SGEMM(sgemm_tf32_32x32_nt, Small, 16, false, true, false)
SGEMM(sgemm_tf32_32x32_tn, Small, 16, true, false, false)
SGEMM(sgemm_tf32_32x32_tt, Small, 16, true, true, false)
