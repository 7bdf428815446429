# SPDX-License-Identifier: GPL-2.0-only
# The bench: its own BPF programs, and the programs that load them.

BENCH_BUILD    := $(BUILD)/bench
BENCH_OBJECTS  := $(patsubst tests/bench/%.bpf.c,$(BENCH_BUILD)/%.bpf.o,$(wildcard tests/bench/*.bpf.c))
BENCH_PROGRAMS := $(patsubst tests/bench/%.c,$(BENCH_BUILD)/%,\
	$(filter-out %.bpf.c,$(wildcard tests/bench/*.c)))

BENCH_SKELETONS := $(BENCH_PROGRAMS:%=%.skel.h)

.PHONY: bench
bench: all bench-programs ## measure against the kernel's other ways to do this job (root)
	@tests/bench/run $(BENCH)

.PHONY: bench-programs
bench-programs: $(BENCH_OBJECTS) $(BENCH_PROGRAMS)

$(BENCH_BUILD)/%.bpf.o: tests/bench/%.bpf.c | $(BENCH_BUILD)
	$(CLANG) $(BPF_CFLAGS) -MMD -MP -c -o $@ $<

$(BENCH_BUILD)/%.skel.h: $(BENCH_BUILD)/%.bpf.o
	$(BPFTOOL) gen skeleton $< name $*_bpf > $@.tmp && mv $@.tmp $@

$(BENCH_BUILD)/%: tests/bench/%.c $(BENCH_BUILD)/%.skel.h
	$(CC) $(ALL_CFLAGS) -MMD -MP -MF $@.d -o $@ $(filter %.c %.o,$^) -lbpf

$(BENCH_BUILD)/source: $(BUILD)/src/net/parking.o

.PRECIOUS: $(BENCH_BUILD)/%.bpf.o $(BENCH_BUILD)/%.skel.h

$(BENCH_BUILD):
	mkdir -p $@

-include $(wildcard $(BENCH_BUILD)/*.d)
