/* Pointer chase: one cycle through all nodes in random order, a cache line each; a round is 1024 of them. */
#include "program.h"

struct node {
  struct node *next;
  u64 value, unused[6];
};

u64 run(u64 rounds, u64 size, u8 *data) {
  struct node *nodes = (struct node *)data;
  u64 count = size / sizeof *nodes, state = 1181783497276652981ul, sum = 0;
  for (u64 at = 0; at < count; at++) {
    nodes[at].next = &nodes[at];
    nodes[at].value = at;
  }
  for (u64 at = count - 1; at > 0; at--) { /* Sattolo's shuffle: a single cycle */
    u64 other = (u32)next_random(&state) * at >> 32;
    struct node *next = nodes[at].next;
    nodes[at].next = nodes[other].next;
    nodes[other].next = next;
  }
  const struct node *node = nodes;
  while (rounds-- > 0) {
    for (u64 step = 0; step < 1024; step++) {
      sum += node->value;
      node = node->next;
    }
    sum = mix(sum, node->value);
  }
  return sum;
}
