// y = a x + y, for the tests of ptxsim: nvcc -ptx -arch=compute_70 saxpy.cu
extern "C" __global__ void saxpy(float *y, const float *x, float a, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] += a * x[i];
}

// One thread too many.
extern "C" __global__ void past_end(float *y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i <= n) y[i] = i;
}
