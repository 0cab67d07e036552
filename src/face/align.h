/* The steps of fg_align, see face.h; pure. */
#ifndef FG_FACE_ALIGN_H
#define FG_FACE_ALIGN_H

#include "face/face.h"

/* Maps (x, y) to (a x - b y + tx, b x + a y + ty): a rotation, a scale and a shift. */
typedef struct fg_similarity {
    double a, b, tx, ty;
} fg_similarity;

/* The transform that takes the points from to the points to with the least sum of squares, without reflection
 * (Umeyama 1991; in two dimensions it has this closed form). FG_ERR_INPUT where a point is not finite or all
 * points are one. */
fg_code fg_similarity_fit(fg_similarity *map, const fg_point *from, const fg_point *to, int count,
                          fg_error *err) FG_MUST_CHECK;

/* The same from landmarks in a frame, counted from FG_FIRST_PIXEL, to their places in a chip, where the
 * centre of the first pixel is 0 as everywhere in a map. Without that step a chip would be off by a pixel of
 * the frame, and so the more the smaller the face is. */
fg_code fg_landmarks_fit(fg_similarity *map, const fg_point landmarks[FG_LANDMARKS],
                         const fg_point places[FG_LANDMARKS], fg_error *err) FG_MUST_CHECK;

/* chip: size x size pixels, pixel (u, v) is the frame at map^-1 (u, v), bilinear, edges repeated. Where the
 * chip is more than twice smaller than what it shows, the frame is first halved by area averaging until it is
 * not, so that nothing aliases. The caller deinits chip. */
fg_code fg_similarity_warp(fg_frame *chip, const fg_frame *frame, const fg_similarity *map, int size,
                           fg_error *err) FG_MUST_CHECK;

#endif
