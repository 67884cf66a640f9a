// The convolutions of conv.cuh in float32.

#include "conv.cuh"

using Large = Tile<128, 128, 8, 8>;
using Tall = Tile<96, 128, 12, 8>;
using Medium = Tile<64, 64, 8, 8>;
using Low = Tile<48, 128, 12, 4>;
using Flat = Tile<32, 64, 8, 4>;
static_assert(Large::Threads == 256 && Tall::Threads == 128 && Medium::Threads == 64 && Flat::Threads == 64 &&
              Low::Threads == 128, "as conv.go launches them");

CONV(conv_128x128_channels, Large, 2, Channels)
CONV(conv_96x128_channels, Tall, 3, Channels)
CONV(conv_64x64_channels, Medium, 6, Channels)
CONV(conv_32x64_channels, Flat, 10, Channels)
CONV(conv_48x128_channels, Low, 4, Channels)
CONV(conv_96x128_taps, Tall, 3, Taps)
CONV(conv_64x64_taps, Medium, 6, Taps)
CONV(conv_32x64_taps, Flat, 10, Taps)
CONV(conv_96x128_inside, Tall, 3, Inside)
