/* Every hard cap in one list. A cap is a defence, not a tuning knob: what exceeds one is FG_ERR_LIMIT. */
#ifndef FG_BASE_LIMITS_H
#define FG_BASE_LIMITS_H

#define FG_MAX_PHOTO_BYTES (64u << 20)      /* an encoded photo */
#define FG_MAX_PHOTO_SIDE 32768             /* pixels, either side, as declared in the header */
#define FG_MAX_PHOTO_PIXELS (100u << 20)    /* declared width x height that is decoded at all */
#define FG_MAX_FRAME_PIXELS (48u << 20)     /* width x height of a decoded frame */
#define FG_MAX_VIDEO_BYTES (500ull << 20)   /* an encoded video */
#define FG_MAX_VIDEO_SECONDS 900            /* of playing time */
#define FG_MAX_VIDEO_PIXELS (8192u * 4352u) /* of one video frame */
#define FG_MAX_VIDEO_FRAMES 60000           /* decoded, used or not */
#define FG_MAX_VIDEO_SAMPLES 600000 /* of all its tracks together: frames, sound, what a phone measures */
#define FG_MAX_VIDEO_TRACKS 12      /* a phone's have up to ten: two of sound, and what its sensors say */
#define FG_MAX_SAMPLED_FRAMES 3000  /* kept after --every n */
#define FG_MAX_MODEL_BYTES (1024ull << 20)
#define FG_MAX_MODEL_NODES 4096
#define FG_MAX_MODEL_DIMS 6
#define FG_MAX_FACES 256        /* reported for one frame */
#define FG_MAX_CANDIDATES 20000 /* boxes between the detector's stages */
#define FG_MAX_EMBEDDING 1024   /* numbers in a template */
#define FG_MAX_MEMBERS 10000
#define FG_MAX_TEMPLATES 1000000 /* over all members */
#define FG_MAX_TEMPLATES_PER_MEMBER 2000
#define FG_MAX_CLASSIFIER_BYTES (512u << 20) /* a stored classifier version */
#define FG_MAX_DATASET_BYTES (2048ull << 20) /* an exported or imported dataset, and one array of it */
#define FG_MAX_INVOCATION_BYTES (32u << 20)  /* a request to /invocations */
#define FG_MAX_ENDPOINT_BYTES (6u << 20)     /* the same as SageMaker's runtime has it */
#define FG_MAX_JSON_ROWS_BYTES (4u << 20)    /* of it, as JSON: in memory that is twenty times as large */
#define FG_MAX_INVOCATION_ROWS 10000
#define FG_MAX_NAME_BYTES 200        /* a member's name, a role, a right; UTF-8 */
#define FG_MAX_RIGHTS 64             /* of one member */
#define FG_MAX_JSON_BYTES (1u << 20) /* a JSON document that comes from outside */
#define FG_MAX_PATH 4096

#endif
