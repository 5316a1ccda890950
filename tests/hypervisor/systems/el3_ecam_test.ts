/** el3-ecam: cycles as on the board's own PCI, what it leaves alone, functions that come and go, snapshots, misuse. */
import { assertEquals, assertThrows } from "@std/assert";
import "../../../hypervisor/install.ts";
import { BOARD_ECAM, functionAccesses, refusedAccesses } from "../../../firmware/el3_ecam/config_accesses.ts";
import type { RegisterAccess } from "../../../firmware/el3_simdev/register_accesses.ts";
import { REGISTER_GUEST_BASE, registerGuestSource } from "../../../firmware/el3_simdev/register_guest.ts";
import { ECAM } from "../../../hypervisor/systems/el3_ecam/window.ts";
import { assembleProgram, type Program } from "../../../machine/a64/program.ts";
import type { ConfigurationInput } from "../../../machine/configuration.ts";
import { ConfigurationError, InputRefusedError } from "../../../machine/errors.ts";
import type { MachineEvent } from "../../../machine/events.ts";
import { Machine } from "../../../machine/machine.ts";
import { flatGuest, type Guest, programGuest } from "../../journal/guest.ts";
import { NVME_IMAGES, nvmeBlocks } from "../nvme_block.ts";

const shown = (level: 2 | 3, count = 1, options = {}): ConfigurationInput => ({
  ...nvmeBlocks(count),
  monitors: [{ level, systems: [{ name: "el3-ecam", options }] }],
});
const REAL: ConfigurationInput = { ...nvmeBlocks(1, "nvme-ea"), highmem: false };

function build(guest: Guest, more: ConfigurationInput): Machine {
  return new Machine(
    guest.configuration({ memoryMiB: 64, ...more }),
    new Map([...guest.images, ...NVME_IMAGES]),
  );
}

function accessing(accesses: readonly RegisterAccess[], more: ConfigurationInput): Machine {
  const conduit = more.monitors?.[0]?.level === 3 ? "smc" : "hvc";
  const source = registerGuestSource({ accesses, conduit });
  return build(programGuest(assembleProgram(source, { name: "cycles", base: REGISTER_GUEST_BASE })), more);
}

/** What the guest printed until it powered off. */
function printedBy(machine: Machine): string {
  let text = "";
  machine.board.transmitted = (byte) => void (text += String.fromCharCode(byte));
  assertEquals(machine.run(3_000_000).reason, "poweredOff");
  return text;
}

/** Places of windows and controllers told alike. */
const alike = (text: string): string =>
  text.replace(/\b(3f0|d0)([0-9a-f]{5})\b/g, "window+$2").replace(
    /\b(3e000|c000)([0-9a-f]{3})\b/g,
    "base+$2",
  );

function watched(machine: Machine): MachineEvent[] {
  const events: MachineEvent[] = [];
  machine.board.events.add({
    classes: ["trap"],
    observe: (event) => void (event.kind.startsWith("configuration") && events.push(event)),
  });
  return events;
}

Deno.test("el3-ecam gives what the board's own PCI gives, from EL3, and from EL2 with equal events", () => {
  const wanted = printedBy(accessing(functionAccesses(BOARD_ECAM), REAL));
  const accesses = functionAccesses(ECAM.base), three = accessing(accesses, shown(3));
  const two = accessing(accesses, shown(2)), [threes, twos] = [watched(three), watched(two)];
  const text = printedBy(three);
  assertEquals(alike(text), alike(wanted));
  assertEquals(printedBy(two), text);
  const bare = (events: readonly MachineEvent[]) =>
    events.map((event) => ({ ...event, instant: 0, index: 0 }));
  assertEquals(bare(threes), bare(twos));
});

Deno.test("what el3-ecam leaves alone is the abort of a board without it, below both monitors", () => {
  const accesses = refusedAccesses(ECAM.base), wanted = printedBy(accessing(accesses, {}));
  for (const level of [3, 2] as const) {
    const machine = accessing(accesses, shown(level)), events = watched(machine);
    assertEquals(printedBy(machine), wanted);
    assertEquals(events, []);
  }
});

/** A table walk that leads into the window: level 1 for addresses from 2^64 - 2^32 on. */
const WALK = `
        ldr     x0, =table
        ldr     x1, =0x40000705
        str     x1, [x0, #8]
        msr     TTBR0_EL1, x0
        ldr     x1, =${ECAM.base + 0x8000}
        msr     TTBR1_EL1, x1
        mov     x1, #0xff
        msr     MAIR_EL1, x1
        ldr     x1, =(32 | 32 << 16 | 2 << 30)
        msr     TCR_EL1, x1
        ldr     x0, =vectors
        msr     VBAR_EL1, x0
        mrs     x1, SCTLR_EL1
        orr     x1, x1, #1
        msr     SCTLR_EL1, x1
        isb
        ldr     x1, =0xffffffff00000000
        ldr     w2, [x1]
        b       .
        .ltorg
        .balign 4096
table:  .space  4096
vectors: .space 0x200
        mrs     x20, ESR_EL1
        mrs     x21, FAR_EL1
        b       .
`;

Deno.test("el3-ecam answers no walk of tables", () => {
  for (const level of [3, 2] as const) {
    const machine = build(flatGuest(WALK), shown(level)), events = watched(machine);
    machine.run(2000);
    const { registers } = machine.board.cpus[0]!;
    assertEquals([registers.x(20) >> 26n, registers.x(21)], [0x25n, 0xffff_ffff_0000_0000n]);
    if (level === 3) assertEquals(registers.x(20), 0x9600_0015n); // an External abort on a walk, level 1
    assertEquals(events, []);
  }
});

/** Reads word 0 of the functions 01.0 and 02.0, and the status register of the first, for ever. */
const READER = `
        ldr     x1, =${ECAM.base + 0x8000}
        ldr     x2, =${ECAM.base + 0x1_0000}
1:      ldr     w20, [x1]
        ldr     w21, [x2]
        ldrh    w22, [x1, #6]
        ldr     w23, [x2, #4]
        mov     w3, #6
        str     w3, [x2, #4]
        b       1b
`;
const program: Program = flatGuest(READER).program;

Deno.test("functions of el3-ecam come and go as an operator says, and begin anew", () => {
  for (const level of [3, 2] as const) {
    const machine = build(programGuest(program), shown(level, 2, { absent: "nvme-mmio.1" }));
    const [monitor] = machine.board.monitors, cpu = machine.board.cpus[0]!, { registers } = cpu;
    const seen = (): string[] => {
      machine.run(machine.instant + 40);
      return [20, 21, 23].map((number) => registers.x(number).toString(16));
    };
    assertEquals(seen(), ["101b36", "ffffffff", "ffffffff"]);
    monitor?.prepareCommand(cpu, "el3-ecam add nvme-mmio.1")();
    assertEquals(seen(), ["101b36", "101b36", "100006"]);
    monitor?.prepareCommand(cpu, "el3-ecam remove nvme-mmio.1")();
    assertEquals(seen(), ["101b36", "ffffffff", "ffffffff"]);
    monitor?.prepareCommand(cpu, "el3-ecam add nvme-mmio.1")();
    const other = build(programGuest(program), shown(level, 2, { absent: "nvme-mmio.1" }));
    other.restore(machine.snapshot());
    const until = machine.instant + 40, events = watched(machine);
    for (const each of [machine, other]) each.run(until);
    const command = events.find((event) =>
      event.kind === "configurationRead" && event.bdf === 16 && event.offset === 4
    );
    assertEquals(command?.kind === "configurationRead" && command.value, 0x10_0000);
    assertEquals(other.stateRoot().root.toHex(), machine.stateRoot().root.toHex());
    for (
      const command of [
        "add nvme-mmio.1",
        "remove nvme-mmio.2",
        "move nvme-mmio.1",
        "add",
        "add nvme-mmio.1 now",
      ]
    ) {
      assertThrows(() => monitor?.prepareCommand(cpu, `el3-ecam ${command}`), InputRefusedError);
    }
  }
});

Deno.test("the status register of el3-ecam's function tells of its device's interrupt", () => {
  for (const [level, gicVersion] of [[3, 2], [2, 2], [3, 3]] as const) {
    const machine = build(programGuest(program), { ...shown(level), gicVersion, its: false });
    const { registers } = machine.board.cpus[0]!;
    machine.run(40);
    assertEquals(registers.x(22), 0x10n);
    machine.board.injectInterrupt(144);
    machine.run(machine.instant + 40);
    assertEquals(registers.x(22), 0x18n);
  }
});

Deno.test("el3-ecam refuses to begin with nothing, and with an absent function that there is not", () => {
  const { monitors } = shown(3), guest = flatGuest("b .");
  assertThrows(() => build(guest, { monitors: monitors! }), ConfigurationError, "add -device nvme-mmio");
  assertThrows(
    () => build(guest, shown(3, 1, { absent: "disk" })),
    ConfigurationError,
    "none of nvme-mmio.0",
  );
  assertThrows(() => build(guest, shown(3, 1, { there: "disk" })), ConfigurationError, "el3-ecam");
});
