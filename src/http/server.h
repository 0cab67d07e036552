/* The HTTP server: the API under /api/v1 and the web app, on libmicrohttpd.
 *
 * One thread a connection (bounded), which parses, checks and streams; photos and rows are decided on
 * `workers` threads that each own an fg_worker, behind a bounded queue; enrolments and trainings are jobs of
 * one further thread, so that they never hold up a photo, and trainings on SageMaker of another; one thread
 * cuts off connections that stall (guard.h), and one deletes what is kept no longer (janitor.h). Bodies go to
 * disk as they arrive (DATA/tmp, mode 0600) and are deleted after use; what a killed server left there is
 * swept at the next start.
 *
 * Settings used: data, listen, port, tls_cert, tls_key, web, workers, max_upload_mb, rate_limit, trust_proxy,
 * cors_origin, admin_key, master_key, endpoint_name, keep_frames, threshold. */
#ifndef FG_HTTP_SERVER_H
#define FG_HTTP_SERVER_H

#include "access/access.h"
#include "flow/artifact.h"
#include "flow/flow.h"

typedef struct fg_server fg_server;

enum { FG_SERVER_LINK = 512 };

/* Binds, loads and serves: requests are answered from its return on. The app must have been opened with
 * FG_APP_STORE | FG_APP_ENGINE and is borrowed until the close. Where the store has no live admin key and the
 * settings have none, one is made and admin_key gets the only copy of it, to be printed once and wiped; else
 * admin_key is "".
 * Errors: FG_ERR_BUSY (the port is taken), FG_ERR_USAGE (an address, a half of a TLS pair), FG_ERR_IO ... */
fg_code fg_server_open(fg_server **server, fg_app *app, char admin_key[FG_KEY_TEXT],
                       fg_error *err) FG_MUST_CHECK;
/* Serves an artifact in a container: /ping, /invocations and /healthz alone, for a platform that has
 * authenticated whoever asks, so without keys. The app needs its engine alone, which must be the artifact's
 * embedder (FG_ERR_STATE); both are borrowed until the close. */
fg_code fg_server_open_artifact(fg_server **server, fg_app *app, const fg_artifact *artifact,
                                fg_error *err) FG_MUST_CHECK;
/* "http://127.0.0.1:8080", with the port that was really bound. */
const char *fg_server_url(const fg_server *server);
/* A link that signs a browser in as the admin, once, within ten minutes. The token is in the fragment, which
 * a browser does not send: it is in no log and no Referer. Replaces the link made before. */
fg_code fg_server_sign_in_link(fg_server *server, char link[FG_SERVER_LINK], fg_error *err) FG_MUST_CHECK;
/* Returns after fg_server_stop; requests under way are finished (at most a few seconds), jobs are cancelled.
 */
fg_code fg_server_run(fg_server *server, fg_error *err) FG_MUST_CHECK;
/* Safe in a signal handler and from any thread; also before fg_server_run. */
void fg_server_stop(fg_server *server);
void fg_server_close(fg_server *server); /* NULL is fine */

#endif
