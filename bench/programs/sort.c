/* Quicksort with insertion sort for short runs, of numbers that are drawn anew in each round. */
#include "program.h"

#define SHORT 12

static void insertion(u32 *from, u32 *to) {
  for (u32 *next = from + 1; next <= to; next++) {
    u32 value = *next, *hole = next;
    for (; hole > from && hole[-1] > value; hole--) *hole = hole[-1];
    *hole = value;
  }
}

static u32 median(u32 a, u32 b, u32 c) {
  return a < b ? (b < c ? b : a < c ? c : a) : (a < c ? a : b < c ? c : b);
}

static void quicksort(u32 *from, u32 *to) {
  while (to - from > SHORT) {
    u32 pivot = median(*from, from[(to - from) / 2], *to), *left = from, *right = to;
    do {
      while (*left < pivot) left++;
      while (*right > pivot) right--;
      if (left <= right) {
        u32 value = *left;
        *left++ = *right;
        *right-- = value;
      }
    } while (left <= right);
    quicksort(from, right);
    from = left;
  }
  insertion(from, to);
}

u64 run(u64 rounds, u64 size, u8 *data) {
  u32 *numbers = (u32 *)data;
  u64 count = size / 4, state = 2463534242, sum = 0;
  while (rounds-- > 0) {
    for (u64 at = 0; at < count; at++) numbers[at] = next_random(&state);
    quicksort(numbers, numbers + count - 1);
    for (u64 at = 0; at < count; at += 16) sum = mix(sum, numbers[at]);
  }
  return sum;
}
