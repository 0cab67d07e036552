#include "cli/cli.h"

#define DETECTION "min-face max-side "
#define QUALITY DETECTION "min-sharpness min-brightness max-brightness max-yaw max-pitch max-roll "
#define FULL (FG_APP_STORE | FG_APP_ENGINE)

const char fg_common_settings[] = "data json quiet model-path detector embedder precision";

/* A table reads best as a table. */
/* clang-format off */
const fg_command fg_commands[] = {
    {"enroll", "FILE...", "enrol a member from videos and photos",
     "Every N-th frame of each video is searched for the one face in it; clear ones become the member's templates.\n"
     "The member is enrolled with everything or, after an error, not at all. Train afterwards.\n\n"
     "    facegate enroll --name Ada --role engineer --right lab ada.mp4\n",
     1, -1, FULL | FG_APP_CREATE, QUALITY "name role right every rotate add keep-frames keep-originals", fg_cmd_enroll},
    {"members list", "", "who is enrolled", NULL, 0, 0, FG_APP_STORE, "", fg_cmd_members_list},
    {"members show", "NAME", "one member, with the files that were enrolled", NULL, 1, 1, FG_APP_STORE, "", fg_cmd_members_show},
    {"members set", "NAME", "change a member's name, role or rights",
     "--right replaces all rights; give it once for each, or --right \"\" for none.\n\n"
     "    facegate members set Ada --role \"chief engineer\" --right lab --right office\n",
     1, 1, FG_APP_STORE, "name role right", fg_cmd_members_set},
    {"members remove", "NAME", "delete a member for good: rows, chips and originals",
     "Classifier versions that were learnt from the member go too; the others are trained anew at once.\n",
     1, 1, FG_APP_STORE | FG_APP_TRY_ENGINE, "kernel c gamma far force cohort", fg_cmd_members_remove},
    {"train", "", "train a classifier version on all members and activate it",
     "A version whose measured error is worse than the active one's is stored but not activated, unless --force.\n",
     0, 0, FULL, "kernel c gamma far force dry-run cohort", fg_cmd_train},
    {"classifiers list", "", "the classifier versions", NULL, 0, 0, FG_APP_STORE, "", fg_cmd_classifiers_list},
    {"classifiers show", "VERSION", "a version with its settings and its report", NULL, 1, 1, FG_APP_STORE, "", fg_cmd_classifiers_show},
    {"classifiers activate", "VERSION", "make a version the active one, also an older one", NULL, 1, 1, FG_APP_STORE, "", fg_cmd_classifiers_activate},
    {"verify", "PHOTO...", "who is it, and may they?",
     "Exit status: 0 when every photo is granted, 3 when one is not, 1 after an error.\n\n"
     "    facegate verify --require lab photo.jpg\n",
     1, -1, FULL, QUALITY "threshold require", fg_cmd_verify},
    {"compare", "PHOTO PHOTO", "are the two photos of one person?",
     "Exit status: 0 for one person, 3 for two.\n",
     2, 2, FG_APP_ENGINE, QUALITY, fg_cmd_compare},
    {"detect", "FILE...", "the faces in photos, and in every N-th frame of videos", NULL, 1, -1, FG_APP_ENGINE, DETECTION "every rotate", fg_cmd_detect},
    {"embed", "FILE...", "embeddings of the faces, a row each, as .npy",
     "A photo without a usable face is an error, and no file is written.\n\n"
     "    facegate embed --out query.npy photo.jpg\n",
     1, -1, FG_APP_ENGINE, QUALITY "out", fg_cmd_embed},
    {"models list", "", "the models there are, and which are here", NULL, 0, 0, FG_APP_MODELS, "", fg_cmd_models_list},
    {"models show", "MODEL", "one model: files, licence, where it comes from", NULL, 1, 1, FG_APP_MODELS, "", fg_cmd_models_show},
    {"models verify", "[MODEL...]", "check the models' files against the manifest's hashes", NULL, 0, -1, FG_APP_MODELS, "", fg_cmd_models_verify},
    {"eval lfw", "", "accuracy on pairs, by the protocol of Labeled Faces in the Wild",
     "    facegate --json eval lfw --images lfw/images --pairs lfw/pairs.txt\n",
     0, 0, FG_APP_ENGINE, "min-face images pairs limit", fg_cmd_eval_lfw},
    {"eval detect", "", "faces found and false alarms, against labelled boxes",
     "    facegate eval detect --images pictures --boxes boxes.json\n",
     0, 0, FG_APP_ENGINE, "min-face images boxes limit", fg_cmd_eval_detect},
    {"bench", "[NETWORK...]", "speed of each stage, and its share of this machine's arithmetic peak",
     "Networks (.onnx, .xml) given as arguments are measured too.\n",
     0, -1, FG_APP_ENGINE, "rounds video every cohort min-face max-side", fg_cmd_bench},
    {"keys create", "", "make a key for the HTTP interface; it is shown once",
     "    facegate keys create --scope verify --label \"front door\"\n",
     0, 0, FG_APP_STORE | FG_APP_CREATE, "scope label expires-days", fg_cmd_keys_create},
    {"keys list", "", "the keys, without their secrets", NULL, 0, 0, FG_APP_STORE, "", fg_cmd_keys_list},
    {"keys revoke", "ID", "end a key", NULL, 1, 1, FG_APP_STORE, "", fg_cmd_keys_revoke},
    {"serve", "", "the web app and the HTTP interface",
     "On loopback unless --listen says otherwise. The first start makes an admin key and prints it once.\n",
     0, 0, FULL | FG_APP_CREATE, QUALITY "listen port tls-cert tls-key web workers max-upload-mb threshold every kernel c gamma far cohort", fg_cmd_serve},
    {"version", "", "the version of Facegate", NULL, 0, 0, 0, "", fg_cmd_version},
};
/* clang-format on */
const int fg_command_count = (int)(sizeof fg_commands / sizeof fg_commands[0]);
