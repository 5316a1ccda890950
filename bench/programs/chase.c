/* Pointer chase: one cycle through all nodes out of order, a cache line each; a round is 1024 of them. */
#include "program.h"

struct node {
  struct node *next;
  u64 value, unused[6];
};

/* `size` is a power of two: then steps of multiply and add come by every node before they come round. */
u64 run(u64 rounds, u64 size, u8 *data) {
  struct node *nodes = (struct node *)data;
  u64 count = size / sizeof *nodes, sum = 0;
  for (u64 at = 0; at < count; at++) {
    nodes[at].next = &nodes[(at * 1664525 + 1013904223) & (count - 1)];
    nodes[at].value = at;
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
