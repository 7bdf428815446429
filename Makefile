# SPDX-License-Identifier: GPL-2.0-only
# vxlan-pipeline. `make help` lists the targets.

VERSION := 0.1.0

CC      ?= gcc
CLANG   ?= clang
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool /sbin/bpftool) bpftool)
BUILD   ?= build

WARNINGS := -Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes
CFLAGS   ?= -O2 -g
PKGS     := libbpf yaml-0.1 jansson libmnl libpcap libsystemd
PKG_CFLAGS = $(shell pkg-config --cflags $(PKGS))
PKG_LIBS   = $(shell pkg-config --libs $(PKGS))
ALL_CFLAGS = -std=gnu11 -pthread $(WARNINGS) $(CFLAGS) -D_GNU_SOURCE -DVERSION='"$(VERSION)"' -I$(BUILD) $(PKG_CFLAGS)

MULTIARCH  := $(shell $(CC) -print-multiarch)
BPF_CFLAGS := -target bpf -mcpu=v3 -O2 -g $(WARNINGS) -Wno-missing-prototypes \
	-idirafter /usr/include/$(MULTIARCH)

SOURCES := $(wildcard src/*.c)
OBJECTS := $(SOURCES:src/%.c=$(BUILD)/%.o)
PROGRAM := $(BUILD)/vxlan-pipeline

.PHONY: all
all: $(PROGRAM) $(BUILD)/vxlan_loader ## build the program

$(PROGRAM): $(OBJECTS)
	$(CC) $(CFLAGS) -pthread $(LDFLAGS) -o $@ $^ $(PKG_LIBS)

$(BUILD)/vxlan_loader: $(PROGRAM)
	ln -sf vxlan-pipeline $@

$(BUILD)/%.o: src/%.c | $(BUILD)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/%.bpf.o: bpf/%.bpf.c | $(BUILD)
	$(CLANG) $(BPF_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/%.skel.h: $(BUILD)/%.bpf.o
	$(BPFTOOL) gen skeleton $< name $(subst -,_,$*)_bpf > $@.tmp && mv $@.tmp $@

$(patsubst src/%.c,$(BUILD)/%.o,$(wildcard src/datapath_*.c)): $(BUILD)/pipeline.skel.h
$(BUILD)/generator_program.o: $(BUILD)/generate.skel.h
$(BUILD)/receiver.o: $(BUILD)/receive.skel.h

$(BUILD):
	mkdir -p $@

.PHONY: clean
clean: ## remove what was built
	rm -rf $(BUILD)

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | sort | expand -t 16

-include $(wildcard $(BUILD)/*.d)
