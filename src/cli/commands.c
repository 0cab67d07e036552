#include "cli/cli.h"

#define DETECTION "min-face max-side "
#define QUALITY DETECTION "min-sharpness min-brightness max-brightness max-yaw max-pitch max-roll "
#define REMOTE "endpoint sagemaker-url "
#define SAGEMAKER REMOTE "bucket wait wait-minutes poll-seconds "
#define FULL (FG_APP_STORE | FG_APP_ENGINE)

const char fg_common_settings[] = "data json quiet model-path detector embedder precision "
                                  "blob aws-file region s3-endpoint s3-style s3-sse s3-kms-key";

/* A table reads best as a table. */
/* clang-format off */
const fg_command fg_commands[] = {
    {"enroll", "FILE...", "enrol a member from videos and photos",
     "Every N-th frame of each video is searched for the one face in it; clear ones become the member's templates.\n"
     "The member is enrolled with everything or, after an error, not at all. Train afterwards.\n"
     "Further files of a member are enrolled with --add; what shows another person is refused.\n\n"
     "    facegate enroll --name Ada --role engineer --right lab ada.mp4\n"
     "    facegate enroll --name Ada --add ada-with-glasses.jpg\n",
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
     0, 0, FULL, "kernel c gamma far force dry-run cohort sagemaker-root", fg_cmd_train},
    {"classifiers list", "", "the classifier versions", NULL, 0, 0, FG_APP_STORE, "", fg_cmd_classifiers_list},
    {"classifiers show", "VERSION", "a version with its settings and its report", NULL, 1, 1, FG_APP_STORE, "", fg_cmd_classifiers_show},
    {"classifiers activate", "VERSION", "make a version the active one, also an older one", NULL, 1, 1, FG_APP_STORE, "", fg_cmd_classifiers_activate},
    {"verify", "PHOTO...", "who is it, and may they?",
     "Exit status: 0 when every photo is granted, 3 when one is not, 1 after an error.\n\n"
     "    facegate verify --require lab photo.jpg\n",
     1, -1, FULL, QUALITY "threshold require " REMOTE, fg_cmd_verify},
    {"compare", "PHOTO PHOTO", "are the two photos of one person?",
     "Exit status: 0 for one person, 3 for two.\n",
     2, 2, FG_APP_ENGINE | FG_APP_TEAM_EMBEDDER, QUALITY, fg_cmd_compare},
    {"detect", "FILE...", "the faces in photos, and in every N-th frame of videos", NULL, 1, -1, FG_APP_ENGINE, DETECTION "every rotate", fg_cmd_detect},
    {"embed", "PHOTO...", "embeddings of the faces, a row each, as .npy",
     "A photo without a usable face is an error, and no file is written.\n\n"
     "    facegate embed --out query.npy photo.jpg\n",
     1, -1, FG_APP_ENGINE | FG_APP_TEAM_EMBEDDER, QUALITY "out", fg_cmd_embed},
    {"export", "", "the team's templates as a labelled dataset, for numpy, scikit-learn or SageMaker",
     "The form is what the file's name says, unless --format does. Without --out: data.npz or data.pickle. What the two forms hold is in docs/dataset.md.\n\n"
     "    facegate export --out data.npz\n"
     "    facegate --aws-file aws.json export --out s3://faces/data.pickle\n",
     0, 0, FULL, "format out link-minutes", fg_cmd_export},
    {"import", "FILE", "enrol everybody in a labelled dataset of this embedder's templates (.npz or .pickle, also s3://BUCKET/NAME)",
     "A label is a member's name. New members get --role and --right; members who are there already are refused,\n"
     "or get the new templates too with --add. Everybody is enrolled or, after an error, nobody. A pickle is only\n"
     "read, never executed. Train afterwards.\n\n"
     "    facegate import --role engineer data.npz\n",
     1, 1, FULL | FG_APP_CREATE, "role right add", fg_cmd_import},
    {"sagemaker train", "", "train on SageMaker: the dataset to a bucket, then a training job",
     "With --wait the dataset is deleted from the bucket when the job has ended. See docs/sagemaker.md.\n\n"
     "    facegate --aws-file aws.json sagemaker train --image ECR_URI --wait\n",
     0, 0, FULL, SAGEMAKER "aws-role image instance format kernel c gamma far", fg_cmd_sagemaker_train},
    {"sagemaker deploy", "", "make the endpoint serve a training job's result, without a gap",
     "    facegate --aws-file aws.json sagemaker deploy --wait\n",
     0, 0, 0, SAGEMAKER "aws-role image instance instances job threshold", fg_cmd_sagemaker_deploy},
    {"sagemaker status", "", "the endpoint and the last training job", NULL, 0, 0, 0, REMOTE "job", fg_cmd_sagemaker_status},
    {"sagemaker invoke", "FILE...", "ask the endpoint: .npy, .csv, .json, or a photo that it preprocesses itself",
     "    facegate embed --out query.npy photo.jpg && facegate sagemaker invoke query.npy\n",
     1, -1, 0, REMOTE, fg_cmd_sagemaker_invoke},
    {"sagemaker delete", "", "delete the endpoint, its configurations and models, and what the bucket holds for it", NULL, 0, 0, 0, SAGEMAKER, fg_cmd_sagemaker_delete},
    {"models list", "", "the models there are, and which are here", NULL, 0, 0, FG_APP_MODELS, "", fg_cmd_models_list},
    {"models show", "MODEL", "one model: files, licence, where it comes from", NULL, 1, 1, FG_APP_MODELS, "", fg_cmd_models_show},
    {"models verify", "[MODEL...]", "check the models' files against the manifest's hashes", NULL, 0, -1, FG_APP_MODELS, "", fg_cmd_models_verify},
    {"models pull", "MODEL", "fetch a model that is not shipped, and check it",
     "By HTTPS from the address in the manifest into models/ of the data folder. Size and SHA-256 must be the\n"
     "manifest's, else nothing is kept. Interrupted, the same command goes on where it stopped. A proxy is taken\n"
     "from https_proxy and no_proxy.\n\n"
     "    facegate models pull retail-0095\n",
     1, 1, FG_APP_MODELS, "ca-file", fg_cmd_models_pull},
    {"models use", "MODEL", "make an embedder the team's: embed every member again, and train",
     "From the pictures that enrolment has kept. Interrupted, the old embedder stays in force and the same command\n"
     "goes on where it stopped. Later commands and the server use the new one without being told; a server that is\n"
     "running has to be started again. Templates without a picture (deleted by retention, or imported) are lost\n"
     "with --force, and a reason to refuse without it.\n\n"
     "    facegate models pull retail-0095 && facegate models use retail-0095\n",
     1, 1, FG_APP_STORE | FG_APP_CREATE, "force kernel c gamma far cohort", fg_cmd_models_use},
    {"eval lfw", "", "accuracy on pairs, by the protocol of Labeled Faces in the Wild",
     "    facegate --json eval lfw --images lfw/images --pairs lfw/pairs.txt\n",
     0, 0, FG_APP_ENGINE, "min-face images pairs limit", fg_cmd_eval_lfw},
    {"eval openset", "", "how well teams are told from strangers, on a folder of people",
     "Teams of 1, 2, 5, 10, 20 and 40 are drawn from DIR/<person>/<photo>, enrolled from --photos of each (from 1 photo with\n"
     "rendered variations), and decided about as `verify` does: strangers accepted, members refused, with 95 % intervals,\n"
     "wrong members, and whether probabilities are right. DIR/groups.json, {\"person\": \"group\"}, adds a line for each group.\n"
     "--out keeps the photos' embeddings in a file, which --images takes the next time in place of the folder.\n\n"
     "    facegate eval openset --images people --plots plots\n"
     "    facegate eval openset --images people --photos 1 --out people.npz && facegate eval openset --images people.npz\n",
     0, 0, FG_APP_ENGINE, QUALITY "images out photos perturb plots seed limit workers kernel c gamma far cohort threshold", fg_cmd_eval_openset},
    {"eval detect", "", "faces found and false alarms, against labelled boxes",
     "    facegate eval detect --images pictures --boxes boxes.json\n",
     0, 0, FG_APP_ENGINE, "min-face images boxes limit", fg_cmd_eval_detect},
    {"bench", "[NETWORK...]", "speed of each stage, and its share of this machine's arithmetic peak",
     "Networks (.onnx, .xml) given as arguments are measured too.\n",
     0, -1, FG_APP_ENGINE, "rounds video every cohort min-face max-side kernel c gamma far", fg_cmd_bench},
    {"keys create", "", "make a key for the HTTP interface; it is shown once",
     "    facegate keys create --scope verify --label \"front door\"\n"
     "    facegate keys create --aws         # for boto3 and the aws command line: see docs/sagemaker.md\n",
     0, 0, FG_APP_STORE | FG_APP_CREATE, "scope label expires-days aws", fg_cmd_keys_create},
    {"keys list", "", "the keys, without their secrets", NULL, 0, 0, FG_APP_STORE, "", fg_cmd_keys_list},
    {"keys revoke", "ID", "end a key", NULL, 1, 1, FG_APP_STORE, "", fg_cmd_keys_revoke},
    {"serve", "", "the web app and the HTTP interface",
     "On loopback unless --listen says otherwise. The first start makes an admin key and prints it once.\n",
     0, 0, FULL | FG_APP_CREATE, QUALITY "listen port tls-cert tls-key trust-proxy cors-origin rate-limit log-format log-level web workers max-upload-mb threshold every " REMOTE "train-on bucket aws-role image instance instances format wait-minutes poll-seconds kernel c gamma far cohort sagemaker-root endpoint-name", fg_cmd_serve},
    {"container train", "", "train in SageMaker's container layout; what `train` does where that is there",
     "Reads input/config/*.json and the channel train (data.npz or data.pickle) below --sagemaker-root, writes\n"
     "model/model.facegate, or output/failure. See docs/sagemaker.md.\n",
     0, 0, FG_APP_ENGINE, "sagemaker-root cohort", fg_cmd_container_train},
    {"container serve", "", "serve model/model.facegate there; what `serve` does where that is there",
     "GET /ping and POST /invocations, on every address and port 8080 unless told otherwise, without keys: the\n"
     "platform authenticates. See docs/sagemaker.md.\n",
     0, 0, FG_APP_ENGINE, QUALITY "sagemaker-root listen port workers threshold", fg_cmd_container_serve},
    {"version", "", "the version of Facegate", NULL, 0, 0, 0, "", fg_cmd_version},
};
/* clang-format on */
const int fg_command_count = (int)(sizeof fg_commands / sizeof fg_commands[0]);
