// Losses, one a sample, and their gradients.
//
//   log_loss_forward   softmax and loss in one kernel, a block to a sample:
//                      loss = log(sum of exp(x - max)) - (x[label] - max)
//   log_loss_backward  dx = scale (prob - onehot(label)); blocks go over the
//                      classes along x and over the samples along y
//   l2_loss_forward    half the sum of (x - target)², a block to a sample
//   l2_loss_backward   dx = scale (x - target)
//
// A label out of [0,C) gives a NaN loss and a zero gradient.

#include "softmax.cuh"
#include "vector.cuh"

extern "C" __global__ void __launch_bounds__(RowThreads)
    log_loss_forward(float *loss, float *prob, const float *x, const int *label, int C) {
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
    log_loss_backward(float *dx, const float *prob, const int *label, int N, int C, float scale,
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

extern "C" __global__ void __launch_bounds__(RowThreads)
    l2_loss_forward(float *loss, const float *x, const float *target, size_t elems) {
    const size_t row = blockIdx.x * elems;
    x += row, target += row;
    float sum = 0;
#pragma unroll 1
    for (size_t i = threadIdx.x; i < elems; i += RowThreads) {
        const float d = x[i] - target[i];
        sum += d * d;
    }
    sum = reduce<Sum, RowThreads>(sum);
    if (threadIdx.x == 0) loss[blockIdx.x] = sum / 2;
}

extern "C" __global__ void __launch_bounds__(ElementThreads)
    l2_loss_backward(float *dx, const float *x, const float *target, size_t n, float scale,
                     int accumulate) {
    const size_t i = first();
    if (i >= n) return;
    const bool vector = aligned(dx) && aligned(x) && aligned(target);
    const float4 u = load4(x, i, n, vector), v = load4(target, i, n, vector);
    put4(dx, i, n, vector, make_float4(scale * (u.x - v.x), scale * (u.y - v.y),
                                       scale * (u.z - v.z), scale * (u.w - v.w)),
         accumulate);
}
