// SPDX-License-Identifier: GPL-2.0-only
/* Builds the frame that the sending program varies, and the sums that its checksums start from. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "generate/internal.h"

#define TTL            64
#define VXLAN_I_FLAG   0x08000000
#define TIME_ONE_IN    16 /* at full speed: reading the clock costs more than the rest */
#define IP_HEADER_SIZE ((uint32_t)sizeof(struct iphdr))

static const uint8_t inner_source_mac[6] = {0x02, 0, 0, 0, 0x14, 0x01};
static const uint8_t inner_destination_mac[6] = {0x02, 0, 0, 0, 0x14, 0x02};

/* Not folded. Odd lengths end in a byte of zero. */
static uint32_t sum_words(const void *data, size_t length)
{
	const uint8_t *bytes = data;
	uint32_t sum = 0;
	uint16_t word;

	for (size_t i = 0; i < length; i += 2) {
		word = 0;
		memcpy(&word, bytes + i, length - i < 2 ? 1 : 2);
		sum += word;
	}
	return sum;
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static void fill_ethernet(struct ethhdr *header, const uint8_t *source, const uint8_t *destination)
{
	memcpy(header->h_source, source, ETH_ALEN);
	memcpy(header->h_dest, destination, ETH_ALEN);
	header->h_proto = htons(ETH_P_IP);
}

/* Without addresses and checksum. */
static struct iphdr ip_header(uint32_t length, bool df)
{
	return (struct iphdr){
		.version = 4,
		.ihl = sizeof(struct iphdr) / 4,
		.tot_len = htons(length),
		.frag_off = htons(df ? 0x4000 : 0),
		.ttl = TTL,
		.protocol = IPPROTO_UDP,
	};
}

static void fill_outer(struct generate_head *head, const struct generator_packet *packet)
{
	const uint32_t length = GENERATE_OVERHEAD + packet->inner_size;
	struct iphdr ip = ip_header(length, true);

	ip.saddr = htonl(packet->source);
	ip.daddr = htonl(packet->destination);
	ip.check = fold(sum_words(&ip, sizeof(ip)));
	fill_ethernet(&head->outer_ethernet, packet->source_mac, packet->destination_mac);
	head->outer_ip = ip;
	head->outer_udp.dest = htons(packet->port);
	head->outer_udp.len = htons(length - IP_HEADER_SIZE);
	head->vxlan_flags = htonl(VXLAN_I_FLAG);
}

static void fill_inner(struct generate_head *head, const struct generator_packet *packet)
{
	fill_ethernet(&head->inner_ethernet, inner_source_mac, inner_destination_mac);
	head->ip = ip_header(packet->inner_size, packet->df);
	head->udp.len = htons(packet->inner_size - IP_HEADER_SIZE);
}

static void fill_stamp(struct generate_stamp *stamp, const struct generator_place *place)
{
	stamp->magic = GENERATE_MAGIC;
	stamp->run = place->run;
	stamp->thread = place->thread;
	stamp->boot = place->boot;
}

static void share_flows(struct generate_config *config, uint32_t flows,
			const struct generator_place *place)
{
	const uint64_t first = (uint64_t)flows * place->thread / place->threads;
	const uint64_t end = (uint64_t)flows * (place->thread + 1) / place->threads;

	config->first_flow = first;
	config->flows = end - first;
}

static void fill_config(struct generate_config *config, const struct generator_packet *packet)
{
	config->source = packet->inner_source;
	config->destination = packet->inner_destination;
	config->source_port = packet->source_port;
	config->destination_port = packet->destination_port;
	config->vary = packet->vary;
	config->vni = packet->vni;
	config->vnis = packet->vnis;
	config->fixed_id = packet->df;
}

void generator_frame_build(struct generator_frame *frame, const struct generator_packet *packet,
			   const struct generator_place *place, bool time_every_packet)
{
	const uint32_t udp_length = packet->inner_size - IP_HEADER_SIZE;
	struct generate_config *config = &frame->config;
	struct generate_head head = {0};

	memset(frame, 0, sizeof(*frame));
	frame->length = GENERATE_ENCAPSULATION + packet->inner_size;
	fill_outer(&head, packet);
	fill_inner(&head, packet);
	fill_stamp(&head.stamp, place);
	for (uint32_t i = sizeof(head); i < frame->length; i++)
		frame->bytes[i] = i - sizeof(head);
	memcpy(frame->bytes, &head, sizeof(head));
	memcpy(config->head, &head, sizeof(head));
	fill_config(config, packet);
	share_flows(config, packet->flows, place);
	config->rest = frame->length - sizeof(head);
	config->time_mask = time_every_packet ? 0 : TIME_ONE_IN - 1;
	config->ip_sum = sum_words(&head.ip, IP_HEADER_SIZE);
	config->udp_sum = htons(udp_length) + htons(IPPROTO_UDP) +
			  sum_words(frame->bytes + offsetof(struct generate_head, udp), udp_length);
}
