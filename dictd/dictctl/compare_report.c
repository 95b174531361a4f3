/* See compare_report.h. */
#include "dictd/dictctl/compare_report.h"

#include <stdio.h>

#include "dictd/base/conf.h"
#include "dictd/dictctl/ctl.h"
#include "dictd/dictctl/owners.h"
#include "dictd/protocol/admin.h"

static struct answer map_answer(const struct batch *batch, const struct batch_key *key)
{
    return (struct answer){key->status, batch_slice(&batch->texts, key->text)};
}

static struct answer table_answer(const struct batch *batch, const struct batch_key *key)
{
    if (key->hit == BATCH_NONE)
        return answer_not_found();
    return answer_found(batch_slice(&batch->values, key->value));
}

/* The part of the key that the table has. */
static struct slice table_key(const struct batch *batch, const struct batch_key *key)
{
    return batch_slice(&batch->texts, batch->candidates[key->hit]);
}

static enum owners_relation relation_of(const struct answer *table, const struct answer *map)
{
    if (table->status != map->status)
        return OWNERS_DIFFERENT;
    if (table->status == ANSWER_NOT_FOUND)
        return OWNERS_SAME;
    return owners_compare(table->text, map->text);
}

/* --- text --- */

static void print_answer(const struct answer *answer)
{
    switch (answer->status) {
    case ANSWER_FOUND:
        ctl_print_text(stdout, answer->text);
        break;
    case ANSWER_NOT_FOUND:
        fputs("not found", stdout);
        break;
    case ANSWER_TEMP:
    case ANSWER_PERM:
        fputs("error: ", stdout);
        ctl_print_text(stdout, answer->text);
        break;
    }
}

static void print_text(const struct compare_report *report, const struct batch *batch,
                       const struct batch_key *key, bool order_only)
{
    struct slice asked = batch_slice(&batch->texts, key->key);
    struct answer table = table_answer(batch, key), map = map_answer(batch, key);

    ctl_print_text(stdout, asked);
    printf(": %s%s says ", order_only ? "same owners, other order: " : "", report->table);
    print_answer(&table);
    if (report->verbose && key->hit != BATCH_NONE && !slice_eq(asked, table_key(batch, key))) {
        fputs(" (for ", stdout);
        ctl_print_text(stdout, table_key(batch, key));
        putchar(')');
    }
    printf(", %s says ", report->map);
    print_answer(&map);
    putchar('\n');
}

/* --- JSON --- */

static void print_json(const struct batch *batch, const struct batch_key *key, bool order_only)
{
    struct answer table = table_answer(batch, key), map = map_answer(batch, key);
    json_t *object = admin_object(), *of_table = admin_object(), *of_map = admin_object();

    admin_set_bytes(object, "key", batch_slice(&batch->texts, key->key));
    admin_set_text(object, "difference", order_only ? "order" : "value");
    admin_set_answer(of_table, &table);
    if (key->hit != BATCH_NONE)
        admin_set_bytes(of_table, "table_key", table_key(batch, key));
    admin_set_answer(of_map, &map);
    admin_set(object, "table", of_table);
    admin_set(object, "map", of_map);
    ctl_print_json(object);
    json_decref(object);
}

static void set_count(json_t *object, const char *name, unsigned long count)
{
    admin_set(object, name, json_integer((json_int_t)count));
}

static void print_json_end(const struct compare_report *report)
{
    json_t *object = admin_object();

    set_count(object, "compared", report->compared);
    set_count(object, "differences", report->differences);
    set_count(object, "other_order", report->other_order);
    set_count(object, "failures", report->failures);
    set_count(object, "skipped", report->skipped);
    ctl_print_json(object);
    json_decref(object);
}

/* --- both --- */

static void complain(const struct compare_report *report, const struct batch *batch,
                     const struct batch_key *key)
{
    struct buf quoted = {NULL, 0, 0}, reason = {NULL, 0, 0};

    conf_quote(&quoted, batch_slice(&batch->texts, key->key));
    buf_add_slice(&reason, batch_slice(&batch->texts, key->text));
    ctl_complain("%s: %s has no answer now: %s", buf_str(&quoted), report->map,
                 buf_str(&reason));
    buf_fini(&quoted);
    buf_fini(&reason);
}

void compare_report_key(struct compare_report *report, const struct batch *batch,
                        const struct batch_key *key)
{
    struct answer table, map;
    enum owners_relation relation;

    if (key->skipped) {
        report->skipped++;
        return;
    }
    if (key->status == ANSWER_TEMP) {
        report->failures++;
        complain(report, batch, key);
        return;
    }
    table = table_answer(batch, key);
    map = map_answer(batch, key);
    relation = relation_of(&table, &map);
    report->compared++;
    report->differences += relation == OWNERS_DIFFERENT;
    report->other_order += relation == OWNERS_REORDERED;
    if (relation == OWNERS_SAME || (relation == OWNERS_REORDERED && !report->verbose))
        return;
    if (report->json)
        print_json(batch, key, relation == OWNERS_REORDERED);
    else
        print_text(report, batch, key, relation == OWNERS_REORDERED);
}

void compare_report_end(const struct compare_report *report)
{
    if (report->json) {
        print_json_end(report);
        return;
    }
    printf("%lu keys compared, %lu differences", report->compared, report->differences);
    if (report->failures > 0)
        printf(", %lu without an answer of the daemon", report->failures);
    if (report->skipped > 0)
        printf(", %lu passed over: postmap cannot be asked keys with a tab in them",
               report->skipped);
    putchar('\n');
}
