/* Accuracy on labelled images. */
#ifndef FG_FLOW_EVAL_H
#define FG_FLOW_EVAL_H

#include "flow/flow.h"

enum { FG_EVAL_FOLDS = 100, FG_EVAL_FARS = 3 };

extern const double fg_eval_fars[FG_EVAL_FARS]; /* 1e-2, 1e-3, 1e-4 */

typedef struct fg_eval_lfw {
    long pairs, images, not_found; /* not_found: images without a face; their pairs count as of two people */
    int folds;
    double accuracy, accuracy_std; /* mean and standard deviation over the folds */
    double threshold;              /* mean of the folds' thresholds, cosine */
    double tar[FG_EVAL_FARS]; /* at fg_eval_fars, over all pairs; NaN where there are too few pairs for that
                                 FAR */
    double elapsed_ms;
} fg_eval_lfw;

/* View 2 of Labeled Faces in the Wild (Huang et al. 2007): pairs_path in the form of its pairs.txt ("folds
 * pairs-a-fold", then for each fold matched pairs "name i j" and as many mismatched pairs "name i name j");
 * images in images_dir/name/name_0001.jpg. For each fold the threshold that is best on the others is applied.
 * Of several faces the one nearest the centre is taken. limit: pairs of each kind and fold that are used; 0
 * for all. FG_ERR_INPUT names the line of a pairs file that makes no sense. */
fg_code fg_eval_lfw_run(fg_worker *worker, const char *images_dir, const char *pairs_path, int limit,
                        const fg_progress *progress, fg_eval_lfw *result, fg_error *err) FG_MUST_CHECK;

typedef struct fg_eval_detect {
    long images, faces, found; /* found: labelled faces that a detection overlaps */
    long detections, false_alarms;
    double recall, precision;
    double average_precision; /* area under the whole precision-recall curve, as PASCAL VOC 2010 and later */
    double median_overlap;    /* intersection over union of the found ones */
    double elapsed_ms;
} fg_eval_detect;

/* boxes_path: JSON of {"image.jpg": [{"box": [x1, y1, x2, y2]}, ...]}, images in images_dir. A detection
 * counts for the labelled face that it overlaps most, at least by min_overlap (intersection over union),
 * once; better scores choose first. Faces narrower than min_size pixels are neither asked for nor held
 * against the detector. */
fg_code fg_eval_detect_run(fg_worker *worker, const char *images_dir, const char *boxes_path,
                           double min_overlap, double min_size, int limit, const fg_progress *progress,
                           fg_eval_detect *result, fg_error *err) FG_MUST_CHECK;

#endif
