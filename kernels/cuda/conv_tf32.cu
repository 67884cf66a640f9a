// The convolutions of conv.cuh in TF32.

#include "conv.cuh"
#include "tensor.cuh"

using Large = TensorTile<128, 128, 64, 64>;
using Tall = TensorTile<96, 128, 48, 64>;
using Medium = TensorTile<64, 64, 64, 32>;
using Flat = TensorTile<32, 64, 32, 32>;
static_assert(Large::Threads == 128 && Tall::Threads == 128 && Medium::Threads == 64 && Flat::Threads == 64,
              "as conv.go launches them");

CONV(conv_tf32_128x128_channels, Large, 2, Channels)
CONV(conv_tf32_96x128_channels, Tall, 2, Channels)
CONV(conv_tf32_64x64_channels, Medium, 6, Channels)
CONV(conv_tf32_32x64_channels, Flat, 10, Channels)
CONV(conv_tf32_96x128_taps, Tall, 2, Taps)
CONV(conv_tf32_64x64_taps, Medium, 6, Taps)
CONV(conv_tf32_32x64_taps, Flat, 10, Taps)
CONV(conv_tf32_96x128_inside, Tall, 2, Inside)
