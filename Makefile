# SPDX-License-Identifier: GPL-2.0-only
# vxlan-pipeline. `make help` lists the targets.

VERSION := 0.1.0

ifeq ($(origin CC),default)
CC      := gcc
endif
CLANG   ?= clang
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool /sbin/bpftool) bpftool)
BUILD   ?= build

WARNINGS := -Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes
ifdef WERROR
WARNINGS += -Werror
endif
CFLAGS   ?= -O2 -g
PKGS     := libbpf yaml-0.1 jansson libmnl libnftnl libpcap libsystemd libmicrohttpd libcap
PKG_CFLAGS = $(shell pkg-config --cflags $(PKGS))
PKG_LIBS   = $(shell pkg-config --libs $(PKGS))
ALL_CFLAGS = -std=gnu11 -pthread $(WARNINGS) $(CPPFLAGS) $(CFLAGS) -D_GNU_SOURCE -DVERSION='"$(VERSION)"' -I$(BUILD) -iquote src -iquote . $(PKG_CFLAGS)

MULTIARCH   = $(shell $(CC) -print-multiarch)
# The objects go into the program: they must not depend on where they were built.
BPF_CFLAGS  = -target bpf -mcpu=v3 -O2 -g $(WARNINGS) -Wno-missing-prototypes -ffile-prefix-map=$(CURDIR)=. -iquote . \
	-idirafter /usr/include/$(MULTIARCH)

# STATIC='libbpf libpcap' links these of PKGS, and the libraries that they need, from their archives: for
# systems whose shared libraries are too old or have another name. Debian's libpcap can capture from
# D-Bus; without the two entry points for that, which nothing here calls, it needs no libdbus.
ifdef STATIC
NEEDS_OF_libbpf  := -lelf -lz
BEFORE_libpcap   := -Wl,--defsym=dbus_findalldevs=0,--defsym=dbus_create=0
PKG_LIBS = $(foreach name,$(STATIC),$(BEFORE_$(name)) \
	$(patsubst -l%,-l:lib%.a,$(shell pkg-config --libs-only-l $(name))) $(NEEDS_OF_$(name))) \
	$(shell pkg-config --libs $(filter-out $(STATIC),$(PKGS)))
endif

SOURCES := $(wildcard src/*/*.c)
OBJECTS := $(SOURCES:%.c=$(BUILD)/%.o)
PROGRAM := $(BUILD)/vxlan-pipeline
SKELETONS := $(patsubst bpf/%.bpf.c,$(BUILD)/%.skel.h,$(wildcard bpf/*.bpf.c))

.PHONY: all
all: $(PROGRAM) $(BUILD)/vxlan_loader ## build the program

$(PROGRAM): $(OBJECTS)
	$(CC) $(CFLAGS) -pthread $(LDFLAGS) -o $@ $^ $(PKG_LIBS)

$(BUILD)/vxlan_loader: $(PROGRAM)
	ln -sf vxlan-pipeline $@

$(BUILD)/src/%.o: src/%.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/%.bpf.o: bpf/%.bpf.c | ready $(BUILD)
	$(CLANG) $(BPF_CFLAGS) -MMD -MP -c -o $@ $<

# Linking leaves out the debugging sections, which would go into the program, and into its memory.
$(BUILD)/%.skel.h: $(BUILD)/%.bpf.o
	$(BPFTOOL) gen object $@.o $<
	$(BPFTOOL) gen skeleton $@.o name $(subst -,_,$*)_bpf > $@.tmp && mv $@.tmp $@

# The files of the page, as they are and compressed, as arrays that src/web/assets.c includes.
PAGE       := $(patsubst src/web/page/%,$(BUILD)/%.inc,$(wildcard src/web/page/*))
page_array  = echo 'static const unsigned char $(subst .,_,$*)_$(1)[] = {' && \
	od -An -v -tx1 $(2) | sed 's/ \(..\)/0x\1,/g' && echo '};'

$(BUILD)/%.gz: src/web/page/% | $(BUILD)
	gzip -9nc $< > $@.tmp && mv $@.tmp $@

$(BUILD)/%.inc: src/web/page/% $(BUILD)/%.gz
	{ $(call page_array,plain,$<) && $(call page_array,gzip,$(BUILD)/$*.gz); } > $@.tmp && mv $@.tmp $@

.PRECIOUS: $(BUILD)/%.gz

# Made before anything is compiled; from then on the .d files say which file includes which.
GENERATED := $(SKELETONS) $(PAGE)
$(OBJECTS): | $(GENERATED)

# make must not delete it: the skeleton is made from it.
.PRECIOUS: $(BUILD)/%.bpf.o

$(BUILD):
	mkdir -p $@

# Runs before anything is compiled, and says what to do where a compiler would only fail. `sudo make demo` and
# `sudo make test` build as root; another user cannot overwrite these files. The bench needs root anyway, and
# `make clean` would remove its history.
READY_TOOLS = $(firstword $(CC)) $(firstword $(CLANG)) $(BPFTOOL) pkg-config gzip
READY_AGAIN = $(if $(filter bench,$(MAKECMDGOALS)),run it as root: sudo make bench,to begin anew: sudo make clean)
READY_FAIL  = { echo "make: $(1)" >&2; exit 1; }
.PHONY: ready
ready:
	@for tool in $(READY_TOOLS); do command -v "$$tool" > /dev/null || \
		$(call READY_FAIL,$$tool is not installed; to install what is missing: sudo make deps); done
	@pkg-config --exists --print-errors $(PKGS) || \
		$(call READY_FAIL,a library is not installed; to install what is missing: sudo make deps)
	@other=$$(find $(BUILD) -maxdepth 4 -path $(BUILD)/system -prune -o \
		! -writable \( -path $(BUILD) -o -name '*.[dho]' \) -print -quit 2> /dev/null); [ -z "$$other" ] || \
		$(call READY_FAIL,$$other belongs to $$(stat -c %U "$$other") and $$(id -un) cannot write to it; $(READY_AGAIN))

include tests/unit/unit.mk
include tests/fuzz/fuzz.mk
include tests/bench/bench.mk
include tests/endurance/endurance.mk
include tests/ansible/ansible.mk
include tests/page/page.mk
include tests/aws/aws.mk
include tests/watching/watching.mk
include tests/containers/containers.mk
include dist/install.mk
include dist/packages.mk
include dist/container/container.mk
include rpm/rpm.mk
include ansible/ansible.mk
include cloudformation/cloudformation.mk

.PHONY: deps
deps: ## install what build, tests, lint and demo need (Debian and relatives; root)
	@.ci/deps

.PHONY: demo
demo: ## show the whole product on three hosts made of network namespaces (root)
	@tests/demo/run

.PHONY: test
test: ## run every test (root)
	@tests/all

.PHONY: test-kernels
test-kernels: all sanitized-program ## test on the kernels of Debian 11, 12 and 13, in qemu; KERNELS="bookworm": on one (root)
	@tests/kernels/run $(KERNELS)

.PHONY: deps-kernels
deps-kernels: ## install what test-kernels needs besides (Debian and relatives; root)
	@.ci/deps kernels

.PHONY: lint
lint: ## format, static analysis and a warning-free build; changes nothing
	@.ci/lint

# `make lint` runs clang-tidy on every C file, with the flags by which it is compiled. Reports go to
# files; only the findings are printed.
TIDY_C   := $(addprefix tidy-,$(filter-out %.bpf.c,$(wildcard src/*/*.c tests/*/*.c tests/unit/*/*.c)))
TIDY_BPF := $(addprefix tidy-,$(wildcard bpf/*.bpf.c tests/*/*.bpf.c))
TIDY_LOG  = $(BUILD)/tidy.$(subst /,.,$*)
TIDY      = clang-tidy --quiet $* -- $(1) > $(TIDY_LOG) 2>&1 || \
	{ grep -E ': (error|warning): ' $(TIDY_LOG); echo "$*: how it comes about: $(TIDY_LOG)"; false; }
.PHONY: tidy $(TIDY_C) $(TIDY_BPF)
tidy: $(TIDY_C) $(TIDY_BPF)
$(TIDY_C): tidy-%: | $(GENERATED) $(BENCH_SKELETONS)
	@$(call TIDY,$(ALL_CFLAGS))
$(TIDY_BPF): tidy-%: | $(BUILD)
	@$(call TIDY,$(BPF_CFLAGS))

.PHONY: clean
clean: ## remove everything that was built
	rm -rf $(BUILD)

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | sort | expand -t 16

-include $(wildcard $(BUILD)/*.d $(BUILD)/src/*/*.d)
