/* The stages of an enrolment that are not about pictures; enroll.c calls them in order. */
#ifndef FG_FLOW_ENROLL_PARTS_H
#define FG_FLOW_ENROLL_PARTS_H

#include "flow/app.h"

typedef struct fg_enrolling {
    fg_worker *worker;
    fg_app *app;
    const fg_enroll_request *request;
    fg_enroll_report *report;
    fg_member existing; /* with request->add; else zero */
    char member_prefix[64];
    char prefix[96];    /* of this enrolment, below member_prefix; pending until the commit */
    fg_source *sources; /* file_count */
    fg_template *templates;
    long template_count, template_capacity;
} fg_enrolling;

fg_code fg_enrolling_begin(fg_enrolling *e, fg_error *err) FG_MUST_CHECK;
/* Fills sources[file], with the original kept where that was asked for. */
fg_code fg_enrolling_add_source(fg_enrolling *e, int file, fg_error *err) FG_MUST_CHECK;
/* Adds a template of an accepted look, last, its chip stored, its embedding allocated but not yet computed.
 */
fg_code fg_enrolling_add(fg_enrolling *e, int file, const fg_frame *frame, const fg_look *look,
                         fg_error *err) FG_MUST_CHECK;
/* Removes the templates that are not of the person that most of them show. */
fg_code fg_enrolling_drop_odd(fg_enrolling *e, fg_error *err) FG_MUST_CHECK;
/* At least one template, and of one person; else says what was wrong with the pictures. Sums the report up.
 */
fg_code fg_enrolling_check(fg_enrolling *e, fg_error *err) FG_MUST_CHECK;
/* With the team: what is added to a member must be of that member; a look-alike among the others is named in
 * the report. */
fg_code fg_enrolling_compare(fg_enrolling *e, fg_error *err) FG_MUST_CHECK;
fg_code fg_enrolling_commit(fg_enrolling *e, fg_error *err) FG_MUST_CHECK;
void fg_enrolling_deinit(fg_enrolling *e);

#endif
