#include "base/frame.h"

#include "base/limits.h"

#include <stdlib.h>
#include <string.h>

fg_code fg_frame_init(fg_frame *frame, int width, int height, fg_error *err)
{
    *frame = (fg_frame){0};
    if (width < 1 || height < 1)
        return FG_FAIL(err, FG_ERR_INPUT, "a picture of %d x %d pixels", width, height);
    if ((uint64_t)width * (uint64_t)height > FG_MAX_FRAME_PIXELS)
        return FG_FAIL(err, FG_ERR_LIMIT, "a picture of %d x %d pixels; at most %u megapixels are taken",
                       width, height, FG_MAX_FRAME_PIXELS >> 20);
    size_t stride = (size_t)width * 3;
    frame->rgb = malloc(stride * (size_t)height);
    if (!frame->rgb)
        return FG_FAIL(err, FG_ERR_MEMORY, "out of memory for a picture of %d x %d pixels", width, height);
    frame->width = width;
    frame->height = height;
    frame->stride = stride;
    return FG_OK;
}

fg_code fg_frame_dup(fg_frame *copy, const fg_frame *frame, fg_error *err)
{
    fg_code rc = fg_frame_init(copy, frame->width, frame->height, err);
    if (rc != FG_OK)
        return rc;
    for (int y = 0; y < frame->height; y++)
        memcpy(copy->rgb + (size_t)y * copy->stride, frame->rgb + (size_t)y * frame->stride,
               (size_t)frame->width * 3);
    copy->index = frame->index;
    copy->time_ms = frame->time_ms;
    return FG_OK;
}

void fg_frame_deinit(fg_frame *frame)
{
    free(frame->rgb);
    *frame = (fg_frame){0};
}
