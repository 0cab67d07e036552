/* Variations of one photo: the same face as another day's photo might show it. They stand in for the photos
 * that were not given, where a member is enrolled from a single one. */
#ifndef FG_FACE_VARY_H
#define FG_FACE_VARY_H

#include "face/face.h"

/* Number 0 is the photo as it is. */
enum { FG_VARIATIONS = 8 };

/* The chip of one variation (0 <= number < FG_VARIATIONS): mirrored, cut a little differently, lit
 * differently, less sharp. Deterministic. The caller deinits chip. */
fg_code fg_vary(const fg_engine *engine, const fg_frame *frame, const fg_point points[FG_LANDMARKS],
                int number, fg_frame *chip, fg_error *err) FG_MUST_CHECK;

/* Left and right changed, in place. */
void fg_frame_mirror(fg_frame *frame);

#endif
