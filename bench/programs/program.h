/* What every program in C is given: `run` does its rounds on the memory at `data`, and returns a check sum. */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;
typedef short s16;
typedef int s32;

/* `size` is the workload's, in bytes; `data` is RAM of at least that, whatever is in it. */
u64 run(u64 rounds, u64 size, u8 *data);

/* Marsaglia's xorshift: numbers that look random, the same on every machine. */
static inline u64 next_random(u64 *state) {
  u64 x = *state;
  x ^= x << 13;
  x ^= x >> 7;
  x ^= x << 17;
  return *state = x;
}

/* Mixes a value into a check sum. */
static inline u64 mix(u64 sum, u64 value) {
  return ((sum ^ value) * 0x9e3779b97f4a7c15ul) ^ (sum >> 29);
}
