// What is done to a sum before it is stored.

#pragma once

// keep hides from the compiler how a number or address came about.
__device__ __forceinline__ int keep(int n) {
    asm volatile("" : "+r"(n));
    return n;
}
template <class T>
__device__ __forceinline__ const T *keep(const T *p) {
    asm volatile("" : "+l"(p));
    return p;
}

// Epilogue is what happens to each sum before it is stored:
//
//   v = alpha sum + beta old + bias, then v < 0 ? slope v : v
//
// which is the identity for slope 1 and ReLU for slope 0. A NaN stays. It is
// written without branches on alpha to slope: the compiler would make a copy of
// the whole epilogue for each way they can turn out.
struct Epilogue {
    float alpha, beta, slope;
    int reads, keeps; // all ones or 0: C is read, negative values are kept

    __device__ __forceinline__ Epilogue(float alpha, float beta, float slope)
        : alpha(alpha), beta(beta), slope(slope), reads(keep(beta != 0 ? -1 : 0)), keeps(keep(slope != 0 ? -1 : 0)) {}

    // load is *p if wanted is not 0, else 0.
    static __device__ __forceinline__ float load(const float *p, int wanted) {
        float v;
        asm volatile("{ .reg .pred wanted; setp.ne.s32 wanted, %2, 0; mov.f32 %0, 0f00000000; @wanted ld.global.f32 %0, [%1]; }"
                     : "=f"(v) : "l"(__cvta_generic_to_global(p)), "r"(wanted) : "memory");
        return v;
    }

    __device__ __forceinline__ float old(const float *p) const { return load(p, reads); }

    __device__ __forceinline__ float4 old4(const float *p) const {
        float4 v;
        asm volatile("{ .reg .pred wanted; setp.ne.s32 wanted, %5, 0; mov.f32 %0, 0f00000000; mov.f32 %1, 0f00000000; "
                     "mov.f32 %2, 0f00000000; mov.f32 %3, 0f00000000; @wanted ld.global.v4.f32 {%0, %1, %2, %3}, [%4]; }"
                     : "=f"(v.x), "=f"(v.y), "=f"(v.z), "=f"(v.w)
                     : "l"(__cvta_generic_to_global(p)), "r"(reads) : "memory");
        return v;
    }

    // added is what is added to a gradient: beta old.
    __device__ __forceinline__ float added(const float *p) const { return beta * old(p); }
    __device__ __forceinline__ float4 added4(const float *p) const {
        const float4 v = old4(p);
        return make_float4(beta * v.x, beta * v.y, beta * v.z, beta * v.w);
    }

    __device__ __forceinline__ float operator()(float sum, float old, float bias) const {
        const float v = alpha * sum + beta * old + bias;
        const float negative = __int_as_float(__float_as_int(slope * v) & keeps);
        return v < 0 ? negative : v;
    }
};
