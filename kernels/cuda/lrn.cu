// Local response normalisation across channels, and its gradient.
//
//   scale = k + a * sum of x² over the channels around
//   y     = x * scale^-beta
//   dx_i  = dy_i scale_i^-beta - 2 a beta x_i * sum of dy_j x_j scale_j^(-beta-1)
//
//   lrn_{forward,backward}    any window, any beta
//   lrn_{forward,backward}_5  five channels and beta 3/4, as in AlexNet: a
//                             thread goes along the channels with the window
//                             in registers, so that every value is read once,
//                             and the power takes two roots
//
// A thread has one position and Channels channels of one sample. Blocks go
// over the positions along x and over samples and groups of channels along y.
// The sum of a window is taken afresh for every channel: a running sum would
// carry the rounding of large values into small ones. Its terms are a x², since the
// sum of x² may overflow where scale does not. A scale that does is infinite, its
// power 0, and no other factor of a product is infinite before x is.

constexpr int Threads = 128;
constexpr int Channels = 32;

// The window's halo is read twice: 4 channels for every Channels.
static_assert(Channels >= 8 * 4, "a halo of five channels costs at most an eighth");

// power34 is s^-3/4 for s > 0.
__device__ __forceinline__ float power34(float s) {
    const float root = rsqrtf(s);
    return root * sqrtf(root);
}

// power is s^e for s > 0, with a relative error of some 2^-22 (1 + |e log2 s|);
// 1 for an e of 0, of an infinite s too.
__device__ __forceinline__ float power(float s, float e) {
    return e == 0 ? 1 : exp2f(e * __log2f(s));
}

// scale may be absent. half is (window - 1) / 2, at most C - 1.
extern "C" __global__ void __launch_bounds__(Threads)
    lrn_forward(float *y, float *scale, const float *x, int N, int C, int plane, int half, float a,
                float beta, float k) {
    const int p = blockIdx.x * Threads + threadIdx.x;
    if (p >= plane) return;
    const int groups = (C + Channels - 1) / Channels;
    for (int g = blockIdx.y; g < N * groups; g += gridDim.y) {
        const size_t image = (size_t)(g / groups) * C * plane + p;
        const int begin = g % groups * Channels, end = min(begin + Channels, C);
#pragma unroll 1
        for (int c = begin; c < end; c++) {
            float sum = 0;
#pragma unroll 1
            for (int j = max(c - half, 0); j <= min(c + half, C - 1); j++) {
                const float v = x[image + (size_t)j * plane];
                sum += a * v * v;
            }
            const size_t i = image + (size_t)c * plane;
            const float s = k + sum;
            if (scale) scale[i] = s;
            y[i] = x[i] * power(s, -beta);
        }
    }
}

extern "C" __global__ void __launch_bounds__(Threads)
    lrn_backward(float *dx, const float *x, const float *scale, const float *dy, int N, int C,
                 int plane, int half, float a, float beta, int accumulate) {
    const int p = blockIdx.x * Threads + threadIdx.x;
    if (p >= plane) return;
    const int groups = (C + Channels - 1) / Channels;
    for (int g = blockIdx.y; g < N * groups; g += gridDim.y) {
        const size_t image = (size_t)(g / groups) * C * plane + p;
        const int begin = g % groups * Channels, end = min(begin + Channels, C);
#pragma unroll 1
        for (int c = begin; c < end; c++) {
            float sum = 0;
#pragma unroll 1
            for (int j = max(c - half, 0); j <= min(c + half, C - 1); j++) {
                const size_t i = image + (size_t)j * plane;
                sum += dy[i] * power(scale[i], -beta) * (x[i] / scale[i]);
            }
            const size_t i = image + (size_t)c * plane;
            const float d = dy[i] * power(scale[i], -beta) - 2 * a * beta * (x[i] * sum);
            dx[i] = accumulate ? dx[i] + d : d;
        }
    }
}

extern "C" __global__ void __launch_bounds__(Threads)
    lrn_forward_5(float *y, float *scale, const float *x, int N, int C, int plane, float a, float k) {
    const int p = blockIdx.x * Threads + threadIdx.x;
    if (p >= plane) return;
    const int groups = (C + Channels - 1) / Channels;
    for (int g = blockIdx.y; g < N * groups; g += gridDim.y) {
        const size_t image = (size_t)(g / groups) * C * plane + p;
        const int begin = g % groups * Channels, end = min(begin + Channels, C);
        float v[5];  // channels c-2 to c+2; 0 where there is none
#pragma unroll
        for (int j = 1; j < 5; j++) {
            const int c = begin - 3 + j;
            v[j] = c >= 0 && c < C ? x[image + (size_t)c * plane] : 0;
        }
#pragma unroll 4
        for (int c = begin; c < end; c++) {
#pragma unroll
            for (int j = 0; j < 4; j++) v[j] = v[j + 1];
            v[4] = c + 2 < C ? x[image + (size_t)(c + 2) * plane] : 0;
            float sum = 0;
#pragma unroll
            for (int j = 0; j < 5; j++) sum += a * v[j] * v[j];
            const size_t i = image + (size_t)c * plane;
            const float s = k + sum;
            if (scale) scale[i] = s;
            y[i] = v[2] * power34(s);
        }
    }
}

extern "C" __global__ void __launch_bounds__(Threads)
    lrn_backward_5(float *dx, const float *x, const float *scale, const float *dy, int N, int C,
                   int plane, float a, int accumulate) {
    const int p = blockIdx.x * Threads + threadIdx.x;
    if (p >= plane) return;
    const int groups = (C + Channels - 1) / Channels;
    for (int g = blockIdx.y; g < N * groups; g += gridDim.y) {
        const size_t image = (size_t)(g / groups) * C * plane + p;
        const int begin = g % groups * Channels, end = min(begin + Channels, C);
        float term[5] = {};             // dy x scale^-7/4 of channels c-2 to c+2
        float main[3] = {}, in[3] = {}; // dy scale^-3/4 and x of channels c to c+2
#pragma unroll 1
        for (int ahead = begin - 2; ahead < end + 2; ahead++) {
#pragma unroll
            for (int j = 0; j < 4; j++) term[j] = term[j + 1];
#pragma unroll
            for (int j = 0; j < 2; j++) main[j] = main[j + 1], in[j] = in[j + 1];
            term[4] = main[2] = in[2] = 0;
            if (ahead >= 0 && ahead < C) {
                const size_t i = image + (size_t)ahead * plane;
                const float s = scale[i];
                in[2] = x[i];
                main[2] = dy[i] * power34(s);
                term[4] = main[2] * in[2] / s;
            }
            const int c = ahead - 2;
            if (c < begin) continue;
            float sum = 0;
#pragma unroll
            for (int j = 0; j < 5; j++) sum += term[j];
            const size_t i = image + (size_t)c * plane;
            const float d = main[0] - 1.5f * a * (in[0] * sum);
            dx[i] = accumulate ? dx[i] + d : d;
        }
    }
}
