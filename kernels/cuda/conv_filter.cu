// The gradients of weights of conv_filter.cuh in float32.

#include "conv_filter.cuh"

using Large = Tile<128, 128, 8, 8>;
using Tall = Tile<96, 128, 12, 8>;
using Medium = Tile<64, 64, 8, 8>;
using Small = Tile<32, 32, 4, 4>;
static_assert(Large::Threads == 256 && Tall::Threads == 128 && Medium::Threads == 64 && Small::Threads == 64,
              "as conv_filter.go launches them");

CONV_FILTER(conv_filter_128x128, Large, 2)
CONV_FILTER(conv_filter_96x128, Tall, Asynchronous ? 3 : 2)
CONV_FILTER(conv_filter_64x64, Medium, 6)
CONV_FILTER(conv_filter_32x32, Small, 12)
