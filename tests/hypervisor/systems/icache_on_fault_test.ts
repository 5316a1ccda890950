/** icache-on-fault on a small guest: pages that come and go, the sheet's failure modes, planted faults, refusals. */
import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import "../../../hypervisor/install.ts";
import { cacheTypeOf } from "../../../hypervisor/cache_maintenance.ts";
import { codePages, codePagesOutput } from "../../../firmware/code_pages.ts";
import type { ConfigurationInput, StrictModelName } from "../../../machine/configuration.ts";
import { ConfigurationError } from "../../../machine/errors.ts";
import type { EventKind, MachineEvent } from "../../../machine/events.ts";
import { ENGINES, Machine } from "../../../machine/machine.ts";
import { flatGuest, type Guest, programGuest } from "../../journal/guest.ts";

type Options = Readonly<Record<string, string>>;

/** The machine with the system. */
function machineOf(
  guest: Guest,
  options: Options,
  more: ConfigurationInput = {},
  engine = "reference",
): Machine {
  const configuration = guest.configuration({
    memoryMiB: 32,
    monitors: [{ level: 2, systems: [{ name: "icache-on-fault", options }] }],
    ...more,
  });
  return new Machine(configuration, guest.images, { engine });
}

/** Keeps the events of a machine, and what it prints. */
function watched(machine: Machine): { readonly events: MachineEvent[]; console(): string } {
  const events: MachineEvent[] = [];
  machine.board.events.add({
    classes: ["trap", "detail", "device"],
    observe: (event) => void events.push(event),
  });
  const console = () =>
    events.flatMap((event) =>
      event.kind === "deviceWritten" && event.device === "uart0" && event.address === 0x0900_0000
        ? [String.fromCharCode(Number(event.value))]
        : []
    ).join("");
  return { events, console };
}

function ofKind<K extends EventKind>(
  events: readonly MachineEvent[],
  kind: K,
): Extract<MachineEvent, { kind: K }>[] {
  return events.filter((event): event is Extract<MachineEvent, { kind: K }> => event.kind === kind);
}

const STRICT: StrictModelName[] = ["tlb", "icache", "dcache", "context"];

Deno.test("icache-on-fault keeps paged code coherent on every engine, with equal roots, in both policies", () => {
  const policies: [string, boolean, StrictModelName[], string[]][] = [
    ["whole", false, ["icache"], Object.keys(ENGINES)],
    ["lazy", true, STRICT, ["reference", "compiled"]],
  ];
  for (const [policy, caches, strictModels, engines] of policies) {
    const shape = { calls: 512, caches };
    const guest = programGuest(codePages(shape)), expected = codePagesOutput(shape).join("\n") + "\n";
    const roots = engines.map((engine) => {
      const options = { every: "3000", seed: "5", policy };
      const machine = machineOf(guest, options, { strictModels }, engine);
      const { events, console } = watched(machine);
      assertEquals(machine.run(200_000).reason, "poweredOff");
      assertEquals(console(), expected, `${policy} ${engine}`);
      assertEquals(events.filter(({ kind }) => /^(stale[^R]|breakBefore|monitorStopped)/.test(kind)), []);
      const reasons = ofKind(events, "stage2Unmapped").map(({ reason }) => reason);
      assertEquals([reasons.includes("evicted"), reasons.includes("moved")], [true, true]);
      if (policy === "lazy") {
        assertEquals(ofKind(events, "stage2Mapped").filter(({ write, execute }) => write && execute), []);
      }
      return machine.stateRoot().root.toHex();
    });
    assertEquals(new Set(roots).size, 1, policy);
  }
});

Deno.test("icache-on-fault goes on from a snapshot to the same root", () => {
  const guest = programGuest(codePages({ calls: 512, caches: false }));
  const build = () =>
    machineOf(guest, { every: "1000", seed: "9" }, { strictModels: ["icache"] }, "threaded");
  const whole = build(), other = build();
  whole.run(20_000);
  other.restore(whole.snapshot());
  assertEquals([whole.run(200_000).reason, other.run(200_000).reason], ["poweredOff", "poweredOff"]);
  assertEquals(other.stateRoot().root.toHex(), whole.stateRoot().root.toHex());
});

for (
  const [omit, strictModels, caches] of [["ic", ["icache"], false], [
    "dc",
    ["icache", "dcache"],
    true,
  ]] as const
) {
  Deno.test(`icache-on-fault without ${omit.toUpperCase()} executes stale instructions, at the same place each time`, () => {
    const guest = programGuest(codePages({ calls: 512, caches }));
    const first = ["reference", "threaded"].map((engine) => {
      const options = { every: "500", seed: "5", omit };
      const machine = machineOf(guest, options, { strictModels: [...strictModels] }, engine);
      const { events } = watched(machine);
      machine.run(27_000);
      const [stale] = ofKind(events, "staleInstructionFetched");
      const frame = BigInt(Math.floor((stale?.physical ?? 0) / 4096) * 4096);
      // The frame was mapped by the last fault that concerned it, after the monitor had put another page into it.
      const mapping = ofKind(events, "stage2Mapped").findLast(({ physical, instant }) =>
        physical === frame && instant <= (stale?.instant ?? 0)
      );
      const moved = ofKind(events, "stage2Unmapped").some(({ ipa }) => ipa === mapping?.ipa);
      return [stale?.instant, stale?.physical, mapping?.instant, mapping?.ipa, moved];
    });
    assertEquals(first[0], first[1]);
    assertEquals([first[0]?.[0] !== undefined, first[0]?.[4]], [true, true]);
  });
}

/** Meets one thing after the other; an abort at EL1 goes on at x28 and leaves ESR_EL1 in x27. */
const MISUSE = String.raw`
        ldr     x0, =vectors
        msr     VBAR_EL1, x0
        ldr     x1, =0x09000018
        ldr     w20, [x1]                       // a device
        adr     x28, 1f
        ldr     x1, =0x09000000
        br      x1                              // its registers are no code
1:      mov     x21, x27
        adr     x28, 2f
        ldr     x1, =0x50000000
        ldr     w2, [x1]                        // nothing is there
2:      mov     x22, x27
        adr     x28, 3f
        ldr     x1, =0x41c00000
        str     w2, [x1]                        // the monitor's memory is not there
3:      mov     x23, x27
        adr     x0, table                       // in a page of its own
        msr     TTBR0_EL1, x0
        ldr     x0, =0x280803519
        msr     TCR_EL1, x0
        ldr     x0, =0x04ff
        msr     MAIR_EL1, x0
        mrs     x0, SCTLR_EL1
        mov     x1, #0x1005
        orr     x0, x0, x1
        msr     SCTLR_EL1, x0
        isb
        mov     w1, #99
        b       own
own:    adr     x2, own
        str     w1, [x2, #64]                   // the page writes to itself
        ldr     w24, [x2, #64]
        .if PAIR
        stp     w1, w1, [x2, #72]
        .endif
        ldr     w0, =0x84000008
        hvc     #0
        .balign 2048
vectors: .space 0x200
        mrs     x27, ESR_EL1
        msr     ELR_EL1, x28
        eret
        .balign 4096
table:  .quad   0x60000000000405, 0x40000701
        .space  4096 - 16
`;

Deno.test("icache-on-fault: devices, nothing, the monitor's memory, tables, and pages that write to themselves", () => {
  for (const [policy, pair] of [["whole", 0], ["lazy", 0], ["lazy", 1]] as const) {
    const guest = flatGuest(`.equ PAIR, ${pair}\n${MISUSE}`);
    const machine = machineOf(guest, { policy }, { strictModels: STRICT });
    const { events } = watched(machine);
    assertEquals(machine.run(10_000).reason, "poweredOff");
    const { registers } = machine.board.cpus[0]!;
    const syndromes = [21, 22, 23].map((n) => registers.x(n).toString(16));
    assertEquals(syndromes, ["86000010", "96000010", "96000050"]);
    assertEquals(registers.x(24), 99n);
    const mapped = ofKind(events, "stage2Mapped"), maintained = ofKind(events, "rangeMaintained");
    const device = mapped.filter(({ ipa }) => ipa === 0x0900_0000n);
    assertEquals(device.map(({ execute }) => execute), [false]);
    assertEquals(maintained.filter(({ physical }) => physical === 0x0900_0000n), []);
    const walks = ofKind(events, "stage2Faulted").filter(({ onWalk }) => onWalk);
    const table = BigInt(guest.program.symbols.get("table") as bigint);
    assertEquals(walks.map(({ ipa }) => ipa), [table]);
    assertEquals(mapped.filter(({ ipa }) => ipa === table).map(({ execute }) => execute), [false]);
    assertEquals(maintained.filter(({ physical }) => physical === table).map(({ cache }) => cache), ["data"]);
    // One register is stored by the monitor; for two the page is both written and executed.
    const stores = ofKind(events, "guestStoreDone").map(({ size, value }) => [size, value]);
    assertEquals(stores, policy === "lazy" ? [[4, 99n]] : []);
    assertEquals(mapped.some(({ write, execute }) => write && execute), policy === "whole" || pair === 1);
    assertEquals(ofKind(events, "staleInstructionFetched"), []);
  }
});

Deno.test("icache-on-fault refuses wrong options and devices that would write to pages it moves", () => {
  const guest = flatGuest("b .");
  const cases: [Options, ConfigurationInput, string][] = [
    [{ policy: "none" }, {}, "policy"],
    [{ spare: "1" }, {}, "spare"],
    [{ seed: "0" }, {}, "seed"],
    [{ every: "x" }, {}, "every: not a whole number"],
    [{ nonesuch: "1" }, {}, "nonesuch"],
    [
      { every: "1000" },
      { devices: [{ model: "virtio-rng-device" }] } as unknown as ConfigurationInput,
      "-device",
    ],
  ];
  for (const [options, more, why] of cases) {
    const error = assertThrows(() => machineOf(guest, options, more), ConfigurationError);
    assertStringIncludes(error.message, why);
  }
});

Deno.test("cacheTypeOf reads lines, IDC, DIC and L1Ip", () => {
  const type = cacheTypeOf(0x8444_c004n);
  assertEquals([type.dataLine, type.instructionLine, type.byAddress], [64, 64, true]);
  assertEquals([type.dataIsCoherent, type.instructionsAreCoherent], [false, false]);
  const other = cacheTypeOf(0xb445_8003n);
  assertEquals([other.dataLine, other.instructionLine, other.byAddress], [128, 32, false]);
  assertEquals([other.dataIsCoherent, other.instructionsAreCoherent], [true, true]);
});
