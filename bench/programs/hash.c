/* Integer hash: four lanes of multiply, rotate and add over a buffer, the last round's hash in its first word. */
#include "program.h"

#define PRIME_1 0x9e3779b185ebca87ul
#define PRIME_2 0xc2b2ae3d27d4eb4ful

static inline u64 rotate(u64 x, int by) { return x << by | x >> (64 - by); }
static inline u64 lane(u64 sum, u64 value) { return rotate(sum + value * PRIME_2, 31) * PRIME_1; }

static __attribute__((noinline)) u64 hash(const u64 *words, u64 count, u64 seed) {
  u64 a = seed + PRIME_1, b = seed ^ PRIME_2, c = seed, d = seed - PRIME_1;
  for (u64 at = 0; at < count; at += 4) {
    a = lane(a, words[at]);
    b = lane(b, words[at + 1]);
    c = lane(c, words[at + 2]);
    d = lane(d, words[at + 3]);
  }
  u64 sum = rotate(a, 1) + rotate(b, 7) + rotate(c, 12) + rotate(d, 18);
  sum = (sum ^ sum >> 33) * PRIME_2;
  sum = (sum ^ sum >> 29) * PRIME_1;
  return sum ^ sum >> 32;
}

u64 run(u64 rounds, u64 size, u8 *data) {
  u64 *words = (u64 *)data, count = size / 8, state = 88172645463325252ul, sum = 0;
  for (u64 at = 0; at < count; at++) words[at] = next_random(&state);
  while (rounds-- > 0) words[0] ^= sum = hash(words, count, sum);
  return sum;
}
