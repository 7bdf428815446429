# SPDX-License-Identifier: GPL-2.0-only
# Hostile input: libFuzzer on everything that reads what others wrote (fuzz_*.c), and the datapath
# compared with a model on millions of packets (the rest).

FUZZ_BUILD   := $(BUILD)/fuzz
FUZZ_RUNS    ?= 1000000
FUZZ_PACKETS ?= 5000000

# ---- libFuzzer: each target is a program of its own, under the sanitizers ----

FUZZ_TARGETS  := $(patsubst tests/fuzz/fuzz_%.c,$(FUZZ_BUILD)/fuzz_%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_SOURCES  := $(filter-out src/datapath/% src/cli/%,$(SOURCES))
FUZZ_OBJECTS  := $(FUZZ_SOURCES:%.c=$(FUZZ_BUILD)/%.o)
FUZZ_CFLAGS    = $(ALL_CFLAGS) -O1 -fno-omit-frame-pointer -fno-sanitize-recover=all

$(FUZZ_BUILD)/fuzz_%: tests/fuzz/fuzz_%.c $(FUZZ_BUILD)/fuzz.a
	$(CLANG) $(FUZZ_CFLAGS) -fsanitize=fuzzer,address,undefined -MMD -MP -MF $@.d -o $@ $< \
		$(FUZZ_BUILD)/fuzz.a -Wl,--as-needed $(PKG_LIBS)

# An archive, so that a target links only the objects it calls; q as in unit.mk.
$(FUZZ_BUILD)/fuzz.a: $(FUZZ_OBJECTS)
	rm -f $@ && $(AR) qcs $@ $^

$(FUZZ_BUILD)/src/%.o: src/%.c | $(GENERATED)
	@mkdir -p $(@D)
	$(CLANG) $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link,address,undefined -MMD -MP -c -o $@ $<

# ---- the differential fuzzer: the program's own objects and the model ----

DIFFERENTIAL_SOURCES := $(filter-out tests/fuzz/fuzz_%,$(wildcard tests/fuzz/*.c))
DIFFERENTIAL_OBJECTS := $(DIFFERENTIAL_SOURCES:tests/fuzz/%.c=$(FUZZ_BUILD)/differential-%.o)

$(FUZZ_BUILD)/differential: $(DIFFERENTIAL_OBJECTS) $(filter-out $(BUILD)/src/cli/main.o,$(OBJECTS))
	$(CC) $(CFLAGS) -pthread $(LDFLAGS) -o $@ $^ $(PKG_LIBS)

$(FUZZ_BUILD)/differential-%.o: tests/fuzz/%.c | $(FUZZ_BUILD) $(GENERATED)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# The same with a broken datapath, whose sources are in mutants/NAME/bpf; files that embed the
# program are compiled again.
MUTANT_EMBEDS := $(shell grep -l -e datapath/internal.h src/datapath/*.c)
MUTANT_OTHERS := $(filter-out $(BUILD)/src/cli/main.o $(MUTANT_EMBEDS:%.c=$(BUILD)/%.o),$(OBJECTS))

$(FUZZ_BUILD)/mutants/%/pipeline.bpf.o: $(FUZZ_BUILD)/mutants/%/bpf/pipeline.bpf.c
	$(CLANG) $(BPF_CFLAGS) -w -c -o $@ $<

$(FUZZ_BUILD)/mutants/%/pipeline.skel.h: $(FUZZ_BUILD)/mutants/%/pipeline.bpf.o
	$(BPFTOOL) gen skeleton $< name pipeline_bpf > $@.tmp && mv $@.tmp $@

$(FUZZ_BUILD)/mutants/%/differential: $(FUZZ_BUILD)/mutants/%/pipeline.skel.h \
		$(DIFFERENTIAL_OBJECTS) $(MUTANT_OTHERS)
	$(CC) -I$(@D) $(ALL_CFLAGS) -O0 -o $@ $(MUTANT_EMBEDS) \
		$(DIFFERENTIAL_OBJECTS) $(MUTANT_OTHERS) $(PKG_LIBS)

.PRECIOUS: $(FUZZ_BUILD)/mutants/%/pipeline.bpf.o $(FUZZ_BUILD)/mutants/%/pipeline.skel.h

$(FUZZ_BUILD):
	mkdir -p $@

.PHONY: fuzz-programs
fuzz-programs: $(FUZZ_TARGETS) $(FUZZ_BUILD)/differential

.PHONY: fuzz
fuzz: all fuzz-programs ## fuzz what reads foreign bytes; compare the datapath with a model on millions of packets (root)
	@failed=0; \
	FUZZ_BUILD=$(FUZZ_BUILD) tests/fuzz/run --runs $(FUZZ_RUNS) --packets $(FUZZ_PACKETS) || failed=1; \
	FUZZ_MUTANTS=all tests/run fuzz || failed=1; \
	exit $$failed

-include $(wildcard $(FUZZ_BUILD)/*.d $(FUZZ_BUILD)/src/*/*.d)
