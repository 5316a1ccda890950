/** A guest below a monitor: what it calls, what it meets, what an operator may ask; on every engine, with equal roots. */
import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import "../../hypervisor/install.ts";
import { SYSTEMS } from "../../hypervisor/systems/table.ts";
import type { ConfigurationInput } from "../../machine/configuration.ts";
import { ConfigurationError, InputRefusedError } from "../../machine/errors.ts";
import type { MachineEvent } from "../../machine/events.ts";
import { ENGINES, Machine } from "../../machine/machine.ts";
import { flatGuest } from "../journal/guest.ts";
import { NVME_IMAGES, nvmeBlocks } from "./nvme_block.ts";

/** CPU 0 starts CPU 1 by PSCI and meets an abort, an UNDEFINED instruction and a call that there is not; X20–X27 have what came. */
const source = (conduit: "hvc" | "smc") => `
        adr     x0, vectors
        msr     VBAR_EL1, x0
        ldr     x0, =0xc4000003         // CPU_ON
        mov     x1, #1
        adr     x2, second
        mov     x3, #77
        ${conduit}     #0
        mov     x20, x0
        ldr     x0, =0x8600ff01         // no service
        ${conduit}     #0
        mov     x21, x0
        ${conduit}     #5               // an immediate that is reserved
        mov     x22, x9
        mov     x23, x10
        ldr     x1, =0x50000000         // nothing is there
        ldr     w0, [x1]
        mov     x24, x9
        mov     x25, x11
        adr     x1, flag
1:      ldr     x26, [x1]
        cbz     x26, 1b
        mrs     x27, CurrentEL
        ldr     x0, =0x84000008         // SYSTEM_OFF
        ${conduit}     #0
second: adr     x1, flag
        str     x0, [x1]
2:      wfi
        b       2b
flag:   .quad 0
        .balign 2048
vectors: .space 0x200
        mrs     x9, ESR_EL1
        mrs     x10, ELR_EL1
        mrs     x11, FAR_EL1
        adr     x12, after
        mrs     x12, ELR_EL1
        add     x13, x12, #4
        lsr     x14, x9, #26
        cmp     x14, #0x25
        csel    x12, x13, x12, eq       // on behind the load
        msr     ELR_EL1, x12
after:  eret
`;

interface Seen {
  readonly registers: readonly string[];
  readonly root: string;
  readonly kinds: readonly string[];
}

function run(level: 2 | 3, engine: string, more: ConfigurationInput = {}): Seen {
  const guest = flatGuest(source(level === 2 ? "hvc" : "smc"));
  const configuration = guest.configuration({
    cpus: 2,
    memoryMiB: 64,
    quantum: 64,
    monitors: [{ level, systems: [] }],
    ...more,
  });
  const machine = new Machine(configuration, new Map([...guest.images, ...NVME_IMAGES]), { engine });
  const kinds: string[] = [];
  machine.board.events.add({
    classes: ["trap"],
    observe: ({ kind }: MachineEvent) => void (kinds.includes(kind) || kinds.push(kind)),
  });
  assertEquals(machine.run(100_000).reason, "poweredOff");
  const { registers } = machine.board.cpus[0]!;
  return {
    registers: Array.from({ length: 8 }, (_, n) => registers.x(20 + n).toString(16)),
    root: machine.stateRoot().root.toHex(),
    kinds,
  };
}

for (const level of [2, 3] as const) {
  Deno.test(`a monitor at EL${level} answers PSCI and injects what nothing answers`, () => {
    const seen = run(level, "reference");
    const undefinedSyndrome = "2000000", abort = "96000010";
    const [started, unknown, syndrome, , aborted, address, context, currentLevel] = seen.registers;
    assertEquals([started, unknown], ["0", "f".repeat(16)]);
    assertEquals([syndrome, aborted, address], [undefinedSyndrome, abort, "50000000"]);
    assertEquals([context, currentLevel], ["4d", "4"]);
    assertEquals(seen.kinds.includes("exceptionInjected"), true);
    for (const engine of Object.keys(ENGINES)) assertEquals(run(level, engine), seen, engine);
  });
}

Deno.test("one, two and all of the systems can be enabled together, and the guest runs the same program", () => {
  const all = SYSTEMS.filter(({ levels, options }) => levels.includes(2) && options.safeParse({}).success)
    .map(({ slug }) => ({ name: slug, options: {} }));
  const { registers } = run(2, "compiled");
  const twos = all.flatMap((one, at) => all.slice(at).map((other) => one === other ? [one] : [one, other]));
  for (const systems of [...twos, all]) {
    const seen = run(2, "compiled", {
      ...nvmeBlocks(1),
      rootPorts: 1,
      uart1: true,
      cpuModel: "max",
      monitors: [{ level: 2, systems }],
    });
    assertEquals(seen.registers, registers, systems.map(({ name }) => name).join(", "));
  }
});

Deno.test("a monitor's machine goes on from a snapshot to the same root", () => {
  const guest = flatGuest(source("hvc"));
  const configuration = guest.configuration({
    cpus: 2,
    memoryMiB: 64,
    monitors: [{ level: 2, systems: [] }],
  });
  const whole = new Machine(configuration, guest.images);
  whole.run(40);
  const other = new Machine(configuration, guest.images);
  other.restore(whole.snapshot());
  assertEquals([whole.run(100_000).reason, other.run(100_000).reason], ["poweredOff", "poweredOff"]);
  assertEquals(other.stateRoot().root.toHex(), whole.stateRoot().root.toHex());
});

Deno.test("a monitor is refused where its level is the guest's, twice at a level, and without room", () => {
  const guest = flatGuest("b .");
  const build = (more: ConfigurationInput) => () => new Machine(guest.configuration(more), guest.images);
  const idle = (level: 2 | 3) => ({ level, systems: [] });
  const cases: [ConfigurationInput, string][] = [
    [{ virtualization: true, monitors: [idle(2)] }, "virtualization=on"],
    [{ secure: true, monitors: [idle(3)] }, "secure=on"],
    [{ monitors: [idle(2), idle(2)] }, "two monitors at EL2"],
    [{ memoryMiB: 12, monitors: [idle(2)] }, "-m 16"],
    [{ monitors: [{ level: 2, systems: [{ name: "nonesuch", options: {} }] }] }, 'no system "nonesuch"'],
  ];
  for (const [more, why] of cases) {
    const error = assertThrows(build(more), ConfigurationError);
    assertStringIncludes(error.message, why);
  }
});

Deno.test("operator inputs for a monitor are refused, with the reason, where there is none that takes them", () => {
  const guest = flatGuest("b .");
  const bare = new Machine(guest.configuration(), guest.images);
  const idle = new Machine(guest.configuration({ monitors: [{ level: 2, systems: [] }] }), guest.images);
  const command = { kind: "monitorCommanded", level: 2, command: "nonesuch" } as const;
  const scale = { kind: "timeScaleChanged", numerator: 1, denominator: 2 } as const;
  const root = idle.stateRoot().root.toHex();
  for (
    const [machine, input, why] of [
      [bare, command, "no monitor is installed at EL2"],
      [bare, scale, "no monitor is installed at EL2"],
      [idle, command, 'takes no command "nonesuch"'],
      [idle, scale, "no system of the monitor"],
    ] as const
  ) {
    const error = assertThrows(() => machine.submit(input), InputRefusedError);
    assertStringIncludes(error.message, why);
  }
  assertEquals(idle.stateRoot().root.toHex(), root);
});
