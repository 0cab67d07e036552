/* What is to be done now and then, on a thread of its own: retention, what could not be deleted before,
 * and uploads that nobody finished. */
#ifndef FG_HTTP_JANITOR_H
#define FG_HTTP_JANITOR_H

#include "flow/flow.h"

typedef struct fg_janitor fg_janitor;

enum { FG_JANITOR_S = 3600 }; /* between two rounds */

/* The first round is made at once. also(context) is called in every round. */
fg_code fg_janitor_open(fg_janitor **janitor, fg_app *app, void (*also)(void *context), void *context,
                        fg_error *err) FG_MUST_CHECK;
void fg_janitor_wake(fg_janitor *janitor); /* a round now */
void fg_janitor_close(fg_janitor *janitor);

#endif
