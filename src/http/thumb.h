/* Small pictures of what an enrolment sees. */
#ifndef FG_HTTP_THUMB_H
#define FG_HTTP_THUMB_H

#include "base/frame.h"

enum { FG_THUMB_SIDE = 96 };

/* The middle square of the frame, averaged down to at most FG_THUMB_SIDE pixels, as a JPEG (malloc'ed). */
fg_code fg_thumb_make(const fg_frame *frame, uint8_t **data, size_t *size, fg_error *err) FG_MUST_CHECK;

#endif
