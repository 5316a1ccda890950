/* SHA-256 by the instructions for it: a round hashes 4 KiB behind the digest before; the check sum is its start. */
#include <arm_neon.h>

#include "program.h"

#define BYTES 4096

static const u32 constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};
static const u32 start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                             0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

static __attribute__((noinline)) void blocks(u32 *digest, const u8 *bytes, u64 count) {
  uint32x4_t low = vld1q_u32(digest), high = vld1q_u32(digest + 4);
  for (; count > 0; count--, bytes += 64) {
    uint32x4_t old_low = low, old_high = high, w[4];
    for (int at = 0; at < 4; at++) w[at] = vreinterpretq_u32_u8(vrev32q_u8(vld1q_u8(bytes + 16 * at)));
#pragma GCC unroll 16
    for (int quad = 0; quad < 16; quad++) {
      uint32x4_t sum = vaddq_u32(w[quad & 3], vld1q_u32(constants + 4 * quad)), before = low;
      if (quad < 12)
        w[quad & 3] = vsha256su1q_u32(vsha256su0q_u32(w[quad & 3], w[(quad + 1) & 3]), w[(quad + 2) & 3],
                                      w[(quad + 3) & 3]);
      low = vsha256hq_u32(low, high, sum);
      high = vsha256h2q_u32(high, before, sum);
    }
    low = vaddq_u32(low, old_low);
    high = vaddq_u32(high, old_high);
  }
  vst1q_u32(digest, low);
  vst1q_u32(digest + 4, high);
}

u64 run(u64 rounds, u64 size, u8 *data) {
  u32 *digest = (u32 *)data;
  u8 *message = data + 64, *end = message + BYTES;
  for (int at = 0; at < BYTES; at++) message[at] = at * 7;
  for (int at = 0; at < 64; at++) end[at] = 0;
  end[0] = 0x80; /* the padding: a bit, and the length in bits */
  end[62] = BYTES * 8 >> 8;
  for (; rounds > 0; rounds--) {
    for (int at = 0; at < 8; at++) digest[at] = start[at];
    blocks(digest, message, BYTES / 64 + 1);
    for (int at = 0; at < 32; at++) message[at] = digest[at >> 2] >> (24 - 8 * (at & 3));
  }
  return (u64)digest[0] << 32 | digest[1];
}
