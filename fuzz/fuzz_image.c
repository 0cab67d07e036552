/* Photos: the first byte asks for a reduction, the rest is the file. */
#include "media/image.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int sides[] = {0, 16, 100, 640};
    fg_frame frame;
    fg_error err;
    double scale;
    if (size < 1)
        return 0;
    const fg_code rc = fg_image_decode(&frame, data + 1, size - 1, sides[data[0] % 4], &scale, "fuzz", &err);
    if (rc != FG_OK) {
        if (frame.rgb)
            abort();
        return 0;
    }
    /* Every row is there to its end. */
    unsigned sum = 0;
    for (int y = 0; y < frame.height; y++)
        sum += frame.rgb[(size_t)y * frame.stride + (size_t)frame.width * 3 - 1];
    if (frame.width < 1 || sum > 255u * (unsigned)frame.height)
        abort();
    fg_frame_deinit(&frame);
    return 0;
}
