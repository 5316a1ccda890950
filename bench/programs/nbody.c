/* FP64: bodies that attract one another, moved on by small steps; square roots, divisions, fused multiply-adds. */
#include "program.h"

#define BODIES 5

struct body {
  double place[3], speed[3], mass;
};

static const struct body first[BODIES] = {
    {{0, 0, 0}, {0, 0, 0}, 39.478417604357432},
    {{4.84, -1.16, -0.1036}, {0.6063, 2.8119, -0.02522}, 0.0376936749},
    {{8.343, 4.1247, -0.40352}, {-1.01077, 1.82566, 0.0084158}, 0.0112863261},
    {{12.8943, -15.1111, -0.2233}, {1.0827, 0.86871, -0.01083}, 0.0017237241},
    {{15.3796, -25.9193, 0.17925}, {0.97909, 0.59469, -0.03475}, 0.0020336868},
};

static __attribute__((noinline)) void advance(struct body *bodies, double time) {
  for (int one = 0; one < BODIES; one++) {
    struct body *a = &bodies[one];
    for (int two = one + 1; two < BODIES; two++) {
      struct body *b = &bodies[two];
      double x = a->place[0] - b->place[0], y = a->place[1] - b->place[1], z = a->place[2] - b->place[2];
      double square = x * x + y * y + z * z, force = time / (square * __builtin_sqrt(square));
      double on_a = b->mass * force, on_b = a->mass * force;
      a->speed[0] -= x * on_a;
      a->speed[1] -= y * on_a;
      a->speed[2] -= z * on_a;
      b->speed[0] += x * on_b;
      b->speed[1] += y * on_b;
      b->speed[2] += z * on_b;
    }
  }
  for (int at = 0; at < BODIES; at++)
    for (int axis = 0; axis < 3; axis++) bodies[at].place[axis] += time * bodies[at].speed[axis];
}

u64 run(u64 rounds, u64 size, u8 *data) {
  struct body *bodies = (struct body *)data;
  for (int at = 0; at < BODIES; at++) bodies[at] = first[at];
  while (rounds-- > 0)
    for (int step = 0; step < 64; step++) advance(bodies, 0.001);
  u64 sum = 0;
  for (int at = 0; at < BODIES; at++)
    for (int axis = 0; axis < 3; axis++) sum = mix(sum, *(u64 *)&bodies[at].place[axis]);
  return sum;
}
