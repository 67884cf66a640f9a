// The softmax log-loss, one a sample, and its gradient.
//
//   softmax_loss_forward   softmax and loss in one kernel, a block to a sample:
//                          loss = log(sum of exp(x - max)) - (x[label] - max)
//   softmax_loss_backward  dx = scale (prob - onehot(label)); blocks go over the
//                          classes along x and over the samples along y
//
// A label out of [0,C) gives a NaN loss and a zero gradient.

#include "softmax.cuh"

extern "C" __global__ void __launch_bounds__(RowThreads)
    softmax_loss_forward(float *loss, float *prob, const float *x, const int *label, int C) {
    const int n = blockIdx.x;
    x += (size_t)n * C;
    const float2 s = softmaxRow(prob + (size_t)n * C, x, C);
    if (threadIdx.x == 0) {
        const int right = label[n];
        const bool known = right >= 0 && right < C;
        loss[n] = known ? logf(s.y) - (x[right] - s.x) : NAN;
    }
}

extern "C" __global__ void __launch_bounds__(RowThreads)
    softmax_loss_backward(float *dx, const float *prob, const int *label, int N, int C, float scale,
                      int accumulate) {
    const int c = blockIdx.x * RowThreads + threadIdx.x;
    if (c >= C) return;
#pragma unroll 1
    for (int n = blockIdx.y; n < N; n += gridDim.y) {
        const int right = label[n];
        const size_t i = (size_t)n * C + c;
        float d = 0;
        if (right >= 0 && right < C) d = scale * (prob[i] - (c == right));
        dx[i] = accumulate ? dx[i] + d : d;
    }
}
