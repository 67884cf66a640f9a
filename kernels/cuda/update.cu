// The update of weights, and the norm of the gradients.
//
//   sgd          every segment of the slabs in one launch: a block finds its
//                segment by bisection, and updates BlockElements of it
//   sum_squares  each block adds the squares of a fixed part of x
//   sum_parts    one block adds those sums: always in the same order

#include "reduce.cuh"
#include "vector.cuh"

constexpr int Rounds = 4;
constexpr int BlockElements = Rounds * 4 * ElementThreads;

// Segment is one parameter: its place in the slabs and its multipliers. The
// launcher has the same struct.
struct Segment {
    long long weight, grad, length;
    float rate, decay;
    int block;  // the first that works on it
    int unused;
};

static_assert(sizeof(Segment) == 40, "as in update.go");

struct Step {
    float rate, momentum, decay, clip;
    bool nesterov;

    __device__ __forceinline__ void operator()(float &w, float &v, float dw) const {
        const float g = dw * clip + decay * w;
        const float old = v;
        v = momentum * old - rate * g;
        // (1 + momentum) v' - momentum v, or v'
        w += nesterov ? v + momentum * (v - old) : v;
    }
};

extern "C" __global__ void __launch_bounds__(ElementThreads)
    sgd(float *w, float *v, const float *dw, const float *norm2, const Segment *segments, int count,
        float rate, float momentum, float decay, float maxNorm, int nesterov) {
    int at = 0;
    for (int end = count; end - at > 1;) {
        const int middle = (at + end) / 2;
        if (segments[middle].block <= blockIdx.x) {
            at = middle;
        } else {
            end = middle;
        }
    }
    const Segment s = segments[at];
    Step step = {rate * s.rate, momentum, decay * s.decay, 1, nesterov != 0};
    if (norm2) {
        const float clip = maxNorm / sqrtf(*norm2);
        if (!(clip >= 1)) step.clip = clip;  // a NaN too, so that it shows
    }
    w += s.weight, v += s.grad, dw += s.grad;
    const bool vector = aligned(w) && aligned(v) && aligned(dw);
    size_t i = (size_t)(blockIdx.x - s.block) * BlockElements + 4 * threadIdx.x;
#pragma unroll 1
    for (int round = 0; round < Rounds; round++, i += 4 * ElementThreads) {
        if (i >= s.length) return;
        float4 weight = load4(w, i, s.length, vector), velocity = load4(v, i, s.length, vector);
        const float4 d = load4(dw, i, s.length, vector);
        step(weight.x, velocity.x, d.x);
        step(weight.y, velocity.y, d.y);
        step(weight.z, velocity.z, d.z);
        step(weight.w, velocity.w, d.w);
        store4(w, i, s.length, vector, weight);
        store4(v, i, s.length, vector, velocity);
    }
}

extern "C" __global__ void __launch_bounds__(ElementThreads)
    sum_squares(float *part, const float *x, size_t n) {
    const bool vector = aligned(x);
    float4 sum = make_float4(0, 0, 0, 0);
#pragma unroll 1
    for (size_t i = first(); i < n; i += (size_t)gridDim.x * 4 * ElementThreads) {
        const float4 v = load4(x, i, n, vector);
        sum.x += v.x * v.x, sum.y += v.y * v.y, sum.z += v.z * v.z, sum.w += v.w * v.w;
    }
    const float all = reduce<Sum, ElementThreads>((sum.x + sum.y) + (sum.z + sum.w));
    if (threadIdx.x == 0) part[blockIdx.x] = all;
}

extern "C" __global__ void __launch_bounds__(ElementThreads)
    sum_parts(float *out, const float *part, int parts) {
    float sum = 0;
#pragma unroll 1
    for (int i = threadIdx.x; i < parts; i += ElementThreads) sum += part[i];
    sum = reduce<Sum, ElementThreads>(sum);
    if (threadIdx.x == 0) *out = sum;
}
