// SPDX-License-Identifier: GPL-2.0-only
#include "datapath/names.h"

static const struct {
	const char *name;
	const char *meaning;
	enum verdict_class class;
} verdicts[VERDICT_COUNT] = {
#define X(upper, lower, kind, text) [VERDICT_##upper] = {#lower, text, VERDICT_CLASS_##kind},
	PIPELINE_VERDICTS(X)
#undef X
};

static const struct {
	const char *name;
	const char *meaning;
} events[EVENT_COUNT] = {
#define X(upper, lower, text) [EVENT_##upper] = {#lower, text},
	PIPELINE_EVENTS(X)
#undef X
};

static const struct {
	const char *name;
	const char *meaning;
} losses[LOSS_COUNT] = {
#define X(upper, lower, place, text) [LOSS_##upper] = {#lower, text},
	PIPELINE_LOSSES(X)
#undef X
};

const char *verdict_name(enum verdict verdict)
{
	return verdicts[verdict].name;
}

const char *verdict_meaning(enum verdict verdict)
{
	return verdicts[verdict].meaning;
}

enum verdict_class verdict_class(enum verdict verdict)
{
	return verdicts[verdict].class;
}

const char *event_name(enum event event)
{
	return events[event].name;
}

const char *event_meaning(enum event event)
{
	return events[event].meaning;
}

const char *loss_name(enum loss loss)
{
	return losses[loss].name;
}

const char *loss_meaning(enum loss loss)
{
	return losses[loss].meaning;
}
