/* Time. */
#ifndef FG_BASE_CLOCK_H
#define FG_BASE_CLOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define FG_TIME_TEXT 25 /* "2026-01-31T12:34:56.789Z" with its NUL */

int64_t fg_clock_unix_ms(void);     /* since 1970, UTC; for records */
double fg_clock_thread_ms(void);    /* processor time of this thread: what a busy machine does not stretch */
double fg_clock_monotonic_ms(void); /* from any point; for durations */
/* A condition whose waits no change of the time of day makes longer or shorter: until a moment so far from
 * now. */
void fg_clock_cond_init(pthread_cond_t *cond);
struct timespec fg_clock_cond_in_ms(int ms);
/* RFC 3339 ("2026-01-31T12:34:56.789+01:00", "...Z"), or a date alone, which is its first moment in UTC;
 * false for anything else, and for days that no calendar has. */
bool fg_clock_parse(const char *text, int64_t *unix_ms);
void fg_clock_text(int64_t unix_ms, char text[FG_TIME_TEXT]); /* RFC 3339, UTC */

#endif
