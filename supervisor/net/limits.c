#include "net/limits.h"

const struct net_limits net_limits = {
    .head_bytes = 64 * 1024,
    .headers = 100,
    .body_bytes = 64 * 1024,
    .connections = 256,
    .kept = 16,
    .per_address = 64,
    .head_ms = 10 * 1000,
    .body_ms = 10 * 1000,
    .progress_bytes = 1000,
    .write_ms = 10 * 1000,
    .idle_ms = 75 * 1000,
    .linger_ms = 2 * 1000,
    .discard_bytes = 64 * 1024,
    .window_bytes = 64 * 1024,
    .waiting_bytes = 16 * 1024 * 1024,
};
