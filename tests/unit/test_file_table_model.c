/* A file_table with random keys and values, against a list that is searched from its front. */
#include <stdint.h>
#include <time.h>

#include "dictd/base/mem.h"
#include "sources/file/file_table.h"
#include "tests/unit/unit.h"

static uint64_t random_state;

static size_t random_below(size_t n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (size_t)(random_state >> 11) % n;
}

enum { MODEL_MAX = 600 };

struct model {
    size_t n;
    struct {
        char key[1400];
        size_t key_len;
        enum answer_status status;
        char text[1400];
        size_t text_len;
    } of[MODEL_MAX];
};

/* Short, around the bounds of a record's form, or long; few different bytes. */
static size_t random_text(char *to, bool may_be_long)
{
    static const size_t around[] = {0, 8, 16, 63, 64, 65, 252, 253, 254, 255, 256, 257};
    size_t len = random_below(4);

    if (random_below(4) == 0)
        len = around[random_below(sizeof around / sizeof *around)];
    else if (may_be_long && random_below(20) == 0)
        len = random_below(1400);
    for (size_t i = 0; i < len; i++)
        to[i] = (char)(random_below(3) * 127);
    return len;
}

static size_t model_find(const struct model *model, struct slice key)
{
    size_t i = 0;

    while (i < model->n && !slice_eq(slice_of(model->of[i].key, model->of[i].key_len), key))
        i++;
    return i;
}

static bool model_has(const struct model *model, size_t i, struct answer answer)
{
    if (i == model->n)
        return answer.status == ANSWER_NOT_FOUND && answer.text.len == 0;
    return answer.status == model->of[i].status &&
           slice_eq(answer.text, slice_of(model->of[i].text, model->of[i].text_len));
}

static bool add_random(struct file_table *table, struct model *model, struct slice *last)
{
    size_t i = model->n;
    struct slice text;
    struct answer answer;
    bool is_new;

    model->of[i].key_len = random_text(model->of[i].key, true);
    model->of[i].text_len = random_text(model->of[i].text, true);
    text = slice_of(model->of[i].text, model->of[i].text_len);
    answer.status = random_below(10) == 0 ? ANSWER_PERM : ANSWER_FOUND;
    if (last->ptr != NULL && random_below(4) == 0) { /* shared with an earlier one */
        memcpy(model->of[i].text, last->ptr, last->len);
        model->of[i].text_len = last->len;
    } else {
        *last = file_table_keep(table, text);
    }
    if (random_below(10) == 0)
        file_table_keep(table, text); /* for nobody */
    answer.text = *last;
    model->of[i].status = answer.status;
    is_new = model_find(model, slice_of(model->of[i].key, model->of[i].key_len)) == i;
    if (file_table_add(table, slice_of(model->of[i].key, model->of[i].key_len), answer) !=
        is_new)
        return false;
    model->n += is_new;
    return true;
}

static bool all_as_modelled(const struct file_table *table, const struct model *model)
{
    struct slice key;
    struct answer answer;
    char other[1400];

    for (size_t i = 0; i < model->n; i++) {
        struct slice want = slice_of(model->of[i].key, model->of[i].key_len);

        if (!model_has(model, i, file_table_find(table, want)) || !file_table_has(table, want))
            return false;
        if (!file_table_at(table, i, &key, &answer) || !slice_eq(key, want) ||
            !model_has(model, i, answer))
            return false;
    }
    for (size_t i = 0; i < 200; i++) {
        size_t found;

        key = slice_of(other, random_text(other, true));
        found = model_find(model, key);
        if (!model_has(model, found, file_table_find(table, key)) ||
            file_table_has(table, key) != (found < model->n))
            return false;
    }
    return file_table_count(table) == model->n &&
           !file_table_at(table, model->n, &key, &answer);
}

static void test_table_as_modelled(void)
{
    struct model *model = mem_alloc(sizeof *model);
    const char *given = getenv("SEED");
    uint64_t first_seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);

    for (uint64_t seed = first_seed; seed < first_seed + 60; seed++) {
        struct file_table *table = file_table_new();
        struct slice last = {NULL, 0};
        bool good = true;
        size_t adds;

        random_state = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15);
        adds = random_below(MODEL_MAX);
        model->n = 0;
        for (size_t i = 0; good && i < adds; i++)
            good = add_random(table, model, &last);
        if (!good || !all_as_modelled(table, model)) {
            fprintf(stderr, "\nSEED=%llu\n", (unsigned long long)seed);
            CU_FAIL("the table is as the model");
        }
        file_table_free(table);
    }
    free(model);
}

int main(void)
{
    return unit_run("file_table_model", (struct unit_test[]){
                                            {"as modelled", test_table_as_modelled},
                                            {0},
                                        });
}
