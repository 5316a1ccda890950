/* Recursive calls that compute little: Fibonacci, Takeuchi, Hanoi, and queens on a board. */
#include "program.h"

#define RECURSIVE static __attribute__((noinline, noclone, optimize("no-optimize-sibling-calls")))

RECURSIVE u64 fibonacci(u64 n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }

RECURSIVE s32 takeuchi(s32 x, s32 y, s32 z) {
  return y >= x ? z : takeuchi(takeuchi(x - 1, y, z), takeuchi(y - 1, z, x), takeuchi(z - 1, x, y));
}

RECURSIVE u64 hanoi(u32 count, u64 from, u64 to, u64 over) {
  return count == 0 ? 0 : hanoi(count - 1, from, over, to) * 3 + (from << 4 ^ to) + hanoi(count - 1, over, to, from);
}

RECURSIVE u32 queens(u32 columns, u32 left, u32 right, u32 all) {
  u32 count = columns == all;
  for (u32 free = all & ~(columns | left | right); free != 0; free &= free - 1) {
    u32 place = free & -free;
    count += queens(columns | place, (left | place) << 1, (right | place) >> 1, all);
  }
  return count;
}

u64 run(u64 rounds, u64 size, u8 *data) {
  u64 sum = 0;
  for (u64 round = 0; round < rounds; round++) {
    sum = mix(sum, fibonacci(15 + (round & 1)));
    sum = mix(sum, takeuchi(8, 4 + (round & 1), 0));
    sum = mix(sum, hanoi(9, round, sum, 3));
    sum = mix(sum, queens(0, 0, 0, 0x3f));
  }
  return sum;
}
