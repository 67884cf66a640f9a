// accuracy writes 1 for a sample whose label's score is beaten by fewer than K
// classes: larger ones, and equal ones of a smaller index. A block to a sample
// counts them. A label out of [0,C) or a NaN score of it is a miss.

constexpr int Threads = 128;

extern "C" __global__ void __launch_bounds__(Threads)
    accuracy(float *hit, const float *x, const int *label, int C, int K) {
    const int n = blockIdx.x, right = label[n];
    x += (size_t)n * C;
    const bool known = right >= 0 && right < C;
    const float score = known ? x[right] : NAN;
    int ahead = 0;
#pragma unroll 1
    for (int begin = 0; begin < C; begin += Threads) {
        const int c = begin + threadIdx.x;
        bool beats = false;
        if (c < C) {
            const float v = x[c];
            beats = v > score || (v == score && c < right);
        }
        ahead += __syncthreads_count(beats);
    }
    if (threadIdx.x == 0) hit[n] = score == score && ahead < K;
}
