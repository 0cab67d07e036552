/* Boxes between the detector's stages: suppression, regression, squaring. Pure functions, in the float32
 * arithmetic of facenet-pytorch, whose results they must equal. Coordinates are x1, y1, x2, y2 in inclusive
 * pixels. */
#ifndef FG_FACE_BOXES_H
#define FG_FACE_BOXES_H

#include <stdbool.h>

typedef struct fg_box {
    float x1, y1, x2, y2;
    float score;
    float shift[4];   /* regression of the corners, as fractions of width and height */
    float points[10]; /* x of the five landmarks, then y, as fractions; of the last stage only */
} fg_box;

typedef struct fg_box_key {
    float score;
    int index;
} fg_box_key;

typedef enum fg_nms_mode {
    FG_NMS_UNION, /* overlap: intersection over union, of x2 - x1 by y2 - y1 */
    FG_NMS_MIN,   /* overlap: intersection over the smaller area, of inclusive pixels */
} fg_nms_mode;

/* Greedy non-maximum suppression in place: keeps a box unless a better one overlaps it by more than
 * threshold. Afterwards the boxes kept are the first ones, best first (equal scores in their old order);
 * returns how many. kept and keys are room for count boxes and count keys. */
int fg_boxes_suppress(fg_box *boxes, int count, double threshold, fg_nms_mode mode, fg_box *kept,
                      fg_box_key *keys);

/* Keeps the max best, in their old order; returns how many. keys is room for count. */
int fg_boxes_keep_best(fg_box *boxes, int count, int max, fg_box_key *keys);

/* Moves the corners by shift; inclusive says whether a side counts x2 - x1 + 1 pixels or x2 - x1. */
void fg_boxes_regress(fg_box *boxes, int count, bool inclusive);

/* Grows the shorter side about the centre. */
void fg_boxes_square(fg_box *boxes, int count);

/* The pixels of a picture of width x height that box covers, as half-open 0-based ranges; false if none. */
bool fg_box_clip(const fg_box *box, int width, int height, int range[4]);

/* Levels of the pyramid: scale 12 / min_face times 0.709 to the level's power, down to where the picture's
 * shorter side would be below 12. Returns false past the last. */
bool fg_pyramid_level(int width, int height, double min_face, int level, double *scale, int *level_width,
                      int *level_height);

/* Cells of P-Net whose probability reaches threshold, as boxes in the picture. reg is 4 x rows x columns,
 * prob (of a face) rows x columns. At most max are written; returns how many there are. */
int fg_boxes_from_cells(const float *prob, const float *reg, int rows, int columns, double scale,
                        float threshold, fg_box *boxes, int max);

#endif
