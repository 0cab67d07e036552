/* The chips that are kept of an enrolment, so that every embedder can be asked again later. */
#include "face/engine.h"
#include "face/vary.h"

/* Where the landmarks are: the template of the shipped embedders at 128 pixels, with a margin around it for a
 * template that shows more. Whole pixels, so that a model of 128 pixels gets back what the frame gave it. */
enum { CORE = 128, MARGIN = (FG_KEPT_CHIP - CORE) / 2 };
static const fg_point shipped[FG_LANDMARKS] = {{.31556875f, .46157410f},
                                               {.68262292f, .46157410f},
                                               {.50026250f, .64050536f},
                                               {.34947188f, .82469196f},
                                               {.65343646f, .82469196f}};

static void landmarks(fg_point points[FG_LANDMARKS], float core, float margin)
{
    for (int i = 0; i < FG_LANDMARKS; i++)
        points[i] = (fg_point){shipped[i].x * core + margin, shipped[i].y * core + margin};
}

fg_code fg_kept_cut(const fg_frame *frame, const fg_point points[FG_LANDMARKS], fg_frame *kept, fg_error *err)
{
    fg_similarity map;
    fg_point to[FG_LANDMARKS];
    *kept = (fg_frame){0};
    landmarks(to, CORE, MARGIN);
    fg_code rc = fg_landmarks_fit(&map, points, to, err);
    return rc == FG_OK ? fg_similarity_warp(kept, frame, &map, FG_KEPT_CHIP, err) : rc;
}

fg_code fg_kept_align(const fg_engine *engine, const fg_frame *kept, int variation, fg_frame *chip,
                      fg_error *err)
{
    fg_point points[FG_LANDMARKS];
    *chip = (fg_frame){0};
    if (kept->width != kept->height || kept->width < 16)
        return FG_FAIL(err, FG_ERR_INPUT, "%d x %d pixels: not a chip", kept->width, kept->height);
    if (variation < 0 || variation >= FG_VARIATIONS)
        return FG_FAIL(err, FG_ERR_INPUT, "variation %d of a photo: there are %d", variation, FG_VARIATIONS);
    if (kept->width == FG_KEPT_CHIP)
        landmarks(points, CORE, MARGIN + FG_FIRST_PIXEL);
    else
        landmarks(points, (float)kept->width, FG_FIRST_PIXEL);
    return fg_vary(engine, kept, points, variation, chip, err);
}
