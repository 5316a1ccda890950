/* memcpy and memset of 32 bytes to 64 KiB at changing alignments, by pairs of vector registers as libraries do. */
#include "program.h"

void copy_bytes(u8 *to, const u8 *from, u64 count);
void fill_bytes(u8 *to, u32 byte, u64 count);

/* Counts are multiples of 32. Zeros are stored by whole cache lines. */
__asm__(
    "copy_bytes:\n"
    "        subs    x2, x2, #64\n"
    "        b.lo    2f\n"
    "1:      ldp     q0, q1, [x1]\n"
    "        ldp     q2, q3, [x1, #32]\n"
    "        add     x1, x1, #64\n"
    "        stp     q0, q1, [x0]\n"
    "        stp     q2, q3, [x0, #32]\n"
    "        add     x0, x0, #64\n"
    "        subs    x2, x2, #64\n"
    "        b.hs    1b\n"
    "2:      tbz     x2, #5, 3f\n"
    "        ldp     q0, q1, [x1]\n"
    "        stp     q0, q1, [x0]\n"
    "3:      ret\n"
    "fill_bytes:\n"
    "        cbz     w1, 4f\n"
    "0:      dup     v0.16b, w1\n"
    "        subs    x2, x2, #64\n"
    "        b.lo    2f\n"
    "1:      stp     q0, q0, [x0]\n"
    "        stp     q0, q0, [x0, #32]\n"
    "        add     x0, x0, #64\n"
    "        subs    x2, x2, #64\n"
    "        b.hs    1b\n"
    "2:      tbz     x2, #5, 3f\n"
    "        stp     q0, q0, [x0]\n"
    "3:      ret\n"
    "4:      orr     x3, x0, x2\n"
    "        tst     x3, #63\n"
    "        b.ne    0b\n"
    "5:      dc      zva, x0\n"
    "        add     x0, x0, #64\n"
    "        subs    x2, x2, #64\n"
    "        b.ne    5b\n"
    "        ret\n");

static const u32 counts[] = {32, 96, 256, 1024, 64, 4096, 512, 160, 16384, 2048, 65536, 128};

u64 run(u64 rounds, u64 size, u8 *data) {
  u8 *from = data, *to = data + size / 2;
  u64 state = 88172645463325252ul, sum = 0;
  for (u64 at = 0; at < size; at += 8) *(u64 *)(data + at) = next_random(&state);
  for (u64 round = 0; round < rounds; round++) {
    for (u64 which = 0; which < sizeof counts / sizeof *counts; which++) {
      u64 count = counts[which], place = (round * 1040 + which * 272) & 0xfff0;
      copy_bytes(to + (place ^ 0x48), from + place, count);
      sum = mix(sum, *(u64 *)(to + (place ^ 0x48) + count - 8));
      fill_bytes(from + ((place + 4096) & 0xffc0), round & 1 ? 0 : which + 1, count);
    }
    *(u64 *)from = next_random(&state);
    u8 *other = from;
    from = to;
    to = other;
  }
  for (u64 at = 0; at < size; at += 64) sum = mix(sum, *(u64 *)(data + at));
  return sum;
}
