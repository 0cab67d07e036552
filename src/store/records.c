/* Freeing results; the same for every back end. */
#include "store/store.h"

#include <stdlib.h>

void fg_member_deinit(fg_member *member)
{
    free(member->name);
    free(member->role);
    for (int i = 0; i < member->right_count; i++)
        free(member->rights[i]);
    free(member->rights);
    free(member->blob_prefix);
    *member = (fg_member){0};
}

void fg_source_deinit(fg_source *source)
{
    free(source->name);
    free(source->kind);
    free(source->blob_key);
    *source = (fg_source){0};
}

void fg_template_deinit(fg_template *tmpl)
{
    free(tmpl->embedding);
    free(tmpl->chip_key);
    *tmpl = (fg_template){0};
}

void fg_template_set_deinit(fg_template_set *set)
{
    free(set->embeddings);
    free(set->ids);
    free(set->member_ids);
    free(set->source_ids);
    free(set->times_ms);
    *set = (fg_template_set){0};
}

void fg_version_info_deinit(fg_version_info *info)
{
    free(info->settings_json);
    free(info->report_json);
    free(info->member_ids);
    *info = (fg_version_info){0};
}

void fg_key_deinit(fg_key *key)
{
    free(key->label);
    free(key->scope);
    *key = (fg_key){0};
}

void fg_audit_row_deinit(fg_audit_row *row)
{
    free(row->actor);
    free(row->source);
    free(row->action);
    free(row->subject);
    free(row->decision);
    free(row->reasons);
    *row = (fg_audit_row){0};
}

void fg_members_free(fg_member *members, long count)
{
    for (long i = 0; members && i < count; i++)
        fg_member_deinit(&members[i]);
    free(members);
}

void fg_member_names_free(int64_t *ids, char **names, long count)
{
    for (long i = 0; names && i < count; i++)
        free(names[i]);
    free(names);
    free(ids);
}

void fg_sources_free(fg_source *sources, long count)
{
    for (long i = 0; sources && i < count; i++)
        fg_source_deinit(&sources[i]);
    free(sources);
}

void fg_templates_free(fg_template *templates, long count)
{
    for (long i = 0; templates && i < count; i++)
        fg_template_deinit(&templates[i]);
    free(templates);
}

void fg_versions_free(fg_version_info *infos, long count)
{
    for (long i = 0; infos && i < count; i++)
        fg_version_info_deinit(&infos[i]);
    free(infos);
}

void fg_keys_free(fg_key *keys, long count)
{
    for (long i = 0; keys && i < count; i++)
        fg_key_deinit(&keys[i]);
    free(keys);
}

void fg_audit_free(fg_audit_row *rows, long count)
{
    for (long i = 0; rows && i < count; i++)
        fg_audit_row_deinit(&rows[i]);
    free(rows);
}

void fg_job_records_free(fg_job_record *jobs, long count)
{
    for (long i = 0; jobs && i < count; i++) {
        free(jobs[i].subject);
        free(jobs[i].order_json);
        free(jobs[i].end_json);
    }
    free(jobs);
}

void fg_keys_texts_free(char **keys, long count)
{
    for (long i = 0; keys && i < count; i++)
        free(keys[i]);
    free(keys);
}
