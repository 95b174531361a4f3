/* See cache_parts.h: the memory that entries stand in, and its order. */
#include <stdlib.h>

#include "dictd/base/mem.h"
#include "dictd/lookup/cache_parts.h"

static size_t numbers_for(size_t limit_bytes)
{
    const size_t most = ((size_t)1 << (32 - CACHE_PLACE_BITS)) - 1;
    size_t n = limit_bytes / CACHE_UNIT_BYTES + 64; /* some for making room first */

    return n < most ? n : most;
}

void cache_segments_init(struct cache_segments *segments, struct cache_memory *memory,
                         size_t limit_bytes)
{
    *segments = (struct cache_segments){.memory = memory};
    cache_segments_grow(segments, limit_bytes);
}

void cache_segments_grow(struct cache_segments *segments, size_t limit_bytes)
{
    size_t n = numbers_for(limit_bytes), i;

    if (n <= segments->n_max)
        return;
    segments->at = mem_realloc(segments->at, (n + 1) * sizeof *segments->at);
    segments->free_numbers =
        mem_realloc(segments->free_numbers, n * sizeof *segments->free_numbers);
    for (i = n; i > segments->n_max; i--) {
        segments->at[i] = NULL;
        segments->free_numbers[segments->n_free++] = (uint32_t)i;
    }
    segments->n_max = n;
}

void cache_segments_fini(struct cache_segments *segments)
{
    size_t i;

    for (i = 1; i <= segments->n_max; i++) {
        if (segments->at[i] != NULL)
            cache_segment_free(segments, segments->at[i]);
    }
    free(segments->at);
    free(segments->free_numbers);
}

static size_t room_for(size_t entry_size)
{
    return entry_size > CACHE_SEGMENT_ROOM ? entry_size : CACHE_SEGMENT_ROOM;
}

static size_t cost_of(size_t room)
{
    return room == CACHE_SEGMENT_ROOM
               ? (size_t)CACHE_UNIT_COST
               : room + sizeof(struct cache_segment) + CACHE_MALLOC_BYTES;
}

size_t cache_segment_cost(size_t entry_size)
{
    return cost_of(room_for(entry_size));
}

static struct cache_segment *segment_new(struct cache_segments *segments, size_t room)
{
    struct cache_segment *segment;

    if (segments->n_free == 0)
        return NULL;
    segment = room == CACHE_SEGMENT_ROOM ? cache_memory_get(segments->memory)
                                         : mem_alloc(sizeof *segment + room);
    *segment = (struct cache_segment){.number = segments->free_numbers[--segments->n_free],
                                      .capacity = (uint32_t)room};
    segments->at[segment->number] = segment;
    segments->bytes += cost_of(room);
    return segment;
}

void cache_segment_free(struct cache_segments *segments, struct cache_segment *segment)
{
    segments->bytes -= cost_of(segment->capacity);
    segments->at[segment->number] = NULL;
    segments->free_numbers[segments->n_free++] = segment->number;
    if (segment->capacity == CACHE_SEGMENT_ROOM)
        cache_memory_put(segments->memory, segment);
    else
        free(segment);
}

/* --- queues --- */

bool cache_queue_has_room(const struct cache_queue *queue, size_t entry_size)
{
    return queue->newest != NULL && queue->newest->capacity - queue->newest->used >= entry_size;
}

void cache_queue_append_whole(struct cache_queue *queue, struct cache_segment *segment)
{
    segment->next = NULL;
    if (queue->newest != NULL)
        queue->newest->next = segment;
    else
        queue->oldest = segment;
    queue->newest = segment;
    queue->bytes += cost_of(segment->capacity);
}

struct cache_segment *cache_queue_take_oldest(struct cache_queue *queue)
{
    struct cache_segment *segment = queue->oldest;

    queue->oldest = segment->next;
    if (queue->oldest == NULL)
        queue->newest = NULL;
    queue->bytes -= cost_of(segment->capacity);
    return segment;
}

struct cache_entry *cache_queue_append(struct cache_segments *segments,
                                       struct cache_queue *queue, size_t entry_size,
                                       cache_handle *handle)
{
    struct cache_segment *segment = queue->newest;
    void *entry;

    if (!cache_queue_has_room(queue, entry_size)) {
        segment = segment_new(segments, room_for(entry_size));
        if (segment == NULL)
            return NULL;
        cache_queue_append_whole(queue, segment);
    }
    entry = segment->bytes + segment->used;
    *handle = cache_segment_handle(segment, segment->used);
    segment->used += (uint32_t)entry_size;
    return entry;
}
