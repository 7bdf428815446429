# SPDX-License-Identifier: GPL-2.0-only
# Unit tests: every test_*.c, in the folders of src/, becomes a program of its own, linked with the objects of
# src/ that it calls and run under the address and undefined-behaviour sanitizers.

UNIT_BUILD   := $(BUILD)/unit
UNIT_SOURCES := $(filter-out src/cli/main.c,$(SOURCES))
UNIT_OBJECTS := $(UNIT_SOURCES:%.c=$(UNIT_BUILD)/%.o)
UNIT_TESTS   := $(patsubst tests/unit/%.c,$(UNIT_BUILD)/%,$(wildcard tests/unit/*/test_*.c))
UNIT_CFLAGS   = $(ALL_CFLAGS) -O1 -fsanitize=address,undefined -fno-sanitize-recover=all

.PHONY: test-unit
test-unit: $(UNIT_TESTS) ## run the unit tests
	@failed=0; for test in $(UNIT_TESTS); do \
		echo "== $${test##*/}"; $$test || failed=1; \
	done; exit $$failed

$(UNIT_TESTS): $(UNIT_BUILD)/%: tests/unit/%.c $(UNIT_BUILD)/unit.a
	@mkdir -p $(@D)
	$(CC) $(UNIT_CFLAGS) -MMD -MP -MF $@.d -o $@ $< \
		$(UNIT_BUILD)/unit.a -Wl,--as-needed $(PKG_LIBS) $(shell pkg-config --libs cmocka)

# The program itself under the sanitizers, for the tests that inject faults (tests/hostile/test_system_calls.py).
.PHONY: sanitized-program
sanitized-program: $(UNIT_BUILD)/vxlan-pipeline

$(UNIT_BUILD)/vxlan-pipeline: $(UNIT_OBJECTS) $(UNIT_BUILD)/src/cli/main.o
	$(CC) $(UNIT_CFLAGS) -o $@ $^ $(PKG_LIBS)

# An archive, so that a test links only the objects that it calls; made with q, as r keeps only one of two
# objects with the same name.
$(UNIT_BUILD)/unit.a: $(UNIT_OBJECTS)
	rm -f $@ && $(AR) qcs $@ $^

$(UNIT_BUILD)/src/%.o: src/%.c | $(GENERATED)
	@mkdir -p $(@D)
	$(CC) $(UNIT_CFLAGS) -MMD -MP -c -o $@ $<

-include $(wildcard $(UNIT_BUILD)/*/*.d $(UNIT_BUILD)/src/*/*.d)
