// SPDX-License-Identifier: GPL-2.0-only
/* What is known of a neighbour while its interface goes down and comes back. */
#include "daemon/neighbours.h"
#include "tests/unit/unit.h"

#define NOW 10000 /* ms */

static const uint8_t mac[6] = {0x02, 0x11, 0x12, 0x13, 0x14, 0x15};

/* One neighbour that is known, and forgotten by the kernel in this moment. */
static struct neighbour *one_in_doubt(struct neighbours *neighbours)
{
	const struct ip_address address = {.version = 4, .bytes = {10, 20, 0, 2}};
	struct rtnl_neighbour news = {.address = address, .valid = true};

	memset(neighbours, 0, sizeof(*neighbours));
	memcpy(news.mac, mac, sizeof(mac));
	assert_int_equal(neighbours_set(neighbours, &address, 1), 0);
	neighbours->now = NOW;
	neighbours_learn(neighbours, &news);
	news.valid = false;
	news.failed = true;
	neighbours_learn(neighbours, &news);
	return neighbours_find(neighbours, &address);
}

static void is_given_up_while_up(void **state)
{
	struct neighbours neighbours;
	struct neighbour *neighbour = one_in_doubt(&neighbours);

	(void)state;
	neighbours_set_up(&neighbours, true);
	assert_int_equal(neighbours_due(&neighbours), NOW);
	neighbour->doubted_until = NOW + NEIGHBOUR_PATIENCE_MS; /* it was asked */
	neighbours.now = NOW + NEIGHBOUR_PATIENCE_MS - 1;
	assert_false(neighbours_give_up(&neighbours));
	neighbours.now++;
	assert_true(neighbours_give_up(&neighbours));
	assert_false(neighbour->known);
	assert_true(neighbour->failed);
	neighbours_clear(&neighbours);
}

/* One that is deleted while it is asked for is asked for again at once, but not for ever. */
static void deleted_again_is_asked_again(void **state)
{
	struct neighbours neighbours;
	struct neighbour *neighbour = one_in_doubt(&neighbours);
	struct rtnl_neighbour gone = {.address = neighbour->address, .failed = true, .gone = true};

	(void)state;
	neighbour->doubted_until = NOW + NEIGHBOUR_PATIENCE_MS; /* it was asked */
	neighbour->probe_at = NOW + NEIGHBOUR_PATIENCE_MS;
	neighbours.now = NOW + NEIGHBOUR_PATIENCE_MS - 1;
	neighbours_learn(&neighbours, &gone);
	assert_int_equal(neighbours_due(&neighbours), neighbours.now);
	neighbours.now += 2;
	assert_false(neighbours_give_up(&neighbours));

	neighbour->doubted_until = NOW + NEIGHBOUR_DOUBT_MS + 1; /* and again */
	neighbours.now = NOW + NEIGHBOUR_DOUBT_MS;
	neighbours_learn(&neighbours, &gone);
	neighbours.now++;
	assert_true(neighbours_give_up(&neighbours));
	assert_true(neighbour->failed);
	neighbours_clear(&neighbours);
}

/* That the kernel's own probes went unanswered does not begin the wait anew. */
static void failed_again_is_not(void **state)
{
	struct neighbours neighbours;
	struct neighbour *neighbour = one_in_doubt(&neighbours);
	const struct rtnl_neighbour failed = {.address = neighbour->address, .failed = true};

	(void)state;
	neighbour->doubted_until = NOW + NEIGHBOUR_PATIENCE_MS;
	neighbours.now = NOW + NEIGHBOUR_PATIENCE_MS - 1;
	neighbours_learn(&neighbours, &failed);
	neighbours.now++;
	assert_true(neighbours_give_up(&neighbours));
	neighbours_clear(&neighbours);
}

/* However long it is down, and although it had been asked for when it went down. */
static void is_kept_while_down(void **state)
{
	struct neighbours neighbours;
	struct neighbour *neighbour = one_in_doubt(&neighbours);

	(void)state;
	neighbour->doubted_until = NOW + NEIGHBOUR_PATIENCE_MS;
	neighbours_set_up(&neighbours, false);
	assert_true(neighbours_due(&neighbours) == INT64_MAX);
	neighbours.now = NOW + 100 * NEIGHBOUR_PATIENCE_MS;
	assert_false(neighbours_give_up(&neighbours));

	neighbours_set_up(&neighbours, true);
	assert_false(neighbours_give_up(&neighbours));
	assert_true(neighbour->known);
	assert_memory_equal(neighbour->mac, mac, sizeof(mac));
	assert_int_equal(neighbours_due(&neighbours), neighbours.now); /* asked at once */

	/* and again, if it is deleted meanwhile: the doubt is a new one */
	neighbour->doubted_until = neighbours.now + NEIGHBOUR_PATIENCE_MS;
	neighbours.now += NEIGHBOUR_PATIENCE_MS - 1;
	neighbours_learn(&neighbours, &(struct rtnl_neighbour){.address = neighbour->address,
							       .failed = true,
							       .gone = true});
	neighbours.now++;
	assert_false(neighbours_give_up(&neighbours));
	neighbours_clear(&neighbours);
}

/* Nobody asks for what an operator has set, so no answer could end a doubt about it. */
static void a_lasting_one_is_not_doubted(void **state)
{
	struct neighbours neighbours;
	struct neighbour *neighbour = one_in_doubt(&neighbours);

	(void)state;
	neighbour->lasting = true;
	neighbour->doubted_until = 0;
	neighbours_set_up(&neighbours, false);
	neighbours_set_up(&neighbours, true);
	assert_true(neighbours_due(&neighbours) == INT64_MAX);
	assert_true(neighbour->known);
	neighbours_clear(&neighbours);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_given_up_while_up),
		cmocka_unit_test(deleted_again_is_asked_again),
		cmocka_unit_test(failed_again_is_not),
		cmocka_unit_test(is_kept_while_down),
		cmocka_unit_test(a_lasting_one_is_not_doubted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
