/* SIMD dot products: FP32 by fused multiply-adds in four accumulators, and 16-bit integers widened to 32. */
#include <arm_neon.h>

#include "program.h"

#define ELEMENTS 4096

static __attribute__((noinline)) float dot_floats(const float *a, const float *b) {
  float32x4_t s0 = vdupq_n_f32(0), s1 = s0, s2 = s0, s3 = s0;
  for (int at = 0; at < ELEMENTS; at += 16) {
    s0 = vfmaq_f32(s0, vld1q_f32(a + at), vld1q_f32(b + at));
    s1 = vfmaq_f32(s1, vld1q_f32(a + at + 4), vld1q_f32(b + at + 4));
    s2 = vfmaq_f32(s2, vld1q_f32(a + at + 8), vld1q_f32(b + at + 8));
    s3 = vfmaq_f32(s3, vld1q_f32(a + at + 12), vld1q_f32(b + at + 12));
  }
  return vaddvq_f32(vaddq_f32(vaddq_f32(s0, s1), vaddq_f32(s2, s3)));
}

static __attribute__((noinline)) s32 dot_integers(const s16 *a, const s16 *b) {
  int32x4_t s0 = vdupq_n_s32(0), s1 = s0;
  for (int at = 0; at < ELEMENTS; at += 16) {
    int16x8_t a0 = vld1q_s16(a + at), b0 = vld1q_s16(b + at), a1 = vld1q_s16(a + at + 8), b1 = vld1q_s16(b + at + 8);
    s0 = vmlal_s16(s0, vget_low_s16(a0), vget_low_s16(b0));
    s1 = vmlal_high_s16(s1, a0, b0);
    s0 = vmlal_s16(s0, vget_low_s16(a1), vget_low_s16(b1));
    s1 = vmlal_high_s16(s1, a1, b1);
  }
  return vaddvq_s32(vaddq_s32(s0, s1));
}

u64 run(u64 rounds, u64 size, u8 *data) {
  float *a = (float *)data, *b = a + ELEMENTS;
  s16 *c = (s16 *)(b + ELEMENTS), *d = c + ELEMENTS;
  u64 state = 88172645463325252ul, sum = 0;
  for (int at = 0; at < ELEMENTS; at++) {
    u64 random = next_random(&state);
    a[at] = (float)(s32)(random & 0xffff) / 65536.0f;
    b[at] = (float)(s32)(random >> 16 & 0xffff) / 32768.0f - 1.0f;
    c[at] = random >> 32;
    d[at] = random >> 48;
  }
  while (rounds-- > 0) {
    float product = dot_floats(a, b);
    sum = mix(sum, *(u32 *)&product);
    sum = mix(sum, dot_integers(c, d));
    a[sum & (ELEMENTS - 1)] += 0.125f;
    c[sum >> 20 & (ELEMENTS - 1)] ^= sum >> 40;
  }
  return sum;
}
