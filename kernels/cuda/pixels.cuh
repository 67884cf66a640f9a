// The pixels of a batch's images, one after the other.

#pragma once

#include "divide.cuh"

// Pixels are planes of plane pixels, one a sample, in rows of width.
struct Pixels {
    int plane, width;
    Divisor byPlane, byWidth;

    __device__ __forceinline__ void find(int pixel, int &sample, int &row, int &column) const {
        sample = divide(pixel, byPlane);
        const int rest = pixel - sample * plane;
        row = divide(rest, byWidth);
        column = rest - row * width;
    }
};
