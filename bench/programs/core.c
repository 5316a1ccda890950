/*
 * A list that is searched, turned round and sorted, products of matrices, and a state machine over text, with a CRC
 * over what they find: what CoreMark is made of, written here.
 */
#include "program.h"

#define NODES 96
#define ORDER 20
#define TEXT 768

struct item {
  s16 value, index;
};
struct node {
  struct node *next;
  struct item *item;
};

/* What a round works on. */
struct world {
  struct node nodes[NODES];
  struct item items[NODES];
  s16 left[ORDER][ORDER], right[ORDER][ORDER];
  s32 product[ORDER][ORDER];
  u8 text[TEXT];
};

static u16 crc_byte(u8 byte, u16 crc) {
  for (int bit = 0; bit < 8; bit++) {
    int carry = (byte ^ crc) & 1;
    byte >>= 1;
    crc >>= 1;
    if (carry) crc ^= 0xa001;
  }
  return crc;
}

static u16 crc_word(u32 word, u16 crc) {
  for (int byte = 0; byte < 4; byte++) crc = crc_byte(word >> (8 * byte), crc);
  return crc;
}

/* Lists. */

static struct node *find(struct node *list, s16 value) {
  while (list && (list->item->value & 0xff) != value) list = list->next;
  return list;
}

static struct node *turn_round(struct node *list) {
  struct node *done = 0;
  while (list) {
    struct node *next = list->next;
    list->next = done;
    done = list;
    list = next;
  }
  return done;
}

typedef s32 (*compare)(const struct item *, const struct item *);
static s32 by_value(const struct item *a, const struct item *b) { return a->value - b->value; }
static s32 by_index(const struct item *a, const struct item *b) { return a->index - b->index; }

/* Merges runs of 1, 2, 4 … nodes until one is left. */
static __attribute__((noinline)) struct node *merge_sort(struct node *list, compare order) {
  for (u32 length = 1;; length *= 2) {
    struct node *rest = list, *last = 0;
    u32 merges = 0;
    list = 0;
    while (rest) {
      struct node *second = rest;
      u32 left = 0, right = length;
      merges++;
      while (left < length && second) left++, second = second->next;
      while (left > 0 || (right > 0 && second)) {
        struct node *taken;
        int is_first = left > 0 && (right == 0 || !second || order(rest->item, second->item) <= 0);
        if (is_first) taken = rest, rest = rest->next, left--;
        else taken = second, second = second->next, right--;
        if (last) last->next = taken;
        else list = taken;
        last = taken;
      }
      rest = second;
    }
    last->next = 0;
    if (merges <= 1) return list;
  }
}

static u16 work_on_list(struct world *world, struct node **list, u16 seed, u16 crc) {
  u32 found = 0, missed = 0;
  for (s16 at = 0; at < 24; at++) {
    struct node *node = find(*list, (seed + at * 5) & 0xff);
    *list = turn_round(*list);
    if (!node) missed++;
    else {
      found += node->item->index & 3;
      if (node->next) { /* the one behind it goes to the front */
        struct node *moved = node->next;
        node->next = moved->next;
        moved->next = *list;
        *list = moved;
      }
    }
  }
  *list = merge_sort(*list, by_value);
  for (struct node *node = *list; node; node = node->next) crc = crc_byte(node->item->value, crc);
  *list = merge_sort(*list, by_index);
  world->items[seed % NODES].value ^= found * 4 - missed;
  return crc_word(found << 16 | missed, crc);
}

/* Matrices. */

static u16 work_on_matrices(struct world *world, s16 seed, u16 crc) {
  s32 sum = 0, before = 0;
  for (int row = 0; row < ORDER; row++)
    for (int column = 0; column < ORDER; column++) world->left[row][column] += seed;
  for (int row = 0; row < ORDER; row++) {
    for (int column = 0; column < ORDER; column++) {
      s32 value = 0;
      for (int at = 0; at < ORDER; at++) {
        s32 term = world->left[row][at] * world->right[at][column];
        value += (term >> 2 & 15) * (term >> 5 & 127);
      }
      world->product[row][column] = value;
    }
  }
  for (int row = 0; row < ORDER; row++) {
    for (int column = 0; column < ORDER; column++) {
      s32 value = world->product[row][column];
      sum += value;
      if (sum > 200000) sum = 0, before += 10;
      else before += value > (row ? world->product[row - 1][column] : seed);
    }
  }
  for (int row = 0; row < ORDER; row++)
    for (int column = 0; column < ORDER; column++) world->left[row][column] -= seed;
  return crc_word(before << 16 ^ sum, crc);
}

/* Numbers in text. */

enum state { START, INVALID, SIGN, INTEGER, FRACTION, EXPONENT, SCIENTIFIC, STATES };

static enum state next_state(enum state state, u8 byte) {
  int is_digit = byte >= '0' && byte <= '9';
  switch (state) {
    case START:
      return is_digit ? INTEGER : byte == '+' || byte == '-' ? SIGN : byte == '.' ? FRACTION : INVALID;
    case SIGN:
      return is_digit ? INTEGER : byte == '.' ? FRACTION : INVALID;
    case INTEGER:
      return is_digit ? INTEGER : byte == '.' ? FRACTION : INVALID;
    case FRACTION:
      return is_digit ? FRACTION : byte == 'e' || byte == 'E' ? EXPONENT : INVALID;
    case EXPONENT:
      return is_digit || byte == '+' || byte == '-' ? SCIENTIFIC : INVALID;
    case SCIENTIFIC:
      return is_digit ? SCIENTIFIC : INVALID;
    default:
      return INVALID;
  }
}

static __attribute__((noinline)) void read_text(const u8 *text, u32 *finals, u32 *moves) {
  while (*text) {
    enum state state = START;
    for (; *text && *text != ','; text++) {
      enum state next = next_state(state, *text);
      if (next != state) moves[state]++;
      state = next;
      if (state == INVALID) {
        while (*text && *text != ',') text++;
        break;
      }
    }
    finals[state]++;
    if (*text == ',') text++;
  }
}

static u16 work_on_text(u8 *text, u8 seed, u16 crc) {
  u32 finals[STATES], moves[STATES];
  for (int state = 0; state < STATES; state++) finals[state] = moves[state] = 0;
  read_text(text, finals, moves);
  for (u32 at = seed & 15; at < TEXT - 1; at += 23)
    if (text[at] != ',') text[at] ^= seed & 1; /* digits stay digits */
  read_text(text, finals, moves);
  for (int state = 0; state < STATES; state++) crc = crc_word(finals[state] << 16 ^ moves[state], crc);
  return crc;
}

static const char *const tokens[] = {"5012",  "-874",    "+122",     "35.54400",  ".1234500", "-110.700",
                                     "5.5e3", "-.12e-2", "T0.3e-1F", "1T3.4e4z", "+0.644",   "7"};

static void prepare(struct world *world) {
  u64 state = 2463534242;
  for (int at = 0; at < NODES; at++) {
    world->nodes[at].item = &world->items[at];
    world->nodes[at].next = at + 1 < NODES ? &world->nodes[at + 1] : 0;
    world->items[at].value = next_random(&state);
    world->items[at].index = at;
  }
  for (int row = 0; row < ORDER; row++) {
    for (int column = 0; column < ORDER; column++) {
      world->left[row][column] = next_random(&state) & 0x3ff;
      world->right[row][column] = next_random(&state) & 0x3ff;
    }
  }
  u32 at = 0;
  for (;;) {
    const char *token = tokens[next_random(&state) % 12];
    u32 length = 0;
    while (token[length]) length++;
    if (at + length + 2 > TEXT) break;
    for (u32 letter = 0; letter < length; letter++) world->text[at++] = token[letter];
    world->text[at++] = ',';
  }
  while (at < TEXT) world->text[at++] = 0;
}

u64 run(u64 rounds, u64 size, u8 *data) {
  struct world *world = (struct world *)data;
  struct node *list = world->nodes;
  u64 sum = 0;
  prepare(world);
  for (u64 round = 0; round < rounds; round++) {
    u16 crc = work_on_list(world, &list, round * 7, 0);
    crc = work_on_matrices(world, round & 0x3f, crc);
    crc = work_on_text(world->text, round, crc);
    sum = mix(sum, crc);
  }
  return sum;
}
