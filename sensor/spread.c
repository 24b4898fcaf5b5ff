/* An assembler of one page with forward labels, and the program it writes. Classic BPF has an accumulator A, an index
 * X, sixteen cells of memory and no way back, so what is done for the outer packet is written again for the inner one.
 * Loads go relative to the network header (SKF_NET_OFF), where the kernel has already taken one VLAN tag off; a load
 * beyond the end of a frame ends the program with 0, the first worker.
 *
 *   cell OFFSET   where the IP header (or tag) under way stands, from the network header
 *   cell TYPE     its EtherType
 *   cell UPPER    where the header above IP stands
 *   cell HALF     the mix of one address
 *   cell HEADER   where the IP header stands whose addresses are the result
 *
 * Hash: mix(v) = v * C1 ^ (v * C1) >> 15; the two mixes are added, so their order does not matter, and mixed once more.
 * An IPv6 address counts as the sum of its words times odd numbers. */
#include "sensor/spread.h"

#include <assert.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <stdbool.h>

#define LABELS_MAX   64
#define NEXT         (-1) /* a jump to the step behind */
#define PORT_VXLAN   4789
#define PORT_LINUX   8472
#define PORT_GENEVE  6081
#define ETHER_BYTES  14
#define UDP_BYTES    8
#define TUNNEL_BYTES 8 /* of VXLAN, and of GENEVE without options */
#define MIX_1        0x9e3779b1u
#define MIX_2        0x85ebca6bu

enum cell { OFFSET, TYPE, UPPER, HALF, HEADER };

struct assembler {
	struct sock_filter *steps;
	uint32_t n;
	int to_true[NJ_SPREAD_STEPS_MAX], to_false[NJ_SPREAD_STEPS_MAX]; /* labels of jumps */
	uint32_t at[LABELS_MAX];                                         /* where a label stands */
	int labels;
	int pair_v4, pair_v6; /* labels */
};

/* ------------------------------------------------------------------ assembler */

static int label(struct assembler *a)
{
	assert(a->labels < LABELS_MAX);
	return a->labels++;
}

static void place(struct assembler *a, int which)
{
	a->at[which] = a->n;
}

static void step(struct assembler *a, uint16_t code, uint32_t k)
{
	assert(a->n < NJ_SPREAD_STEPS_MAX);
	a->to_true[a->n] = a->to_false[a->n] = NEXT;
	a->steps[a->n++] = (struct sock_filter){.code = code, .k = k};
}

static void jump_if(struct assembler *a, uint16_t condition, uint32_t k, int to_true, int to_false)
{
	step(a, BPF_JMP | condition | BPF_K, k);
	a->to_true[a->n - 1] = to_true;
	a->to_false[a->n - 1] = to_false;
}

static void jump(struct assembler *a, int to)
{
	step(a, BPF_JMP | BPF_JA, 0);
	a->to_true[a->n - 1] = to;
}

static void link_labels(struct assembler *a)
{
	for (uint32_t i = 0; i < a->n; i++) {
		struct sock_filter *s = &a->steps[i];
		if (BPF_CLASS(s->code) != BPF_JMP)
			continue;
		uint32_t yes = a->to_true[i] == NEXT ? 0 : a->at[a->to_true[i]] - i - 1,
			 no = a->to_false[i] == NEXT ? 0 : a->at[a->to_false[i]] - i - 1;
		if (BPF_OP(s->code) == BPF_JA) {
			s->k = yes;
			continue;
		}
		assert(yes <= UINT8_MAX);
		assert(no <= UINT8_MAX);
		s->jt = (uint8_t)yes;
		s->jf = (uint8_t)no;
	}
}

/* A = the bytes at *k* from where *cell* says. */
static void load(struct assembler *a, uint16_t size, enum cell cell, uint32_t k)
{
	step(a, BPF_LDX | BPF_MEM, cell);
	step(a, BPF_LD | size | BPF_IND, (uint32_t)SKF_NET_OFF + k);
}

static void store(struct assembler *a, enum cell cell)
{
	step(a, BPF_ST, cell);
}

static void recall(struct assembler *a, enum cell cell)
{
	step(a, BPF_LD | BPF_MEM, cell);
}

/* A = A + cell */
static void add_cell(struct assembler *a, enum cell cell)
{
	step(a, BPF_LDX | BPF_MEM, cell);
	step(a, BPF_ALU | BPF_ADD | BPF_X, 0);
}

/* ------------------------------------------------------------------ the hash */

static void mix(struct assembler *a, uint32_t factor)
{
	step(a, BPF_ALU | BPF_MUL | BPF_K, factor);
	step(a, BPF_MISC | BPF_TAX, 0);
	step(a, BPF_ALU | BPF_RSH | BPF_K, 15);
	step(a, BPF_ALU | BPF_XOR | BPF_X, 0);
}

/* The mix of the address of *words* words. Uses TYPE, which nobody needs any more. */
static void mix_address(struct assembler *a, enum cell cell, uint32_t k, uint32_t words)
{
	for (uint32_t i = 0; i < words; i++) {
		load(a, BPF_W, cell, k + 4 * i);
		step(a, BPF_ALU | BPF_MUL | BPF_K, 2 * i + 1);
		if (i > 0)
			add_cell(a, TYPE);
		if (i + 1 < words)
			store(a, TYPE);
	}
	mix(a, MIX_1);
}

/* Ends with the hash of the two addresses. */
static void give_hash(struct assembler *a, enum cell cell, uint32_t first, uint32_t second, uint32_t words)
{
	mix_address(a, cell, first, words);
	store(a, HALF);
	mix_address(a, cell, second, words);
	add_cell(a, HALF);
	mix(a, MIX_2);
	step(a, BPF_RET | BPF_A, 0);
}

/* The same for the addresses of the IP header at *cell*, by what stands once at the program's end. */
static void give_pair(struct assembler *a, enum cell cell, bool v6)
{
	recall(a, cell);
	store(a, HEADER);
	jump(a, v6 ? a->pair_v6 : a->pair_v4);
}

/* ------------------------------------------------------------------ headers */

/* TYPE and OFFSET pass one VLAN tag, if there is one. */
static void pass_tag(struct assembler *a)
{
	int tag = label(a), none = label(a);
	recall(a, TYPE);
	jump_if(a, BPF_JEQ, ETH_P_8021Q, tag, NEXT);
	jump_if(a, BPF_JEQ, ETH_P_8021AD, tag, none);
	place(a, tag);
	load(a, BPF_H, OFFSET, 2);
	store(a, TYPE);
	recall(a, OFFSET);
	step(a, BPF_ALU | BPF_ADD | BPF_K, 4);
	store(a, OFFSET);
	place(a, none);
}

/* An ICMP error at UPPER: the pair of the packet it speaks of, which stands behind eight bytes. */
static void give_spoken_of(struct assembler *a, bool v6)
{
	recall(a, UPPER);
	step(a, BPF_ALU | BPF_ADD | BPF_K, 8);
	store(a, UPPER);
	give_pair(a, UPPER, v6);
}

/* UDP at UPPER: OFFSET and TYPE enter a tunnel and the program goes on at *inner*, or it goes to *no*. */
static void enter_tunnel(struct assembler *a, int inner, int no)
{
	int vxlan = label(a), geneve = label(a), enter = label(a);
	load(a, BPF_H, UPPER, 2);
	jump_if(a, BPF_JEQ, PORT_VXLAN, vxlan, NEXT);
	jump_if(a, BPF_JEQ, PORT_LINUX, vxlan, NEXT);
	jump_if(a, BPF_JEQ, PORT_GENEVE, geneve, no);
	place(a, geneve);
	load(a, BPF_H, UPPER, UDP_BYTES + 2);
	jump_if(a, BPF_JEQ, 0x6558, NEXT, no); /* only Ethernet inside */
	load(a, BPF_B, UPPER, UDP_BYTES);
	step(a, BPF_ALU | BPF_AND | BPF_K, 0x3f);
	step(a, BPF_ALU | BPF_LSH | BPF_K, 2);
	add_cell(a, UPPER);
	store(a, UPPER);
	jump(a, enter);
	place(a, vxlan);
	place(a, enter);
	load(a, BPF_H, UPPER, UDP_BYTES + TUNNEL_BYTES + 12);
	store(a, TYPE);
	recall(a, UPPER);
	step(a, BPF_ALU | BPF_ADD | BPF_K, UDP_BYTES + TUNNEL_BYTES + ETHER_BYTES);
	store(a, OFFSET);
	jump(a, inner);
}

/* *inner*: where a tunnel's content is judged; negative: not any more. */
static void give_v4(struct assembler *a, int inner)
{
	int plain = label(a), first = label(a), icmp = label(a), error = label(a);
	load(a, BPF_H, OFFSET, 6);
	jump_if(a, BPF_JSET, 0x3fff, plain, first); /* a fragment: the addresses are all it surely has */
	place(a, first);
	load(a, BPF_B, OFFSET, 0);
	step(a, BPF_ALU | BPF_AND | BPF_K, 15);
	step(a, BPF_ALU | BPF_LSH | BPF_K, 2);
	add_cell(a, OFFSET);
	store(a, UPPER);
	load(a, BPF_B, OFFSET, 9);
	int udp = inner >= 0 ? label(a) : plain;
	jump_if(a, BPF_JEQ, IPPROTO_ICMP, icmp, NEXT);
	jump_if(a, BPF_JEQ, IPPROTO_UDP, udp, plain);
	if (inner >= 0) {
		place(a, udp);
		enter_tunnel(a, inner, plain);
	}
	place(a, icmp);
	load(a, BPF_B, UPPER, 0);
	static const uint8_t errors[] = {3, 4, 5, 11};
	for (unsigned i = 0; i < sizeof errors; i++)
		jump_if(a, BPF_JEQ, errors[i], error, NEXT);
	jump_if(a, BPF_JEQ, 12, error, plain);
	place(a, error);
	give_spoken_of(a, false);
	place(a, plain);
	give_pair(a, OFFSET, false);
}

static void give_v6(struct assembler *a, int inner)
{
	int plain = label(a), icmp = label(a), error = label(a), known = label(a);
	recall(a, OFFSET);
	step(a, BPF_ALU | BPF_ADD | BPF_K, 40);
	store(a, UPPER);
	load(a, BPF_B, OFFSET, 6);
	int udp = inner >= 0 ? label(a) : plain;
	jump_if(a, BPF_JEQ, IPPROTO_ICMPV6, icmp, NEXT);
	jump_if(a, BPF_JEQ, IPPROTO_UDP, udp, plain);
	if (inner >= 0) {
		place(a, udp);
		enter_tunnel(a, inner, plain);
	}
	place(a, icmp);
	load(a, BPF_B, UPPER, 0);
	jump_if(a, BPF_JGE, 128, plain, known);
	place(a, known);
	jump_if(a, BPF_JEQ, 0, plain, error);
	place(a, error);
	give_spoken_of(a, true);
	place(a, plain);
	give_pair(a, OFFSET, true);
}

/* What stands at OFFSET and is of TYPE. */
static void judge(struct assembler *a, int inner)
{
	int v4 = label(a), v6 = label(a), arp = label(a), other = label(a);
	recall(a, TYPE);
	jump_if(a, BPF_JEQ, ETH_P_IP, v4, NEXT);
	jump_if(a, BPF_JEQ, ETH_P_ARP, arp, NEXT);
	jump_if(a, BPF_JEQ, ETH_P_IPV6, NEXT, other);
	jump(a, v6);
	place(a, other);
	step(a, BPF_RET | BPF_K, 0);
	place(a, arp);
	give_hash(a, OFFSET, 14, 24, 1);
	place(a, v4);
	give_v4(a, inner);
	place(a, v6);
	give_v6(a, inner);
}

uint32_t nj_spread_program(struct sock_filter steps[NJ_SPREAD_STEPS_MAX])
{
	struct assembler a = {.steps = steps};
	int inner = label(&a);
	a.pair_v4 = label(&a);
	a.pair_v6 = label(&a);
	step(&a, BPF_LD | BPF_IMM, 0);
	store(&a, OFFSET);
	step(&a, BPF_LD | BPF_H | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PROTOCOL));
	store(&a, TYPE);
	pass_tag(&a);
	pass_tag(&a);
	judge(&a, inner);
	place(&a, inner);
	pass_tag(&a);
	judge(&a, -1);
	place(&a, a.pair_v4);
	give_hash(&a, HEADER, 12, 16, 1);
	place(&a, a.pair_v6);
	give_hash(&a, HEADER, 8, 24, 4);
	link_labels(&a);
	return a.n;
}
