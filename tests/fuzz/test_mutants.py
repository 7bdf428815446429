# SPDX-License-Identifier: GPL-2.0-only
"""
Tests of the differential fuzzer: it must find each of these mistakes in the datapath. By default a
few are drawn at random; FUZZ_MUTANTS=all tries all.
"""

import os
import random
import shutil
import subprocess
import unittest

from lib import program

BUILD = "build/fuzz/mutants"
SEED = int(os.environ.get("FUZZ_SEED", "0") or 0) or int.from_bytes(os.urandom(4), "big") >> 1
FEW = 3
PACKETS = 200000  # most are found within the first thousand

# (sentence, header, text in it, replacement that makes the mistake)
MUTANTS = (
    ("a VNI that is not the one is taken", "tunnel.h",
     "if (vni != config.vni)", "if (vni < config.vni)"),
    ("every source may send", "tunnel.h",
     "if (!bpf_map_lookup_elem(&sources, &key))", "if (!config.port)"),
    ("every source of IPv6 may send", "tunnel.h",
     "return bpf_map_lookup_elem(&sources, &outer->source) != NULL;", "return true;"),
    ("what the usual way denies is counted for a VNI", "usual.h",
     "\tif (unlikely(!plain && !usual_source(usual, frame)))",
     "\tif (!plain && !usual_source(usual, frame) && usual_vni(frame, usual, plain))"),
    ("a source that was let in lets others in", "tunnel.h",
     "set->way[0] == known ||", "set->way[0] ||"),
    ("an outer UDP datagram may end a byte early", "tunnel.h",
     "udp_length + outer->upper_offset > outer->ip_length",
     "udp_length + outer->upper_offset >= outer->ip_length"),
    ("only one VLAN tag is looked behind", "tunnel.h", "MAX_VLAN_TAGS  2", "MAX_VLAN_TAGS  1"),
    ("one extension header less is followed", "parse.h",
     "IPV6_MAX_EXTENSIONS 6", "IPV6_MAX_EXTENSIONS 5"),
    ("a routing header's segments do not matter", "parse.h",
     "&& extension->segments_left)", "&& extension->segments_left == 255)"),
    ("packets of exactly the MTU are too large", "forward.h",
     "if (packet->ip_length > packet->mtu)", "if (packet->ip_length >= packet->mtu)"),
    ("DF is cleared one byte too early", "forward.h",
     "<= above ||", "< above ||"),
    ("an ID is given and not told", "forward.h",
     "\t\tcount->event[EVENT_ID_ASSIGNED]++;\n", ""),
    ("a few bytes behind the end are left on", "forward.h", "\tif (cut) {", "\tif (cut > 8) {"),
    ("the kernel gets what has one hop left, and answers", "kernel.h",
     "*ttl <= 1", "*ttl < 1"),
    ("a computed UDP checksum of zero stays zero", "nat.h",
     "\tif (!udp->check)\n\t\tudp->check = 0xffff;", ""),
    ("a UDP checksum that is not there is updated", "nat.h",
     "\tif (!udp->check)\n\t\treturn;", ""),
    ("over IPv6 a UDP checksum that is not there is updated", "nat.h",
     "\tif (!udp->check)\n\t\treturn;", "\tif (!udp->check && version == 4)\n\t\treturn;"),
    ("over IPv6 a UDP checksum is taken out", "nat.h",
     "version == 4 && mode == UDP_CHECKSUM_ZERO", "mode == UDP_CHECKSUM_ZERO"),
    ("TCP rules are asked for UDP", "nat.h", ": NAT_PROTOCOL_TCP", ": NAT_PROTOCOL_UDP"),
    ("later fragments do not follow", "nat.h",
     "if (!decision || !fragment_is_fresh(decision->seen_at))", "if (decision || !decision)"),
    ("orphaned fragments are not told", "nat.h",
     "packet_event(packet, EVENT_FRAGMENT_ORPHANED);", ";"),
    ("a first fragment that no rule matches is not remembered", "nat.h",
     "bpf_map_update_elem(&unmatched_firsts, &key, &decision.seen_at, BPF_ANY);", ""),
    ("the last rule wins", "lookup.h", "return one - 1 < other - 1;",
     "return one && other - 1 == 0xffffffff ? true : one - 1 > other - 1 && one && other;"),
    ("a shape is skipped for bits in which its rules differ", "lookup.h",
     "(rest ^ shape->value.word[1]) & shape->common.word[1]",
     "(rest ^ shape->value.word[1]) & shape->mask.word[1]"),
    ("a byte of each packet is not counted", "packet.h",
     "hits->bytes += length;", "hits->bytes += length - 1;"),
    ("a frame of exactly a bound is in the next bucket", "account.h",
     "size_count_in(histograms, (length - 1) / SIZE_STEP, length);",
     "size_count_in(histograms, length / SIZE_STEP, length);"),
    ("the largest Ethernet frame is in the next bucket", "account.h",
     "is_longer(length, SIZE_BOUND_BETWEEN)", "is_longer(length, SIZE_BOUND_BETWEEN - 1)"),
    ("what is cut behind a frame that leaves is counted as sent", "forward.h",
     "packet->cut = packet->inner_offset + cut;", "packet->cut = packet->inner_offset;"),
    ("fragments are not counted", "account.h",
     "packet->counters->fragments += packet->fragments;", ";"),
    ("a frame in several buffers is redirected", "packet.h",
     "config.buffers != BUFFERS_SEVERAL)", "config.buffers != BUFFERS_JOINED)"),
    ("rules count nothing", "nat.h", "\t\trule_hits_add(hits, packet->length);", "\t\t;"),
    ("a folded key is not compared", "usual_rule.h",
     "usual->of_rule->key != key", "usual->of_rule->key == NAT4_NO_KEY"),
    ("the usual way takes another rule's target", "usual_rule.h",
     "((1U << RULE_TARGET_BITS) - 1)", "((1U << RULE_TARGET_BITS) - 2)"),
    ("all rules have the target of the first", "usual_rule.h",
     "if (CHOSEN_BY(usual->length, ONE_TARGET))",
     "if (CHOSEN_BY(usual->length, FOLD_LOWER))"),
    ("the usual way takes a tunnel frame with bytes behind its end", "usual_frame.h",
     "\t    (ip_length << 32 | bpf_htonl(0x08004500)))",
     "\t    ((word & 0xffffULL << 32) | bpf_htonl(0x08004500)) || length_in(word) > length)"),
    ("the usual way takes the first fragment of a tunnel packet", "usual_frame.h",
     "bpf_htonl(0xbfff00ff)", "bpf_htonl(0x9fff00ff)"),
    ("the usual way takes any tunnel port", "usual_frame.h",
     "frame_u32(frame + USUAL_UDP_OUTER + 2) == (udp_length << 16 | CONSTANT(PORT))",
     "frame_u32(frame + USUAL_UDP_OUTER + 2) >> 16 == udp_length && CONSTANT(PORT)"),
    ("the usual way takes a first fragment", "usual_frame.h",
     "bpf_htonl(0x3fff0000)", "bpf_htonl(0x1fff0000)"),
    ("the usual way takes a TCP header that is cut short", "usual_frame.h",
     "(udp ? sizeof(struct udphdr) : sizeof(struct tcphdr))", "sizeof(struct udphdr)"),
    ("the usual way takes a packet that is cut short", "usual_frame.h",
     "*ip_length <= length - USUAL_IP", "*ip_length <= length"),
    ("the usual way sends padding beyond the MTU", "usual.h",
     "usual.length <= CONSTANT(LONGEST_FRAME)", "usual.length <= CONSTANT(LONGEST_FRAME) + 2"),
    ("the usual way leaves DF set", "usual.h",
     "events = df_take_out(ip, usual->count, true);", "events = 0;"),
    ("the usual way clears DF of a packet of just the length that keeps it", "usual.h",
     "if (ip_length <= above ||", "if (ip_length < above ||"),
    ("the usual way does not tell that it cleared DF", "usual.h",
     "trace.events |= events;", "(void)events;"),
    ("what the usual way drops is not counted for its VNI", "usual.h",
     "\tif (CHOSEN_BY(usual->length, ONE_VNI))\n\t\tusual->of_vni",
     "\tif (!CONSTANT(PORT))\n\t\tusual->of_vni"),
    ("the usual way counts for the rule behind", "usual_rule.h",
     "CONSTANT(FIRST_COUNTER) + place", "CONSTANT(FIRST_COUNTER) + place + 1"),
    ("the only rule is asked for the other protocol", "usual_rule.h",
     "udp ? !CHOSEN_BY(usual->length, RULE_UDP) :", "udp ? !CHOSEN_BY(usual->length, RULE_TCP) :"),
    ("the only rule matches any address", "usual_rule.h",
     "if (CHOSEN_SELDOM(usual->length, RULE_ADDRESSES) &&", "if (!CONSTANT(PORT) &&"),
    ("the only rule counts nothing", "usual.h",
     "\t\thits_add(usual->of_only, usual->length);", "\t\t;"),
    ("the usual way takes a next hop that is not known", "usual.h",
     "return *mtu <= 0xffff;", "return true;"),
    ("a rule that is alone in its shape comes first", "lookup.h",
     "number = shape->first_rule;", "number = 1;"),
    ("no shape behind one that matches is asked", "lookup.h",
     "if (comes_before(rule, shape->next_rule, zero))", "if (comes_before(rule, 0, zero))"),
    ("the last fragment says that more follow", "fragment.h", "\tif (!last)\n", "\tif (last)\n"),
    ("a fragment's payload begins eight bytes late", "fragment.h",
     "(int)(sizeof(*shim) + offset))", "(int)(sizeof(*shim) + offset + 8))"),
    ("the usual way cuts a packet with padding behind it", "usual.h",
     "if (ip_length != usual->length - USUAL_IP ||", "if ("),
    ("the usual way cuts what may not be cut", "usual.h",
     "(df && config.clear_df_above == CLEAR_DF_NEVER)", "false"),
    ("the usual way does not count the fragments", "usual.h",
     "usual->count->fragments += pieces;", ";"),
    ("the usual way leaves DF in fragments", "usual.h",
     "long_one ? 0 : CONSTANT(CLEAR_DF_ABOVE)", "CONSTANT(CLEAR_DF_ABOVE)"),
)


def chosen():
    if os.environ.get("FUZZ_MUTANTS") == "all":
        return MUTANTS
    return random.Random(SEED).sample(MUTANTS, FEW)


def run(*command):
    return subprocess.run(command, cwd=program.ROOT, capture_output=True, text=True, check=False)


def broken(name, old, new):
    """The text of a file of the datapath with the mistake in it."""
    with open(os.path.join(program.ROOT, "bpf", name), encoding="utf-8") as stream:
        text = stream.read()
    if text.count(old) != 1:
        raise AssertionError(f"bpf/{name} has {old!r} {text.count(old)} times, and the table "
                             "of mutants wants it once: adapt the table")
    return text.replace(old, new)


def build(number, name, old, new):
    """Builds the differential fuzzer with a broken datapath; returns its path below the root."""
    directory = f"{BUILD}/{number}"
    shutil.rmtree(os.path.join(program.ROOT, directory), ignore_errors=True)
    sources = shutil.copytree(os.path.join(program.ROOT, "bpf"),
                              os.path.join(program.ROOT, directory, "bpf"))
    with open(os.path.join(sources, name), "w", encoding="utf-8") as stream:
        stream.write(broken(name, old, new))
    done = run("make", "-s", "--no-print-directory", f"{directory}/differential")
    if done.returncode:
        raise AssertionError(f"make {directory}/differential: {done.stdout}{done.stderr}")
    return f"{directory}/differential"


class Mutants(unittest.TestCase):
    def test_every_mistake_has_its_place(self):
        for sentence, name, old, new in MUTANTS:
            with self.subTest(sentence):
                broken(name, old, new)

    def test_every_mutant_is_found(self):
        for sentence, name, old, new in chosen():
            with self.subTest(sentence):
                number = [mutant[0] for mutant in MUTANTS].index(sentence)
                fuzzer = build(number, name, old, new)
                done = run(fuzzer, "--seed", str(SEED), "--packets", str(PACKETS), "--each", "1000",
                           "--keep", os.path.dirname(fuzzer))
                self.assertEqual(done.returncode, 1, f"seed {SEED}: {done.stdout}{done.stderr}")
                self.assertIn("DISAGREEMENT", done.stderr, f"seed {SEED}: {done.stdout}")


if __name__ == "__main__":
    unittest.main()
