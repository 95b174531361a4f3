/* See pgsql_sender.h. */
#include "sources/pgsql/pgsql_sender.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dictd/base/mem.h"
#include "sources/pgsql/pgsql_batch.h"
#include "sources/pgsql/pgsql_error.h"

enum { TEXT_FORMAT = 0, NAME_OF_ONE = 0, NAME_OF_ARRAY = 1 };

void pgsql_sender_init(struct pgsql_sender *sender, const struct pgsql_config *config,
                       enum pgsql_mode mode)
{
    size_t n = config->statement->n_params;

    *sender = (struct pgsql_sender){.config = config, .mode = mode};
    sender->offsets = mem_array(n, sizeof *sender->offsets);
    sender->values = mem_array(n, sizeof *sender->values);
    sender->columns = mem_array(n, sizeof *sender->columns);
}

void pgsql_sender_fini(struct pgsql_sender *sender)
{
    for (size_t i = 0; i < sender->config->statement->n_params; i++)
        buf_fini(&sender->columns[i]);
    free(sender->columns);
    free(sender->offsets);
    free(sender->values);
    buf_fini(&sender->text);
    buf_fini(&sender->batch);
}

/* Where a backslash in '...' is an escape, the text means what Postfix's expansion makes of it.
 */
void pgsql_sender_connected(struct pgsql_sender *sender, PGconn *pg)
{
    const struct pgsql_statement *statement = sender->config->statement;
    const char *conforming = PQparameterStatus(pg, "standard_conforming_strings");

    sender->pg = pg;
    if (!statement->bound ||
        (statement->backslashes && conforming != NULL && strcmp(conforming, "off") == 0))
        sender->mode = PGSQL_MODE_TEXT;
}

/* ------------------------------------------------------------- preparing */

/* The name says the text (FNV-1a). Behind a proxy that pools transactions, what others prepared
 * may stand under our name; if so, it is the same query. */
static bool prepare_as(struct pgsql_sender *sender, size_t name, const char *text)
{
    uint64_t hash = 14695981039346656037u;

    for (const char *at = text; *at != '\0'; at++)
        hash = (hash ^ (unsigned char)*at) * 1099511628211u;
    snprintf(sender->names[name], sizeof sender->names[name], "dictd_%016llx",
             (unsigned long long)hash);
    return PQsendPrepare(sender->pg, sender->names[name], text, 0, NULL) == 1;
}

bool pgsql_sender_prepare(struct pgsql_sender *sender)
{
    return PQsendQueryParams(sender->pg, pgsql_instance_query, 0, NULL, NULL, NULL, NULL,
                             TEXT_FORMAT) == 1 &&
           prepare_as(sender, NAME_OF_ONE, sender->config->statement->text) &&
           PQsendDescribePrepared(sender->pg, sender->names[NAME_OF_ONE]) == 1;
}

void pgsql_sender_take_instance(struct pgsql_sender *sender, const PGresult *result)
{
    pgsql_instance_take(&sender->instance, result, sender->pg);
}

void pgsql_sender_take_description(struct pgsql_sender *sender, const PGresult *description)
{
    const struct pgsql_statement *statement = sender->config->statement;
    unsigned *types;

    if (PQresultStatus(description) != PGRES_COMMAND_OK)
        return;
    if ((size_t)PQnparams(description) != statement->n_params) {
        sender->mode = PGSQL_MODE_TEXT; /* a command whose inside PREPARE does not look at */
        return;
    }
    types = mem_array(statement->n_params, sizeof *types);
    for (size_t i = 0; i < statement->n_params; i++)
        types[i] = PQparamtype(description, (int)i);
    pgsql_batch_text(&sender->batch, statement, types);
    free(types);
}

bool pgsql_sender_wants_array(const struct pgsql_sender *sender)
{
    return sender->instance.direct && sender->batch.len > 0 &&
           sender->mode == PGSQL_MODE_PREPARED;
}

bool pgsql_sender_prepare_array(struct pgsql_sender *sender)
{
    return prepare_as(sender, NAME_OF_ARRAY, buf_str(&sender->batch));
}

/* ---------------------------------------------------------------- sending */

static bool quote(void *ctx, struct buf *out, struct slice piece)
{
    struct pgsql_sender *sender = ctx;
    char *to = buf_reserve(out, 2 * piece.len + 1);
    int error = 0;

    out->len += PQescapeStringConn(sender->pg, to, piece.ptr, piece.len, &error);
    return error == 0;
}

/* A literal for the whole of it, E'' if need be: whatever the server's settings are. */
static bool quote_whole(void *ctx, struct buf *out, struct slice value)
{
    struct pgsql_sender *sender = ctx;
    char *literal = PQescapeLiteral(sender->pg, value.ptr, value.len);

    if (literal == NULL)
        return false;
    buf_add_str(out, literal);
    PQfreemem(literal);
    return true;
}

static const struct pgsql_quoting quoting = {.part = quote, .literal = quote_whole};

static void set_key(const struct pgsql_sender *sender, struct template_input *input,
                    const struct backend_execution *execution)
{
    /* Whether it is to be asked at all was decided before it was submitted. */
    (void)template_set_key(input, &sender->config->needs, execution->key);
}

static bool send_prepared(struct pgsql_sender *sender, size_t name)
{
    return PQsendQueryPrepared(sender->pg, sender->names[name],
                               (int)sender->config->statement->n_params, sender->values, NULL,
                               NULL, TEXT_FORMAT) == 1;
}

static bool send_values(struct pgsql_sender *sender, const struct template_input *input)
{
    const struct pgsql_statement *statement = sender->config->statement;

    pgsql_statement_values(statement, input, &sender->text, sender->offsets);
    for (size_t i = 0; i < statement->n_params; i++)
        sender->values[i] = sender->text.data + sender->offsets[i];
    if (sender->mode == PGSQL_MODE_PREPARED)
        return send_prepared(sender, NAME_OF_ONE);
    return PQsendQueryParams(sender->pg, statement->text, (int)statement->n_params, NULL,
                             sender->values, NULL, NULL, TEXT_FORMAT) == 1;
}

enum pgsql_sent pgsql_sender_send_one(struct pgsql_sender *sender,
                                      const struct backend_execution *execution)
{
    struct template_input input;
    bool good;

    set_key(sender, &input, execution);
    buf_clear(&sender->text);
    if (sender->mode <= PGSQL_MODE_BOUND)
        good = send_values(sender, &input);
    else if (!pgsql_text_expand(sender->config->statement->expanded, &input, &quoting, sender,
                                &sender->text))
        return PGSQL_SENT_NOT_ESCAPED;
    else if (sender->mode == PGSQL_MODE_TEXT)
        good = PQsendQueryParams(sender->pg, buf_str(&sender->text), 0, NULL, NULL, NULL, NULL,
                                 TEXT_FORMAT) == 1;
    else
        good = PQsendQuery(sender->pg, buf_str(&sender->text)) == 1;
    return good ? PGSQL_SENT : PGSQL_SENT_BROKEN;
}

void pgsql_sender_start_array(struct pgsql_sender *sender)
{
    for (size_t i = 0; i < sender->config->statement->n_params; i++) {
        buf_clear(&sender->columns[i]);
        buf_add_char(&sender->columns[i], '{');
    }
}

void pgsql_sender_add_to_array(struct pgsql_sender *sender,
                               const struct backend_execution *execution)
{
    const struct pgsql_statement *statement = sender->config->statement;
    struct template_input input;

    set_key(sender, &input, execution);
    buf_clear(&sender->text);
    pgsql_statement_values(statement, &input, &sender->text, sender->offsets);
    for (size_t i = 0; i < statement->n_params; i++) {
        if (sender->columns[i].len > 1)
            buf_add_char(&sender->columns[i], ',');
        pgsql_batch_add_element(&sender->columns[i], sender->text.data + sender->offsets[i]);
    }
}

bool pgsql_sender_send_array(struct pgsql_sender *sender)
{
    for (size_t i = 0; i < sender->config->statement->n_params; i++) {
        buf_add_char(&sender->columns[i], '}');
        sender->values[i] = buf_str(&sender->columns[i]);
    }
    return send_prepared(sender, NAME_OF_ARRAY);
}

bool pgsql_sender_refused(struct pgsql_sender *sender, enum pgsql_mode sent_as,
                          const PGresult *result)
{
    if (sent_as == PGSQL_MODE_PREPARED && pgsql_error_is_forgotten(result)) {
        if (sender->mode == PGSQL_MODE_PREPARED)
            sender->mode = PGSQL_MODE_BOUND;
        return true;
    }
    if (sent_as < sender->mode)
        return true; /* it went with others, before the first of them was refused */
    if (sender->proven || !pgsql_error_is_syntax(result))
        return false;
    if (sender->mode <= PGSQL_MODE_BOUND) {
        sender->mode = PGSQL_MODE_TEXT;
        return true;
    }
    /* Several commands in one text are for queries that say so, not for keys to add. */
    if (sender->mode == PGSQL_MODE_TEXT && !sender->config->statement->open_to_keys) {
        sender->mode = PGSQL_MODE_SIMPLE;
        return true;
    }
    return false;
}
