// Element-wise functions, y = f(x), and their gradients, which follow from y
// alone: dx = dy f'(y). y may be x, and dx may be dy.
//
// One kernel for each function and direction, unary_{relu,leaky_relu,sigmoid,
// tanh}_{forward,backward}. slope is LeakyReLU's.

#include "vector.cuh"

struct ReLU {
    // A NaN stays: no comparison with it is true.
    static __device__ __forceinline__ float value(float x, float) { return x < 0 ? 0 : x; }
    static __device__ __forceinline__ float gradient(float y, float dy, float) { return y > 0 ? dy : 0; }
};

struct LeakyReLU {
    static __device__ __forceinline__ float value(float x, float slope) { return x < 0 ? slope * x : x; }
    static __device__ __forceinline__ float gradient(float y, float dy, float slope) {
        return y > 0 ? dy : slope * dy;
    }
};

struct Sigmoid {
    static __device__ __forceinline__ float value(float x, float) { return 1 / (1 + expf(-x)); }
    static __device__ __forceinline__ float gradient(float y, float dy, float) { return dy * y * (1 - y); }
};

struct Tanh {
    static __device__ __forceinline__ float value(float x, float) { return tanhf(x); }
    static __device__ __forceinline__ float gradient(float y, float dy, float) { return dy * (1 - y * y); }
};

template <typename F>
__device__ __forceinline__ void forward(float *y, const float *x, size_t n, float slope) {
    const size_t i = first();
    if (i >= n) return;
    const bool vector = aligned(y) && aligned(x);
    const float4 v = load4(x, i, n, vector);
    store4(y, i, n, vector, make_float4(F::value(v.x, slope), F::value(v.y, slope),
                                        F::value(v.z, slope), F::value(v.w, slope)));
}

template <typename F>
__device__ __forceinline__ void backward(float *dx, const float *y, const float *dy, size_t n,
                                         float slope, int accumulate) {
    const size_t i = first();
    if (i >= n) return;
    const bool vector = aligned(dx) && aligned(y) && aligned(dy);
    const float4 v = load4(y, i, n, vector), d = load4(dy, i, n, vector);
    put4(dx, i, n, vector, make_float4(F::gradient(v.x, d.x, slope), F::gradient(v.y, d.y, slope),
                                       F::gradient(v.z, d.z, slope), F::gradient(v.w, d.w, slope)),
         accumulate);
}

#define UNARY(name, F)                                                                         \
    extern "C" __global__ void __launch_bounds__(ElementThreads)                               \
        unary_##name##_forward(float *y, const float *x, size_t n, float slope) {              \
        forward<F>(y, x, n, slope);                                                            \
    }                                                                                          \
    extern "C" __global__ void __launch_bounds__(ElementThreads)                               \
        unary_##name##_backward(float *dx, const float *y, const float *dy, size_t n,          \
                                float slope, int accumulate) {                                 \
        backward<F>(dx, y, dy, n, slope, accumulate);                                          \
    }

UNARY(relu, ReLU)
UNARY(leaky_relu, LeakyReLU)
UNARY(sigmoid, Sigmoid)
UNARY(tanh, Tanh)
