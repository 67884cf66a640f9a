// The end of a product that was split along its sum: partial sums are added in
// the order of the parts, whatever the order in which they were made.

#include "epilogue.cuh"

// sum_partials makes y [n] of parts [splits][n]. Element i belongs to channel
// i / inner % channels of bias, which may be null.
extern "C" __global__ void __launch_bounds__(256)
    sum_partials(float *y, const float *__restrict__ parts, const float *__restrict__ bias,
                 int n, int splits, int inner, int channels, float alpha, float beta, float slope) {
    const int i = blockIdx.x * 256 + threadIdx.x;
    if (i >= n) return;
    float sum = parts[i];
    int s = 1; // there are two parts at least
    do sum += parts[(size_t)s * n + i];
    while (++s < splits);
    const Epilogue epilogue(alpha, beta, slope);
    y[i] = epilogue(sum, epilogue.old(y + i), bias ? bias[i / inner % channels] : 0);
}
