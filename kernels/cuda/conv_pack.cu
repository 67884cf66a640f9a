// What the convolutions of conv.cuh read: packed weights, and where taps lie.

#include "tile.cuh"

// conv_pack writes the weights w of a product, and its table of taps. Row k of
// the packed weights is channel c and tap t of the product:
//
//   byChannels   k = (c / 8 taps + t) 8 + c % 8
//   else         k = c taps + t
//
// Tap t lies at row tapH + t / across stepTapH of the filter, and column
// likewise; in the input, at row t / across stepH from the window's first. A
// step of a row of the product is rowStep in w, one of a channel channelStep.
extern "C" __global__ void __launch_bounds__(256)
    conv_pack(float *packed, int4 *table, const float *__restrict__ w, int rows, int padded, int channels, int taps,
              int across, int byChannels, int S, int group, int rowStep, int channelStep, int tapH, int tapW,
              int stepTapH, int stepTapW, int stepH, int stepW, int plane, int W) {
    const int depth = (channels * taps + Depth - 1) / Depth * Depth;
    const int at = blockIdx.x * 256 + threadIdx.x; // conv.go allows no more
    if (at >= depth * padded) return;
    const int i = at % padded, k = at / padded;
    const int slice = k / Depth;
    const int channel = byChannels ? slice / taps * Depth + k % Depth : k / taps;
    const int tap = byChannels ? slice % taps : k % taps;
    const int down = tap / across, right = tap % across;
    float v = 0;
    if (i < rows && channel < channels)
        v = w[(size_t)blockIdx.y * group + (size_t)i * rowStep + (size_t)channel * channelStep +
              (tapH + down * stepTapH) * S + tapW + right * stepTapW];
    packed[(size_t)blockIdx.y * depth * padded + at] = v;
    if (blockIdx.y == 0 && i == 0 && (!byChannels || k % Depth == 0)) {
        // No window sees what pads the depth.
        table[byChannels ? slice : k] = channel < channels
            ? make_int4(channel * plane + down * stepH * W + right * stepW, down * stepH, right * stepW, 0)
            : make_int4(-1, -(1 << 30), 0, 0);
    }
}
