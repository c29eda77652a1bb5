/* The host's memory and pressure, through kept descriptors. */
#ifndef SUPERVISOR_SENSE_HOST_H
#define SUPERVISOR_SENSE_HOST_H

#include "base/error.h"
#include "sense/world.h"

struct host_reader;
/* PROCFS/meminfo must open (err says why not); PROCFS/pressure/memory may be missing (PSI unknown
 * then). */
int host_open(const char *procfs, struct host_reader **ret_reader, struct error *err);
void host_close(struct host_reader *reader);
/* 0 or -errno; what could not be read is unknown. MemAvailable, never MemFree. */
int host_read(struct host_reader *reader, struct host *ret_host);
/* Opened, read, closed; -errno and everything unknown where it cannot be opened. */
int host_read_once(const char *procfs, struct host *ret_host, struct error *err);

#endif
