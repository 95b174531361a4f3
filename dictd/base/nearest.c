/* See nearest.h. */
#include "dictd/base/nearest.h"

#include <string.h>

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static size_t min2(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t nearest_distance(const char *a, const char *b, size_t limit)
{
    size_t rows[3][NEAREST_MAX_LEN + 1];
    size_t *before = rows[0], *last = rows[1], *now = rows[2];
    size_t n = strlen(a), m = strlen(b);

    if (n > NEAREST_MAX_LEN || m > NEAREST_MAX_LEN || (n > m ? n - m : m - n) > limit)
        return limit + 1;
    for (size_t j = 0; j <= m; j++)
        last[j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t *unused = before;

        now[0] = i;
        for (size_t j = 1; j <= m; j++) {
            char x = lower(a[i - 1]), y = lower(b[j - 1]);

            now[j] = min2(min2(last[j], now[j - 1]) + 1, last[j - 1] + (x != y));
            if (i > 1 && j > 1 && x == lower(b[j - 2]) && y == lower(a[i - 2]))
                now[j] = min2(now[j], before[j - 2] + 1);
        }
        before = last;
        last = now;
        now = unused;
    }
    return min2(last[m], limit + 1);
}

void nearest_init(struct nearest *nearest, const char *wrong)
{
    size_t len = strlen(wrong);

    nearest->wrong = wrong;
    nearest->best[0] = '\0';
    /* One more than what still counts. */
    nearest->best_distance = len > NEAREST_MAX_LEN ? 0 : (len < 6 ? 2 : len / 3) + 1;
}

void nearest_offer(struct nearest *nearest, const char *name)
{
    size_t distance;

    if (nearest->best_distance == 0)
        return;
    distance = nearest_distance(nearest->wrong, name, nearest->best_distance - 1);
    if (distance >= nearest->best_distance)
        return;
    nearest->best_distance = distance;
    memcpy(nearest->best, name, strlen(name) + 1); /* nearest_distance bounds its length */
}

const char *nearest_found(const struct nearest *nearest)
{
    return nearest->best[0] != '\0' ? nearest->best : NULL;
}
