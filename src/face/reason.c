#include "face/face.h"

static const struct {
    const char *name, *text;
} reasons[FG_REASON_COUNT] = {
    [FG_REASON_NONE] = {"none", "Nothing is wrong."},
    [FG_REASON_NO_FACE] = {"no_face",
                           "No face was found. Look into the camera, with the whole face in the picture."},
    [FG_REASON_SEVERAL_FACES] = {"several_faces",
                                 "There is more than one face. One person at a time, please."},
    [FG_REASON_FACE_TOO_SMALL] = {"face_too_small", "The face is too small. Come closer to the camera."},
    [FG_REASON_BLURRED] = {"blurred", "The face is blurred. Hold still, or clean and focus the camera."},
    [FG_REASON_POSE] = {"pose", "The face is turned too far. Look straight into the camera."},
    [FG_REASON_TOO_DARK] = {"too_dark", "The face is too dark. Turn towards the light, or add some."},
    [FG_REASON_TOO_BRIGHT] = {"too_bright", "The face is too bright. Move out of the strong light."},
    [FG_REASON_UNCLEAR] =
        {"unclear", "The face cannot be made out well enough. Take off sunglasses, a mask or a hat, and look "
                    "straight into the camera, in good light."},
    [FG_REASON_BELOW_PROBABILITY] = {"below_probability",
                                     "The face looks familiar, but not surely enough. Try again."},
    [FG_REASON_NOT_A_MEMBER] = {"not_a_member", "This face belongs to no member of the team."},
    [FG_REASON_AMBIGUOUS] = {"ambiguous",
                             "Two members fit almost equally well. Try again with a clearer photo."},
    [FG_REASON_RIGHT_MISSING] = {"right_missing", "This member does not have the right that was asked for."},
    [FG_REASON_LIVENESS_FAILED] = {"liveness_failed",
                                   "This looks like a picture of a face, not a living person."},
};

const char *fg_reason_name(fg_reason reason)
{
    return reasons[(unsigned)reason < FG_REASON_COUNT ? reason : FG_REASON_NONE].name;
}

const char *fg_reason_text(fg_reason reason)
{
    return reasons[(unsigned)reason < FG_REASON_COUNT ? reason : FG_REASON_NONE].text;
}
