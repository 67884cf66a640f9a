// concat copies rows of one length between matrices whose rows lie toStride
// and fromStride apart, or adds them: a sample into its place in a longer one,
// or back. Blocks go over the columns along x and over the rows along y.

#include "vector.cuh"

extern "C" __global__ void __launch_bounds__(ElementThreads)
    concat(float *to, const float *from, int rows, size_t length, size_t toStride,
           size_t fromStride, int accumulate) {
    const size_t i = first();
    if (i >= length) return;
    const bool vector = aligned(to) && aligned(from) && toStride % 4 == 0 && fromStride % 4 == 0;
#pragma unroll 1
    for (int r = blockIdx.y; r < rows; r += gridDim.y) {
        const float4 v = load4(from + r * fromStride, i, length, vector);
        put4(to + r * toStride, i, length, vector, v, accumulate);
    }
}
