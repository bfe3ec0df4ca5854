// SPDX-License-Identifier: Apache-2.0

#include "ids.h"
#include "mix.h"

#include <stdlib.h>
#include <string.h>

// calloc() and places that are used in order: of a ring of millions only the part in use takes memory.
bool md_ids_init(md_ids *ids, uint32_t in_flight, uint32_t closed, uint64_t seed) {
    size_t places = (size_t)in_flight + closed;
    size_t heads = 1;
    while (heads < places)
        heads *= 2;
    *ids = (md_ids){.mask = heads - 1, .seed = seed, .ring_first = in_flight, .ring_size = closed};
    ids->places = calloc(places, sizeof(*ids->places));
    ids->heads = malloc(heads * sizeof(*ids->heads));
    if (!ids->places || !ids->heads)
        return false;
    memset(ids->heads, 0xFF, heads * sizeof(*ids->heads)); // all MD_NOWHERE
    return true;
}

void md_ids_free(md_ids *ids) {
    free(ids->places);
    free(ids->heads);
    *ids = (md_ids){0};
}

static uint32_t *head_of(const md_ids *ids, md_id id) {
    uint64_t hash = md_mix(id.time_ms * UINT64_C(0x9E3779B97F4A7C15) + id.serial + (id.node ^ ids->seed));
    return &ids->heads[hash & ids->mask];
}

bool md_ids_holds(const md_ids *ids, uint32_t place, md_id id) {
    const struct md_place *p = &ids->places[place];
    return p->serial == id.serial && p->time_ms == id.time_ms && p->node == id.node;
}

uint32_t md_ids_find(const md_ids *ids, md_id id) {
    uint32_t place = *head_of(ids, id);
    while (place != MD_NOWHERE && !md_ids_holds(ids, place, id))
        place = ids->places[place].next;
    return place;
}

md_id md_ids_at(const md_ids *ids, uint32_t place) {
    const struct md_place *p = &ids->places[place];
    return (md_id){.node = p->node, .time_ms = p->time_ms, .serial = p->serial};
}

void md_ids_put(md_ids *ids, uint32_t place, md_id id) {
    uint32_t *head = head_of(ids, id);
    ids->places[place] = (struct md_place){id.node, id.time_ms, id.serial, *head, {0}};
    *head = place;
}

void md_ids_clear(md_ids *ids, uint32_t place) {
    uint32_t *link = head_of(ids, md_ids_at(ids, place));
    while (*link != place)
        link = &ids->places[*link].next;
    *link = ids->places[place].next;
}

void md_ids_remember(md_ids *ids, md_id id, md_closed closed) {
    uint32_t place = ids->ring_first + ids->ring_next;
    if (ids->ring_used == ids->ring_size)
        md_ids_clear(ids, place);
    else
        ids->ring_used++;
    md_ids_put(ids, place, id);
    ids->places[place].closed = closed;
    ids->ring_next = ids->ring_next + 1 < ids->ring_size ? ids->ring_next + 1 : 0;
}

md_closed *md_ids_closed(md_ids *ids, uint32_t place) {
    return &ids->places[place].closed;
}

uint64_t md_ids_node(const md_ids *ids, bool has_node, md_span name) {
    if (!has_node)
        return 0;
    uint64_t hash = ids->seed;
    for (size_t i = 0; i < name.len; i++)
        hash = (hash ^ (uint64_t)md_at(name, i)) * UINT64_C(0x100000001B3);
    return md_mix(hash) | 1;
}
