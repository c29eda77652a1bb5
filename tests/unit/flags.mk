# Flags of single unit tests: allocations and reads that are made to fail.
wrap = $(foreach f,$(1),-Wl,--wrap=$(f))
ldflags_test_world := $(call wrap,malloc calloc realloc)
ldflags_test_world_json_bad := $(call wrap,malloc calloc realloc)
ldflags_test_cgroup_life := $(call wrap,malloc calloc realloc openat pread)
ldflags_test_host := $(call wrap,malloc calloc realloc openat pread)
ldflags_test_process := $(call wrap,malloc calloc realloc openat pread)
ldflags_test_connections := $(call wrap,malloc calloc realloc openat pread)
ldflags_test_port := $(call wrap,malloc calloc realloc openat pread)
ldflags_test_listener := $(call wrap,malloc calloc realloc openat pread)
ldflags_test_judge_life := $(call wrap,malloc calloc realloc openat pread)
ldflags_test_gpu := $(call wrap,malloc calloc realloc openat pread)
ldflags_test_net_parser := $(call wrap,malloc calloc realloc openat pread)
ldflags_test_net_exchange := $(call wrap,calloc)

# test_gpu loads these by itself, from beside it: a library with NVML's names, in three versions.
$(out)/tests/fake_nvml_%.so: tests/fake_nvml/nvml.c
	@mkdir -p $(@D)
	$(call said,LINK)$(CC) -std=gnu17 -D_GNU_SOURCE -g $(WARNINGS) -fPIC -shared -fvisibility=hidden \
	  -DNVML_PROCESSES=$* -o $(half) $< && mv -f $(half) $@
$(out)/tests/test_gpu: | $(foreach n,1 2 3,$(out)/tests/fake_nvml_$(n).so)
