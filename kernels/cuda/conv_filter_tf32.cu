// The gradients of weights of conv_filter.cuh in TF32.

#include "conv_filter.cuh"
#include "tensor.cuh"

using Large = TensorTile<128, 128, 64, 64>;
using Tall = TensorTile<96, 128, 48, 64>;
using Medium = TensorTile<64, 64, 64, 32>;
using Small = TensorTile<32, 32, 16, 32>;
static_assert(Large::Threads == 128 && Tall::Threads == 128 && Medium::Threads == 64 && Small::Threads == 64,
              "as conv_filter.go launches them");

CONV_FILTER(conv_filter_tf32_128x128, Large, 2)
CONV_FILTER(conv_filter_tf32_96x128, Tall, 2)
CONV_FILTER(conv_filter_tf32_64x64, Medium, 6)
CONV_FILTER(conv_filter_tf32_32x32, Small, 12)
