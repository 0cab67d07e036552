/* What is inside an engine and a session; for face/ only. */
#ifndef FG_FACE_ENGINE_H
#define FG_FACE_ENGINE_H

#include "face/align.h"
#include "face/mtcnn.h"

struct fg_engine {
    fg_engine_info info;
    fg_mtcnn mtcnn;
    fg_net *embedder;
    bool bgr, mirror; /* of the embedder */
    float mean, scale;
    fg_point template[FG_LANDMARKS]; /* pixels of the chip */
};

struct fg_session {
    const fg_engine *engine;
    fg_mtcnn_run mtcnn;
    fg_net_run *embedder;
    float *input; /* one chip */
};

#endif
