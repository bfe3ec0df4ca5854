// SPDX-License-Identifier: Apache-2.0
//
// libauparse as plugins use it: fed with what comes, called back for each event, where it does nothing.

#include <auparse.h>
#include <stdio.h>
#include <unistd.h>

enum { CHUNK = 1 << 18 };

static unsigned long events;

static void ready(auparse_state_t *state, auparse_cb_event_t kind, void *data) {
    (void)state;
    (void)data;
    events += kind == AUPARSE_CB_EVENT_READY;
}

int main(void) {
    static char buffer[CHUNK];
    auparse_state_t *state = auparse_init(AUSOURCE_FEED, NULL);
    if (!state)
        return 1;
    auparse_add_callback(state, ready, NULL, NULL);
    for (ssize_t got; (got = read(0, buffer, CHUNK)) > 0;)
        auparse_feed(state, buffer, (size_t)got);
    auparse_flush_feed(state);
    auparse_destroy(state);
    printf("%lu events\n", events);
    return 0;
}
