# SPDX-License-Identifier: GPL-2.0-only
"""What is configured in the cases of the bench: changes to Pipeline.BASE."""

from lib import program

FRAGMENT = {"forward": {"oversize": "fragment"}}
NOTHING_MATCHES = {"nat": [{"match": {"source_port": 1, "protocol": "udp"},
                            "to": "10.20.0.2:8081"}]}


def many_rules(count):
    """Rules of one shape: one for each of the generator's inner sources, from 10.2.41.20 on."""
    first = (10 << 24) + (2 << 16) + (41 << 8) + 20
    rules = []
    for number in range(first, first + count):
        source = ".".join(str(number >> shift & 255) for shift in (24, 16, 8, 0))
        rules.append({"match": {"source": source, "source_port": 42844, "protocol": "udp"},
                      "to": "10.20.0.2:8081"})
    return {"nat": rules}


def eight_shapes():
    """Rules of eight shapes, of which only the last one matches."""
    matches = ({"source_port": 1}, {"destination_port": 1}, {"source": "10.9.9.9"},
               {"destination": "10.9.9.9"}, {"vni": 1, "source_port": 2},
               {"vni": 1, "destination_port": 2}, {"source": "10.9.9.0/24"},
               {"source_port": 42844, "protocol": "udp"})
    return {"nat": [{"match": match, "to": "10.20.0.2:8081"} for match in matches]}


def vnis(count):
    return {"listen": {"vnis": list(range(1, count + 1))}}


def everything():
    rules = many_rules(4096)["nat"] + eight_shapes()["nat"]
    return program.merge(FRAGMENT, vnis(4096), {
        "listen": {"sources": [f"10.{n}.0.0/16" for n in range(256)]},
        "nat": rules[:-1], "inner": {"clear_df_above": 60, "udp_checksum": "update"}})
