/* The cascade: P-Net over a pyramid, R-Net on 24 x 24 crops, O-Net on 48 x 48 crops; see face.h for the paper
 * and conventions. fg_mtcnn is immutable and shared, fg_mtcnn_run belongs to one thread and keeps its
 * buffers. */
#ifndef FG_FACE_MTCNN_H
#define FG_FACE_MTCNN_H

#include "face/area.h"
#include "face/boxes.h"
#include "face/face.h"
#include "face/models.h"

enum { FG_PNET, FG_RNET, FG_ONET, FG_MTCNN_NETS };

typedef struct fg_mtcnn {
    fg_net *nets[FG_MTCNN_NETS];
    int reg[FG_MTCNN_NETS], prob[FG_MTCNN_NETS],
        points[FG_MTCNN_NETS]; /* index of each output; -1 where there is none */
    float mean, scale;
    double min_face;
    bool refine; /* see fg_model */
} fg_mtcnn;

typedef struct fg_mtcnn_run {
    const fg_mtcnn *mtcnn;
    fg_net_run *runs[FG_MTCNN_NETS];
    fg_area area;
    float *pixels; /* input of a network */
    size_t pixel_capacity;
    fg_box *boxes, *kept, *level;
    fg_box_key *keys;
    int box_capacity;
    fg_detect_times times;
} fg_mtcnn_run;

/* model: three files, P-Net, R-Net, O-Net in this order. On failure *mtcnn can still be deinit'ed. */
fg_code fg_mtcnn_init(fg_mtcnn *mtcnn, const fg_model *model, double min_face, fg_error *err) FG_MUST_CHECK;
void fg_mtcnn_deinit(fg_mtcnn *mtcnn);

fg_code fg_mtcnn_run_init(fg_mtcnn_run *run, const fg_mtcnn *mtcnn, fg_error *err) FG_MUST_CHECK;
void fg_mtcnn_run_deinit(fg_mtcnn_run *run);

/* Runs every network once; a network of the wrong shape shows here. */
fg_code fg_mtcnn_warm_up(fg_mtcnn_run *run, fg_error *err) FG_MUST_CHECK;

/* *boxes is borrowed from the run, until its next detection; best score first. */
fg_code fg_mtcnn_detect(fg_mtcnn_run *run, const fg_frame *frame, const fg_box **boxes, int *count,
                        fg_error *err) FG_MUST_CHECK;

#endif
