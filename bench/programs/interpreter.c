/* An interpreter of byte code that branches from each operation to the next by a table; a round runs its program. */
#include "program.h"

enum { END, SET, MOVE, ADD, ADD_IMMEDIATE, SUBTRACT, MULTIPLY, AND, XOR, SHIFT_LEFT, SHIFT_RIGHT, LOAD, STORE,
       IF_LESS, IF_EQUAL, IF_NOT_ZERO, GO, CALL, RETURN };

struct instruction {
  u8 operation, a, b;
  signed char c;
};

/* Registers 0 to 15; jumps are relative to the instruction after. */
static const struct instruction program[] = {
    /* a sieve of 512 bytes; the number of primes goes to register 9 */
    {SET, 1, 0, 0}, {SET, 8, 0, 1}, {SET, 2, 0, 1}, {SHIFT_LEFT, 2, 2, 9},
    {STORE, 8, 1, 0}, {ADD_IMMEDIATE, 1, 1, 1}, {IF_LESS, 1, 2, -3},
    {SET, 3, 0, 2}, {SET, 9, 0, 0}, {SET, 7, 0, 0},
    {LOAD, 4, 3, 0}, {IF_NOT_ZERO, 4, 0, 1}, {GO, 0, 0, 6},
    {ADD_IMMEDIATE, 9, 9, 1}, {ADD, 5, 3, 3}, {GO, 0, 0, 2},
    {STORE, 7, 5, 0}, {ADD, 5, 5, 3}, {IF_LESS, 5, 2, -3},
    {ADD_IMMEDIATE, 3, 3, 1}, {IF_LESS, 3, 2, -11},
    /* Collatz sequences from 1 to 63, by a subroutine at 36; their lengths are mixed into register 10 */
    {SET, 11, 0, 1}, {SET, 12, 0, 64},
    {MOVE, 1, 11, 0}, {CALL, 0, 0, 11},
    {SHIFT_LEFT, 13, 10, 5}, {XOR, 10, 13, 10}, {ADD, 10, 10, 6},
    {ADD_IMMEDIATE, 11, 11, 1}, {IF_LESS, 11, 12, -7},
    {XOR, 0, 0, 10}, {SHIFT_RIGHT, 13, 0, 7}, {ADD, 0, 13, 0}, {MULTIPLY, 0, 0, 9}, {ADD_IMMEDIATE, 0, 0, 1},
    {END, 0, 0, 0},
    /* length of the sequence from register 1, in register 6 */
    {SET, 6, 0, 0}, {SET, 14, 0, 1}, {SET, 15, 0, 3},
    {IF_EQUAL, 1, 14, 8}, {ADD_IMMEDIATE, 6, 6, 1}, {AND, 4, 1, 14}, {IF_NOT_ZERO, 4, 0, 2},
    {SHIFT_RIGHT, 1, 1, 1}, {GO, 0, 0, -6},
    {MULTIPLY, 1, 1, 15}, {ADD_IMMEDIATE, 1, 1, 1}, {GO, 0, 0, -9},
    {RETURN, 0, 0, 0},
};

static __attribute__((noinline)) u64 interpret(const struct instruction *at, u64 *r, u8 *bytes) {
  static const void *const labels[] = {&&end, &&set, &&move, &&add, &&add_immediate, &&subtract, &&multiply, &&and,
                                       &&xor, &&shift_left, &&shift_right, &&load, &&store, &&if_less, &&if_equal,
                                       &&if_not_zero, &&go, &&call, &&back};
  const struct instruction *calls[16], **top = calls;
  struct instruction i;
#define NEXT i = *at++; goto *labels[i.operation]
  NEXT;
set: r[i.a] = i.c; NEXT;
move: r[i.a] = r[i.b]; NEXT;
add: r[i.a] = r[i.b] + r[i.c]; NEXT;
add_immediate: r[i.a] = r[i.b] + i.c; NEXT;
subtract: r[i.a] = r[i.b] - r[i.c]; NEXT;
multiply: r[i.a] = r[i.b] * r[i.c]; NEXT;
and: r[i.a] = r[i.b] & r[i.c]; NEXT;
xor: r[i.a] = r[i.b] ^ r[i.c]; NEXT;
shift_left: r[i.a] = r[i.b] << i.c; NEXT;
shift_right: r[i.a] = r[i.b] >> i.c; NEXT;
load: r[i.a] = bytes[r[i.b]]; NEXT;
store: bytes[r[i.b]] = r[i.a]; NEXT;
if_less: if (r[i.a] < r[i.b]) at += i.c; NEXT;
if_equal: if (r[i.a] == r[i.b]) at += i.c; NEXT;
if_not_zero: if (r[i.a] != 0) at += i.c; NEXT;
go: at += i.c; NEXT;
call: *top++ = at; at += i.c; NEXT;
back: at = *--top; NEXT;
end: return r[0];
}

u64 run(u64 rounds, u64 size, u8 *data) {
  u64 *registers = (u64 *)data, sum = 0;
  for (int at = 0; at < 16; at++) registers[at] = 0;
  while (rounds-- > 0) sum = mix(sum, interpret(program, registers, data + 4096));
  return sum;
}
