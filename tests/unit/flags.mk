# Flags of single unit tests: allocations and reads that are made to fail.
wrap = $(foreach f,$(1),-Wl,--wrap=$(f))
ldflags_test_world := $(call wrap,malloc calloc realloc)
ldflags_test_world_json_bad := $(call wrap,malloc calloc realloc)
ldflags_test_cgroup_life := $(call wrap,malloc calloc realloc openat pread)
ldflags_test_host := $(call wrap,malloc calloc realloc openat pread)
ldflags_test_process := $(call wrap,malloc calloc realloc openat pread)
ldflags_test_connections := $(call wrap,malloc calloc realloc openat pread)
ldflags_test_judge_life := $(call wrap,malloc calloc realloc openat pread)
