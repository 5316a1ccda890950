/** Accesses to the configuration space of an NVMe controller by the instructions that there are, for `registerGuestSource`. */
import type { RegisterAccess } from "../el3_simdev/register_accesses.ts";

/** The window at the end of the first GiB where the board's own is with `-M virt,highmem=off`. */
export const BOARD_ECAM = 0x3f00_0000;
/** Of a function: 0 of device 1 on the first bus, and others that are absent. */
const FUNCTION = 0x8000, ABSENT_FUNCTION = 0x9000, ABSENT_DEVICE = 0x1_f000, LAST = 0xf_f000;

/** Offsets of a header of type 0 (PCI Local Bus Specification 3.0, 6.1), and of what comes behind. */
// deno-fmt-ignore
const REGISTER = {
  ids: 0x00, command: 0x04, status: 0x06, revision: 0x08, cacheLine: 0x0c, header: 0x0e, bar: 0x10, subsystem: 0x2c,
  pointer: 0x34, line: 0x3c, pin: 0x3d, first: 0x40, power: 0x60, express: 0x80, deviceControl: 0x88, extended: 0x100,
} as const;

/** Every load of one general register, and what absent functions give; what is read has no effect. */
// deno-fmt-ignore
function reads(at: number): RegisterAccess[] {
  const ids = at + REGISTER.ids, express = at + REGISTER.express, revision = at + REGISTER.revision;
  return [
    { text: "ldr w2, [x1]",               address: ids },
    { text: "ldrh w2, [x1]",              address: ids + 2 },
    { text: "ldrb w2, [x1]",              address: revision + 3 },
    { text: "ldrsb w2, [x1]",             address: express + 2 },
    { text: "ldrsb x2, [x1]",             address: express + 2 },
    { text: "ldrsh w2, [x1]",             address: express + 4 },
    { text: "ldrsh x2, [x1]",             address: express + 4 },
    { text: "ldrsw x2, [x1]",             address: express },
    { text: "ldr x2, [x1]",               address: ids },
    { text: "ldr x2, [x1]",               address: revision },
    { text: "ldur w2, [x1, #-4]",         address: revision },
    { text: "ldurb w2, [x1, #3]",         address: revision },
    { text: "ldursh x2, [x1, #4]",        address: express },
    { text: "ldr w2, [x1, #0x2c]",        address: ids },
    { text: "ldr w2, [x1, x3]",           address: ids, other: REGISTER.subsystem },
    { text: "ldr w2, [x1, w3, uxtw #2]",  address: ids, other: REGISTER.subsystem / 4 },
    { text: "ldrh w2, [x1, w3, sxtw]",    address: revision, other: -8 },
    { text: "ldrb w2, [x1, x3, sxtx]",    address: revision, other: -6 },
    { text: "ldar w2, [x1]",              address: ids },
    { text: "ldarb w2, [x1]",             address: ids + 1 },
    { text: "ldarh w2, [x1]",             address: ids + 2 },
    { text: "ldar x2, [x1]",              address: ids },
    { text: "ldtr w2, [x1, #4]",          address: ids + 4 },
    { text: "ldr wzr, [x1]",              address: ids, value: 5 },
    { text: "mov x4, sp; mov sp, x1; ldr w2, [sp, #8]; mov sp, x4", address: ids },
    { text: "ldr x2, [x1]",               address: at + REGISTER.extended },
  ];
}

/** All bits of registers that QEMU's controller has too, then every store of one general register. */
// deno-fmt-ignore
function writes(at: number): RegisterAccess[] {
  const word = (offset: number): RegisterAccess => ({ text: "ldr w2, [x1]", address: at + offset });
  return [
    { text: "str w2, [x1]",        address: at + REGISTER.ids, value: 0 },          word(REGISTER.ids),
    { text: "str w2, [x1]",        address: at + REGISTER.revision, value: -1 },    word(REGISTER.revision),
    { text: "str w2, [x1]",        address: at + REGISTER.command, value: 0xffff }, word(REGISTER.command),
    { text: "strh w2, [x1]",       address: at + REGISTER.status, value: -1 },      word(REGISTER.command),
    { text: "strb wzr, [x1]",      address: at + REGISTER.command + 1 },            word(REGISTER.command),
    { text: "str wzr, [x1]",       address: at + REGISTER.command },                word(REGISTER.command),
    { text: "str w2, [x1]",        address: at + REGISTER.cacheLine, value: -1 },   word(REGISTER.cacheLine),
    { text: "str w2, [x1]",        address: at + REGISTER.subsystem, value: 1 },    word(REGISTER.subsystem),
    { text: "str w2, [x1]",        address: at + REGISTER.line, value: -1 },        word(REGISTER.line),
    { text: "stlrb w2, [x1]",      address: at + REGISTER.line, value: 0x1d },      word(REGISTER.line),
    { text: "stlrh w2, [x1]",      address: at + REGISTER.command, value: 6 },      word(REGISTER.command),
    { text: "stlr w2, [x1]",       address: at + REGISTER.cacheLine, value: 0x10 }, word(REGISTER.cacheLine),
    { text: "stur w2, [x1, #-8]",  address: at + REGISTER.express, value: 7 },      word(REGISTER.power + 0x18),
    { text: "sttr w2, [x1, #-4]",  address: at + REGISTER.bar, value: 0x20 },       word(REGISTER.cacheLine),
    { text: "strb w2, [x1, x3]",   address: at + REGISTER.ids, value: 3, other: REGISTER.line }, word(REGISTER.line),
    { text: "str w2, [x1]",        address: at + REGISTER.bar, value: -1 },         word(REGISTER.bar),
    { text: "str w2, [x1]",        address: at + REGISTER.bar + 4, value: -1 },     word(REGISTER.bar + 4),
    { text: "str x2, [x1]",        address: at + REGISTER.bar, value: 0 },
    { text: "str x2, [x1]",        address: at + REGISTER.bar, value: -1 },
    { text: "ldr x2, [x1]",        address: at + REGISTER.bar },
    { text: "str w2, [x1]",        address: at + REGISTER.bar + 8, value: -1 },     word(REGISTER.bar + 8),
    { text: "str w2, [x1]",        address: at + REGISTER.bar + 0x20, value: -1 },  word(REGISTER.bar + 0x20),
    { text: "str wzr, [x1]",       address: at + REGISTER.command },                word(REGISTER.command),
  ];
}

/** What is not there: ones, and writes that go nowhere. */
// deno-fmt-ignore
function absent(window: number): RegisterAccess[] {
  return [ABSENT_FUNCTION, ABSENT_DEVICE, LAST].flatMap((at) => [
    { text: "ldr w2, [x1]",   address: window + at },
    { text: "ldrh w2, [x1]",  address: window + at + 2 },
    { text: "ldrb w2, [x1]",  address: window + at + 0xe },
    { text: "ldr x2, [x1]",   address: window + at + 0xff8 },
    { text: "ldrsw x2, [x1]", address: window + at + 4 },
    { text: "str x2, [x1]",   address: window + at + 0x10, value: 0 },
    { text: "ldr w2, [x1]",   address: window + at + 0x10 },
  ]);
}

/** What QEMU's controller answers as well: its list of capabilities begins with others. */
export function sharedAccesses(window: number): RegisterAccess[] {
  const at = window + FUNCTION;
  // Not 0x84 and 0x88: QEMU's can be reset as a function, which bit 28 of 0x84 tells, and reports no errors.
  const words = [0x00, 0x08, 0x0c, 0x14, 0x18, 0x1c, 0x20, 0x24, 0x28, 0x2c, 0x30, 0x38, 0x3c];
  const capabilities = [0x60, 0x64, 0x80, 0x8c, 0x90, 0x94, 0xa0, 0xa4, 0xa8, 0xac, 0xb0];
  return [
    ...[...words, ...capabilities].map((offset) => ({ text: "ldr w2, [x1]", address: at + offset })),
    ...reads(at),
    ...writes(at),
    ...absent(window),
  ];
}

/** All of a function: every word, every load and store, and what must not change it. */
// deno-fmt-ignore
export function functionAccesses(window: number): RegisterAccess[] {
  const at = window + FUNCTION;
  const words = (from: number, to: number): RegisterAccess[] =>
    Array.from({ length: (to - from) / 4 }, (_, n) => ({ text: "ldr w2, [x1]", address: at + from + 4 * n }));
  const word = (offset: number): RegisterAccess => ({ text: "ldr w2, [x1]", address: at + offset });
  return [
    ...words(0, 0x110),
    { text: "str w2, [x1]",  address: at + REGISTER.pointer, value: 0 },         word(REGISTER.pointer),
    { text: "str x2, [x1]",  address: at + REGISTER.first, value: 0 },           word(REGISTER.first),
    { text: "str x2, [x1]",  address: at + REGISTER.first + 8, value: -1 },      word(REGISTER.first + 8),
    { text: "str w2, [x1]",  address: at + REGISTER.power + 4, value: -1 },      word(REGISTER.power + 4),
    { text: "str w2, [x1]",  address: at + REGISTER.bar, value: 0x1234_0000 },   word(REGISTER.bar),
    { text: "strb w2, [x1]", address: at + REGISTER.bar + 3, value: 0x55 },      word(REGISTER.bar),
    { text: "str w2, [x1]",  address: at + REGISTER.bar, value: -1 },            word(REGISTER.bar),
    { text: "strh wzr, [x1]", address: at + REGISTER.bar },                      word(REGISTER.bar),
    { text: "str w2, [x1]",  address: at + REGISTER.bar + 4, value: 0x80 },      word(REGISTER.bar + 4),
    { text: "str w2, [x1]",  address: at + REGISTER.deviceControl, value: -1 },  word(REGISTER.deviceControl),
    { text: "stlr w2, [x1]", address: at + REGISTER.deviceControl, value: 5 },   word(REGISTER.deviceControl),
    { text: "str w2, [x1]",  address: at + 0xd0, value: 0x1234_5678 },           word(0xd0),
    { text: "str w2, [x1]",  address: at + REGISTER.extended, value: -1 },       word(REGISTER.extended),
    ...sharedAccesses(window),
    ...words(0, 0x48),
  ];
}

/** What a monitor leaves alone: more than one register or none, a base register that changes, a piece of two registers. */
// deno-fmt-ignore
export function refusedAccesses(window: number): RegisterAccess[] {
  const at = window + FUNCTION;
  return [
    { text: "ldp w2, w3, [x1]",        address: at },
    { text: "ldp x2, x3, [x1], #16",   address: at },
    { text: "ldpsw x2, x3, [x1]",      address: at },
    { text: "ldnp x2, x3, [x1]",       address: at },
    { text: "stp w2, w3, [x1, #-8]!",  address: at + 0x10, value: 1 },
    { text: "stnp x2, x3, [x1]",       address: at + 0x10, value: 1 },
    { text: "ldr q0, [x1]",            address: at },
    { text: "ldr s0, [x1]",            address: at },
    { text: "ldp d0, d1, [x1]",        address: at },
    { text: "str d0, [x1]",            address: at + 0x10 },
    { text: "ld1 {v0.4s}, [x1]",       address: at },
    { text: "st1 {v0.b}[3], [x1]",     address: at + 4 },
    { text: "ldr w2, [x1], #4",        address: at },
    { text: "ldr w2, [x1, #8]!",       address: at },
    { text: "ldrb w2, [x1], #-1",      address: at },
    { text: "str w2, [x1], #4",        address: at + 4, value: 7 },
    { text: "strh w2, [x1, #2]!",      address: at + 4, value: 7 },
    { text: "ldxr w2, [x1]",           address: at },
    { text: "ldaxrb w2, [x1]",         address: at },
    { text: "ldaxp w2, w3, [x1]",      address: at },
    { text: "blr x1",                  address: at },
    { text: "ldr w2, [x1]",            address: window + 0x10_0000 },
    { text: "strb w2, [x1]",           address: window - 0x1_0000, value: 3 },
    { text: "ldr w2, [x1]",            address: at + 1, isNormal: true },
    { text: "ldrh w2, [x1]",           address: at + 3, isNormal: true },
    { text: "ldr x2, [x1]",            address: at + 4, isNormal: true },
    { text: "str w2, [x1]",            address: at + 6, value: 3, isNormal: true },
    { text: "ldr x2, [x1]",            address: window + 0xf_fffc, isNormal: true },
    { text: "ldr w2, [x1]",            address: window - 2, isNormal: true },
  ];
}

/** Atomics, of CPUs with FEAT_LSE. */
// deno-fmt-ignore
export function atomicAccesses(window: number): RegisterAccess[] {
  const at = window + FUNCTION + 4;
  return [
    { text: "ldadd w2, w3, [x1]",  address: at, value: 1 },
    { text: "stset w2, [x1]",      address: at, value: 4 },
    { text: "swpal w2, w3, [x1]",  address: at, value: 6 },
    { text: "cas w2, w3, [x1]",    address: at, value: 0, other: 6 },
    { text: "ldapr w2, [x1]",      address: window + 0x10_0000 },
    { text: "caspal x2, x3, x4, x5, [x1]", address: at - 4 },
  ];
}
