// Gradient of a convolution's biases.

#include "reduce.cuh"

// conv_bias sums dy [samples, channels, plane] for each channel: a block makes
// one, its warps sample after sample.
extern "C" __global__ void __launch_bounds__(256)
    conv_bias(float *dbias, const float *__restrict__ dy, int samples, int channels, int plane, float beta) {
    const int channel = blockIdx.x, warp = threadIdx.x / 32;
    float sum = 0;
    for (int n = warp; n < samples; n += 8) {
        const float *p = dy + ((size_t)n * channels + channel) * plane;
        for (int i = threadIdx.x % 32; i < plane; i += 32) sum += p[i];
    }
    sum = reduce<Sum, 256>(sum);
    if (threadIdx.x == 0) dbias[channel] = sum + (beta != 0 ? beta * dbias[channel] : 0);
}
