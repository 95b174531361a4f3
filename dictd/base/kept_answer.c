/* See kept_answer.h. */
#include "dictd/base/kept_answer.h"

#include <stdlib.h>

#include "dictd/base/mem.h"

void kept_answer_set(struct kept_answer *kept, const struct answer *answer)
{
    struct slice text = answer->text;

    kept_answer_fini(kept);
    if (text.len > sizeof kept->shorter)
        kept->longer = mem_strndup(text.ptr, text.len);
    else if (text.len > 0)
        memcpy(kept->shorter, text.ptr, text.len);
    kept->status = answer->status;
    kept->len = text.len;
}

void kept_answer_fini(struct kept_answer *kept)
{
    free(kept->longer);
    kept->longer = NULL;
}
