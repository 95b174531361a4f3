/*
 * loop_libevent - the event base under a loop, for libraries that want one.
 *
 * Only for what libevent itself offers on top of its base (evhttp). The base
 * stays the loop's. Threads: the loop thread.
 */
#ifndef DICTD_LOOP_LOOP_LIBEVENT_H
#define DICTD_LOOP_LOOP_LIBEVENT_H

#include "dictd/loop/loop.h"

struct event_base;

struct event_base *loop_event_base(struct loop *loop);

#endif
