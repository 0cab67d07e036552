/* IEEE 754 binary16, as files hold numbers. */
#ifndef FG_BASE_HALF_H
#define FG_BASE_HALF_H

#include <stdint.h>
#include <string.h>

static inline float fg_half_to_float(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000u) << 16;
    uint32_t exponent = (half >> 10) & 31u;
    uint32_t mantissa = half & 1023u;
    uint32_t bits;
    if (exponent == 31) {
        bits = sign | 0x7f800000u | mantissa << 13;
    } else if (exponent) {
        bits = sign | (exponent + 112) << 23 | mantissa << 13;
    } else {
        float small = (float)mantissa * 0x1p-24f;
        return sign ? -small : small;
    }
    float out;
    memcpy(&out, &bits, sizeof out);
    return out;
}

#endif
