# SPDX-License-Identifier: GPL-2.0-only
# Endurance: reloads, kills and upgrades under a million packets a second; slow clients; a soak.

ENDURANCE_BUILD   := $(BUILD)/endurance
ENDURANCE_OBJECTS := $(patsubst tests/endurance/%.bpf.c,$(ENDURANCE_BUILD)/%.bpf.o,\
	$(wildcard tests/endurance/*.bpf.c))

.PHONY: test-endurance
test-endurance: all endurance-programs ## reloads, kills, upgrades at a million packets a second; a soak (half an hour, root)
	@tests/endurance/run $(ENDURANCE)

.PHONY: endurance-programs
endurance-programs: $(ENDURANCE_OBJECTS) endurance-other

# The program that tests upgrade to: another version, whose datapath has other instructions (BPF v2)
# of the same source. The other BPF programs need v3.
ENDURANCE_OTHER = $(MAKE) -s --no-print-directory BUILD=$(ENDURANCE_BUILD)/other VERSION=$(VERSION)+other
.PHONY: endurance-other
endurance-other: all
	+@$(ENDURANCE_OTHER) BPF_CFLAGS='$(subst -mcpu=v3,-mcpu=v2,$(BPF_CFLAGS))' \
		$(ENDURANCE_BUILD)/other/pipeline.bpf.o
	+@$(ENDURANCE_OTHER) all

$(ENDURANCE_BUILD)/%.bpf.o: tests/endurance/%.bpf.c | $(ENDURANCE_BUILD)
	$(CLANG) $(BPF_CFLAGS) -MMD -MP -c -o $@ $<

$(ENDURANCE_BUILD):
	mkdir -p $@

-include $(wildcard $(ENDURANCE_BUILD)/*.d)
