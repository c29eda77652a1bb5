# supervisor: `make help` lists the targets.
#
# Everything in supervisor/ but main.c goes into one library for each flavour; the program, the
# unit tests, the fuzzers and the benchmarks are linked to it. A flavour is a compiler with flags:
#   release  gcc -O2 -g                   the program and the benchmarks
#   asan     gcc, address and undefined   the unit tests
#   clang    clang -O0                    a second opinion on the warnings
#   fuzz     clang, libFuzzer             the fuzzers
FLAVOUR ?= release
BUILD   ?= build
WERROR  ?= 0
PREFIX  ?= /usr/local
DESTDIR ?=

MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:

VERSION := $(shell cat VERSION)

# ---- what must be installed: pkg-config's name and Debian's, asked only where something is built

modules      := libcurl jansson libuv sqlite3 libcgroup inih openssl
package       = $(package_$(1))
package_libcurl   := libcurl4-openssl-dev
package_jansson   := libjansson-dev
package_libuv     := libuv1-dev
package_sqlite3   := libsqlite3-dev
package_libcgroup := libcgroup-dev
package_inih      := libinih-dev
package_openssl   := libssl-dev
package_libllhttp := libllhttp-dev (Debian 12: node-llhttp)
package_cmocka    := libcmocka-dev

passive := help clean format format-check lint test bench mutants up down
goals   := $(or $(MAKECMDGOALS),all)
ifneq ($(filter-out $(passive),$(goals)),)
  ifeq ($(shell command -v pkg-config),)
    $(error pkg-config is missing. Install it: apt-get install pkg-config)
  endif
  compiler := $(if $(filter clang fuzz,$(FLAVOUR)),clang,gcc)
  ifeq ($(shell command -v $(compiler)),)
    $(error the compiler $(compiler) is missing. Install it: apt-get install $(compiler))
  endif
  # llhttp is a library in Debian 13. Debian 12 has its three C files in node-llhttp: they are compiled from there.
  llhttp_src := $(wildcard $(addprefix /usr/share/llhttp/,llhttp.c api.c http.c))
  ifeq ($(and $(shell pkg-config --exists libllhttp || echo none),$(llhttp_src)),)
    modules += libllhttp
    llhttp_src :=
    llhttp_is  := libllhttp $(shell pkg-config --modversion libllhttp 2>/dev/null)
  else
    llhttp_is  := compiled from /usr/share/llhttp, $(shell dpkg-query -W node-llhttp 2>/dev/null)
  endif
  ifneq ($(filter unit unit-build run-unit objects,$(goals)),)
    modules += cmocka
  endif
  missing := $(strip $(foreach m,$(modules),$(shell pkg-config --exists $(m) || echo $(m))))
  ifneq ($(missing),)
    $(foreach m,$(missing),$(info missing: $(m), of the package $(call package,$(m))))
    $(error libraries are missing. Install them: apt-get install $(foreach m,$(missing),$(call package,$(m))))
  endif
  PKG_CFLAGS := $(shell pkg-config --cflags $(modules))
  PKG_LIBS   := $(shell pkg-config --libs $(filter-out cmocka,$(modules)))
endif

# ---- flags

flags_release := -O2 -g
flags_clang   := -O0 # its warnings come before it optimises
flags_asan    := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
flags_fuzz    := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
# UBSan's own shared runtime writes to stderr alone, whatever log_path says.
ldflags_asan  := -static-libubsan
compiler_release := gcc
compiler_asan    := gcc
compiler_clang   := clang
compiler_fuzz    := clang
ifeq ($(flags_$(FLAVOUR)),)
  $(error unknown FLAVOUR "$(FLAVOUR)"; there are: release asan clang fuzz)
endif

CC        = $(compiler_$(FLAVOUR))
WARNINGS := -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
ifeq ($(compiler_$(FLAVOUR)),clang)
  WARNINGS += -Wno-enum-float-conversion # numbers are constants of an enum here, and some count seconds
endif
werror   := $(if $(filter 1,$(WERROR)), -Werror)
CFLAGS   ?=
CPPFLAGS ?=
LDFLAGS  ?=
cflags   = -std=gnu17 $(flags_$(FLAVOUR)) $(WARNINGS)$(werror) -fstack-protector-strong -fno-common $(CFLAGS)
cppflags = -D_GNU_SOURCE -DSUPERVISOR_VERSION='"$(VERSION)"' -iquote supervisor $(PKG_CFLAGS) $(if $(llhttp_src),-isystem /usr/share/include/llhttp) $(CPPFLAGS)
ldflags  = $(flags_$(FLAVOUR)) $(ldflags_$(FLAVOUR)) -Wl,--as-needed -Wl,-z,relro,-z,now $(LDFLAGS)
libs     = $(PKG_LIBS) -lm -ldl

# What is made gets its name when it is whole, so that two makes side by side do not read each other's halves.
said  = $(if $(V),,@printf '  %-5s %s\n' $(1) $@;)
half  = $@.$$$$.new

# ---- what there is

find      = $(sort $(shell find $(1) -name '$(2)' 2>/dev/null))
out      := $(BUILD)/$(FLAVOUR)
lib      := $(out)/libsupervisor.a
lib_src  := $(filter-out supervisor/main.c,$(call find,supervisor,*.c))
main_src := $(wildcard supervisor/main.c)
test_src := $(call find,tests/unit,test_*.c)
help_src := $(filter-out $(test_src),$(call find,tests/unit,*.c))
fuzz_src := $(call find,tests/fuzz,fuzz_*.c)
perf_src := $(call find,tests/bench,bench_*.c)
pers_src := $(filter-out $(perf_src),$(call find,tests/bench,*.c))
sim_src  := $(call find,tests/simollama,*.c)
net_src  := $(call find,tests/netserver,*.c)

obj       = $(patsubst %.c,$(out)/obj/%.o,$(1))
names     = $(basename $(notdir $(1)))
tests    := $(addprefix $(out)/tests/,$(call names,$(test_src)))
fuzzers  := $(addprefix $(BUILD)/fuzz/,$(call names,$(fuzz_src)))
benches  := $(addprefix $(BUILD)/bench/,$(call names,$(perf_src)))
program  := $(if $(main_src),$(out)/supervisor)

.PHONY: all objects lib program unit unit-build run-unit test bench bench-build judge-bench fuzz fuzz-build simollama netserver shims
.PHONY: prove prove-matrix prove-sanitized prove-ticks mutants
.PHONY: format format-check lint up down install deb clean help

## all: the program, build/supervisor
all: program

## objects: every source compiled and nothing linked, for what a compiler says of them
objects: $(call obj,$(main_src) $(lib_src) $(test_src) $(help_src) $(perf_src) $(pers_src) $(fuzz_src) $(net_src)) shims

# The command line's flags are remembered, so that other flags compile anew and the same ones do not. -Werror makes no
# other objects: what was compiled with it is good without it, and not the other way round.
flagfile := $(out)/flags
stamp     = $(CC) $(subst $(werror),,$(cflags)) $(cppflags)
ifneq ($(filter-out $(passive),$(goals)),)
  $(shell mkdir -p $(out); printf '%s\n' '$(subst ','\'',$(stamp))$(werror)' >$(flagfile).$$$$; \
          { cmp -s $(flagfile).$$$$ $(flagfile) || sed 's/ -Werror$$//' $(flagfile) 2>/dev/null | cmp -s $(flagfile).$$$$; } && \
          rm -f $(flagfile).$$$$ || mv -f $(flagfile).$$$$ $(flagfile))
endif

lib: $(lib)

ifeq ($(FLAVOUR),release)
program: $(if $(main_src),$(BUILD)/supervisor)
$(BUILD)/supervisor: $(program)
	@cp -f $< $(half) && mv -f $(half) $@
else
program: $(program)
endif

$(out)/supervisor: $(call obj,$(main_src)) $(lib)
	$(call said,LINK)$(CC) $(ldflags) -o $(half) $^ $(libs) && mv -f $(half) $@

llhttp_obj := $(patsubst %.c,$(out)/obj/llhttp/%.o,$(notdir $(llhttp_src)))

$(lib): $(call obj,$(lib_src)) $(llhttp_obj)
	@mkdir -p $(@D)
	@printf '  %-5s %s\n' HTTP 'llhttp: $(llhttp_is)'
	$(call said,AR)ar crs $(half) $^ && mv -f $(half) $@

# Somebody else's code: its warnings are theirs. Without its strict mode it reads what is no HTTP.
$(llhttp_obj): $(out)/obj/llhttp/%.o: /usr/share/llhttp/%.c $(flagfile)
	@mkdir -p $(@D)
	$(call said,CC)$(CC) $(cflags) $(cppflags) -w -DLLHTTP_STRICT_MODE=1 -c -o $(half) $< && mv -f $(half) $@

$(out)/obj/%.o: %.c $(flagfile)
	@mkdir -p $(@D)
	$(call said,CC)$(CC) $(cflags) $(cppflags) $(cppflags_$(firstword $(subst /, ,$(patsubst tests/%,%,$<)))) \
	  -MMD -MP -MF $(@:.o=.d) -MT $@ -c -o $(half) $< && mv -f $(half) $@

# Headers of the tests' own helpers; the benchmarks and fuzzers see theirs by directory.
cppflags_unit  := -iquote tests/unit
cppflags_fuzz  := -iquote tests/fuzz
cppflags_bench := -iquote tests/bench
cppflags_netserver := -iquote tests

# ---- unit tests: tests/unit/test_*.c, each a program; other files there are linked to each of them.
# A test that needs flags of its own names them in tests/unit/flags.mk: ldflags_test_x := -Wl,--wrap=malloc

-include tests/unit/flags.mk

## unit: builds and runs the unit tests under the address and undefined-behaviour sanitizers
unit:
	@$(MAKE) --no-print-directory FLAVOUR=asan run-unit

unit-build: $(tests)

run-unit: $(tests)
	@tests/unit/run $(tests)

define unit_rule
$(out)/tests/$(basename $(notdir $(1))): $(call obj,$(1)) $(call obj,$(help_src)) $(lib)
	@mkdir -p $$(@D)
	$$(call said,LINK)$$(CC) $$(ldflags) $$(ldflags_$(basename $(notdir $(1)))) -o $$(half) $$^ $$(libs) -lcmocka && mv -f $$(half) $$@
endef
$(foreach t,$(test_src),$(eval $(call unit_rule,$(t))))

# ---- fuzzers: tests/fuzz/fuzz_*.c, each with LLVMFuzzerTestOneInput

## fuzz: builds and runs the fuzzers, SECONDS=60 in all
fuzz:
	@$(MAKE) --no-print-directory FLAVOUR=fuzz fuzz-build
	@tests/fuzz/run $(or $(SECONDS),60) $(BUILD)/fuzz

ifeq ($(FLAVOUR),fuzz)
fuzz-build: $(fuzzers)
else
fuzz-build:
	@$(MAKE) --no-print-directory FLAVOUR=fuzz fuzz-build
endif

define fuzz_rule
$(BUILD)/fuzz/$(basename $(notdir $(1))): $(call obj,$(1)) $(lib)
	@mkdir -p $$(@D)
	$$(call said,LINK)$$(CC) $$(ldflags) -fsanitize=fuzzer -o $$(half) $$^ $$(libs) && mv -f $$(half) $$@
endef
$(foreach f,$(fuzz_src),$(eval $(call fuzz_rule,$(f))))

# ---- benchmarks: tests/bench/bench_*.c

## bench: builds and runs the benchmarks and prints their bars
bench:
	@scripts/bench

bench-build: $(benches)

define bench_rule
$(BUILD)/bench/$(basename $(notdir $(1))): $(call obj,$(1)) $(call obj,$(pers_src)) $(lib)
	@mkdir -p $$(@D)
	$$(call said,LINK)$$(CC) $$(ldflags) -o $$(half) $$^ $$(libs) && mv -f $$(half) $$@
endef
$(foreach b,$(perf_src),$(eval $(call bench_rule,$(b))))

## judge-bench: how good the judgement is: replays all of tests/traces and compares with what was true
judge-bench: program
	@tests/bench/judge_bench

# ---- the stand-in for Ollama: static, so that its image needs nothing else

## simollama: the stand-in for Ollama, build/simollama
simollama: $(if $(sim_src),$(BUILD)/simollama)

sim_libs = $(shell pkg-config --libs --static libuv-static jansson 2>/dev/null || echo -luv_a -ljansson -lpthread -ldl -lrt)
sim_obj := $(patsubst %.c,$(out)/sim/%.o,$(sim_src))
objects: $(sim_obj)

$(out)/sim/%.o: %.c $(flagfile)
	@mkdir -p $(@D)
	$(call said,CC)$(CC) $(cflags) -D_GNU_SOURCE -DSUPERVISOR_VERSION='"$(VERSION)"' \
	  -MMD -MP -MF $(@:.o=.d) -MT $@ -c -o $(half) $< && mv -f $(half) $@

$(BUILD)/simollama: $(sim_obj)
	$(call said,LINK)$(CC) $(flags_$(FLAVOUR)) -static $(LDFLAGS) -o $(half) $^ $(sim_libs) && mv -f $(half) $@

# ---- a server over the room net/, for its tests

## netserver: what tests of the HTTP server talk to, build/netserver
netserver: $(BUILD)/netserver

$(BUILD)/netserver: $(call obj,$(net_src)) $(lib)
	$(call said,LINK)$(CC) $(ldflags) -o $(half) $^ $(libs) && mv -f $(half) $@

# ---- libraries that tests preload into the program: tests/shim/NAME.c

## shims: what tests preload, build/shim/NAME.so
shims: $(patsubst tests/shim/%.c,$(BUILD)/shim/%.so,$(wildcard tests/shim/*.c))

$(BUILD)/shim/%.so: tests/shim/%.c $(wildcard tests/shim/*.h) $(flagfile)
	@mkdir -p $(@D)
	$(call said,LINK)$(CC) $(cflags) -D_GNU_SOURCE -fPIC -shared -o $(half) $< && mv -f $(half) $@

## prove: what takes hours, on real engines (needs root and gdb): the fault matrix, the sanitizers, a million ticks
prove:
	@$(MAKE) --no-print-directory prove-matrix
	@$(MAKE) --no-print-directory prove-sanitized
	@$(MAKE) --no-print-directory prove-ticks

## prove-matrix: each stage of each remedy times each fault (an hour; ENGINES=3 side by side)
prove-matrix: program simollama shims
	tests/lab/run /usr/bin/python3 -B -m pytest tests/system/test_fault_matrix.py -m "prove or not prove" -q -p no:cacheprovider \
	  --workers $(or $(ENGINES),3) --split $(or $(ENGINES),3)

## prove-sanitized: tests/system with the sanitizers in the program (an hour; MODULES="test_heal test_fix" for some)
prove-sanitized: simollama shims
	@$(MAKE) --no-print-directory FLAVOUR=asan program
	tests/prove/sanitized $(MODULES)

## prove-ticks: a million ticks with containers that come and go (an hour; TICKS=100000 for fewer)
prove-ticks: program simollama shims
	tests/prove/ticks --ticks $(or $(TICKS),1000000)

## mutants: breaks the code on purpose and says which faults no unit test notices (N=300 SEED=any ROOM=all)
mutants:
	@tests/mutants/mutants -n $(or $(N),300) $(if $(SEED),--seed $(SEED)) $(addprefix --room ,$(ROOM)) $(if $(SYSTEM),--system '$(SYSTEM)')

# ---- the look, the checks, the scripts

# One version, which Debian 12 and 13 both have: no two lay out the same.
sources = $(or $(FILES),$(call find,supervisor tests,*.[ch]))

## format: lays out the sources by clang-format (FILES="a.c b.h" for some of them)
format:
	$(if $(sources),clang-format-19 -i $(sources))

## format-check: says which sources clang-format would change
format-check:
	$(if $(sources),clang-format-19 --dry-run -Werror $(sources))

## lint: banned functions, static analysis, shellcheck
lint:
	@scripts/test lint

## test: everything that proves the program (needs root, takes minutes)
test:
	@scripts/test

## up: starts Ollama and the supervisor by Compose
up:
	@scripts/up

## down: takes them away again
down:
	@scripts/down

# Where zsh looks; Debian's packages have a place of their own.
ZSH_DIR ?= $(PREFIX)/share/zsh/site-functions
share    = $(DESTDIR)$(PREFIX)/share

## install: the program, its manual page and completion into DESTDIR and PREFIX (/usr/local)
install: all
	install -D -m 0755 $(BUILD)/supervisor "$(DESTDIR)$(PREFIX)/bin/supervisor"
	install -d "$(share)/man/man8" "$(share)/bash-completion/completions" "$(DESTDIR)$(ZSH_DIR)" "$(share)/fish/vendor_completions.d"
	scripts/manual $(BUILD)/supervisor >"$(share)/man/man8/supervisor.8"
	$(BUILD)/supervisor completion bash >"$(share)/bash-completion/completions/supervisor"
	$(BUILD)/supervisor completion zsh >"$(DESTDIR)$(ZSH_DIR)/_supervisor"
	$(BUILD)/supervisor completion fish >"$(share)/fish/vendor_completions.d/supervisor.fish"

## deb: a package for the Debian that this is, build/ollama-supervisor_*.deb
deb:
	+@packaging/deb

## clean: removes build/
clean:
	rm -rf $(BUILD)

## help: lists the targets
help:
	@sed -n 's/^## \([a-z-]*\): \(.*\)/\1\t\2/p' Makefile | while IFS="$$(printf '\t')" read -r t d; do \
	  printf '  make %-15s %s\n' "$$t" "$$d"; done
	@echo '  Variables: FLAVOUR=release|asan|clang|fuzz  WERROR=1  V=1  BUILD=build  PREFIX=/usr/local  DESTDIR='

# Not all of $(BUILD): other engines' trees lie there too, with directories named *.d.
-include $(call find,$(out)/obj $(out)/sim,*.d)
