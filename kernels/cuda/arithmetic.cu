// Element-wise arithmetic. y may be an operand.
//
//   add    y = a + b
//   scale  y = alpha x, or y += alpha x

#include "vector.cuh"

extern "C" __global__ void __launch_bounds__(ElementThreads)
    add(float *y, const float *a, const float *b, size_t n) {
    const size_t i = first();
    if (i >= n) return;
    const bool vector = aligned(y) && aligned(a) && aligned(b);
    const float4 u = load4(a, i, n, vector), v = load4(b, i, n, vector);
    store4(y, i, n, vector, make_float4(u.x + v.x, u.y + v.y, u.z + v.z, u.w + v.w));
}

extern "C" __global__ void __launch_bounds__(ElementThreads)
    scale(float *y, const float *x, size_t n, float alpha, int accumulate) {
    const size_t i = first();
    if (i >= n) return;
    const bool vector = aligned(y) && aligned(x);
    const float4 v = load4(x, i, n, vector);
    put4(y, i, n, vector, make_float4(alpha * v.x, alpha * v.y, alpha * v.z, alpha * v.w), accumulate);
}
