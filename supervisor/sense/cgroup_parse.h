/* The texts of cgroup files, brought to the facts of struct cgroup_memory. Pure: no file, no clock.
 * What is not in the text, is torn or is too large stays as it was. */
#ifndef SUPERVISOR_SENSE_CGROUP_PARSE_H
#define SUPERVISOR_SENSE_CGROUP_PARSE_H

#include "sense/text.h"
#include "sense/world.h"

/* Version 1 writes "unlimited" as 2^63 - 1 rounded down to pages; no real limit comes near 2^60. */
#define CGROUP_UNLIMITED ((int64_t)1 << 60)

/* memory.stat: anon, file (without shmem), shmem, inactive_file; kernel and swapcached on version
 * 2, swap on version 1. Version 1 has total_… for the cgroup with its children: those are taken. */
void cgroup_parse_stat(struct text text, int version, struct cgroup_memory *memory);

/* A file of one number and a newline; FACT_UNKNOWN for anything else. */
fact cgroup_parse_number(struct text text);
/* The same; FACT_NONE for "max" and from CGROUP_UNLIMITED on. */
fact cgroup_parse_limit(struct text text);
/* The value of one key of a file of lines "key value"; FACT_UNKNOWN where it is not. */
fact cgroup_parse_key(struct text text, const char *key);

/* Bytes read from all disks: io.stat ("8:0 rbytes=1 wbytes=2 …"), or version 1's
 * blkio.throttle.io_service_bytes ("8:0 Read 1"). An empty file: none yet. */
fact cgroup_parse_reads(struct text text);

/* "some avg10=0.00 avg60=0.00 avg300=0.00 total=0" and the same for full: memory.pressure,
 * /proc/pressure/memory. *psi is initialised by this call. */
void psi_parse(struct text text, struct psi *psi);

#endif
