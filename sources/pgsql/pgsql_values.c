/* See pgsql_values.h. */
#include "sources/pgsql/pgsql_values.h"

/* False: more than expansion_limit. */
static bool add_values(const struct pgsql_config *config, struct template_input *input,
                       const struct pgsql_rows *rows, struct buf *out)
{
    uint64_t n = 0;

    for (int row = rows->row; row < rows->end; row++) {
        for (int column = rows->column; column < PQnfields(rows->result); column++) {
            const struct slice value = {PQgetvalue(rows->result, row, column),
                                        (size_t)PQgetlength(rows->result, row, column)};

            if (template_add_value(config->result_format, input, &config->needs, value, out) &&
                ++n > config->expansion_limit && config->expansion_limit > 0)
                return false;
        }
    }
    return true;
}

struct answer pgsql_values_answer(const struct pgsql_config *config, struct slice key,
                                  const struct pgsql_rows *rows, struct buf *scratch)
{
    struct template_input input;

    buf_clear(scratch);
    if (!template_set_key(&input, &config->needs, key))
        return answer_not_found();
    if (!add_values(config, &input, rows, scratch))
        return answer_temp("the key has more values than expansion_limit allows");
    return scratch->len > 0 ? answer_found(buf_slice(scratch)) : answer_not_found();
}
