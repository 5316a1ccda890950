/** pagefault-boot: one abort at every level and granule, and every way in which it must not go on. */
import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { type HandOff, readHandOff } from "../../../firmware/loader/hand_off.ts";
import {
  LOADER_KERNEL_AT,
  pagefaultBoot as assemble,
  type PagefaultBootOptions,
  pagefaultBootSources,
} from "../../../firmware/loader/pagefault_boot.ts";
import { GRANULES, type LoaderLevel } from "../../../firmware/loader/translation_layout.ts";
import { leavesOf, lookUpTables } from "../../../firmware/loader/translation_tables.ts";
import { assembleProgram, type Program } from "../../../machine/a64/program.ts";
import type { ConfigurationInput } from "../../../machine/configuration.ts";
import { type LoaderRun, patch, quadAt, runPlaced } from "./guest.ts";

const LINK = 0xab_cd00_0000n, MA = 0x4567_0000;
const LEVELS: readonly LoaderLevel[] = [1, 2, 3];

const optionsOf = (more: Partial<PagefaultBootOptions> = {}): PagefaultBootOptions => (
  { level: 1, granule: 12, inputBits: 48, link: LINK, ...more }
);

const BUILT = new Map<string, Program>();

/** A loader, built once. */
function pagefaultBoot(options: PagefaultBootOptions): Program {
  const key = Object.values(options).join();
  const program = BUILT.get(key) ?? assemble(options);
  BUILT.set(key, program);
  return program;
}

/** A board that starts at a level; 16 KiB granules are those of `max`. */
const boardOf = ({ level, granule }: PagefaultBootOptions): ConfigurationInput => ({
  secure: level === 3,
  virtualization: level >= 2,
  cpuModel: granule === 14 ? "max" : "cortex-a57",
});

/** Where a label is in RAM. */
const placeOf = (program: Program, name: string, at = MA): bigint =>
  program.symbols.get(name)! - program.base + BigInt(at);

function handOffOf({ machine }: LoaderRun, program: Program, at = MA): HandOff {
  return readHandOff((address) => quadAt(machine, address), placeOf(program, "hand_off", at));
}

/** A loader with one line of its source replaced. */
function altered(options: PagefaultBootOptions, from: string, to: string): Program {
  const sources = pagefaultBootSources(options).map(({ name, text }) => ({
    name,
    text: text.replace(from, to),
  }));
  assert(sources.some(({ text }) => text.includes(to)), `nothing to replace: ${from}`);
  return assembleProgram(sources, { base: options.link });
}

const run = (
  options: PagefaultBootOptions,
  machine: ConfigurationInput = {},
  program = pagefaultBoot(options),
) => runPlaced([{ program, at: MA }], { machine: { ...boardOf(options), ...machine } });

const aborts = ({ events }: LoaderRun) => events.filter((event) => event.kind === "exceptionTaken");

Deno.test("pagefaultBoot takes one abort, at the instruction after the MSR, at every level and granule", () => {
  for (const level of LEVELS) {
    // Tables are the same at every level; `deno task systems` tries all granules at all levels.
    for (const granule of level === 1 ? Object.values(GRANULES) : [12] as const) {
      const options = optionsOf({ level, granule }), program = pagefaultBoot(options);
      const why = `EL${level}, granule ${granule}`, behind = program.size - program.bytes.length;
      const done = runPlaced([{ program, at: MA }], {
        machine: boardOf(options),
        // RAM is not clean: stack and tables begin with rubbish.
        prepare: (machine) => patch(machine, MA + program.bytes.length, new Uint8Array(behind).fill(0xff)),
      });
      const read = (address: bigint) => quadAt(done.machine, address);
      assertEquals(done.stop.reason, "resting", why);
      const [taken, ...others] = aborts(done);
      assertEquals(others, [], why);
      const record = handOffOf(done, program), enabled = placeOf(program, "enabled");
      const missing = lookUpTables(options, record.tables, read, BigInt(MA));
      assert(missing.kind === "fault", why);
      assert(taken?.kind === "exceptionTaken", why);
      assertEquals(taken.syndrome >> 26n, 0x21n, why);
      assertEquals(taken.syndrome & 0x3fn, BigInt(0b000100 | missing.level), why);
      assertEquals([taken.faultAddress, taken.returnAddress], [enabled, enabled], why);
      assertEquals(taken.vector, program.symbols.get("boot_vectors")! + 0x200n, why);
      assertEquals(record, {
        machineAddress: BigInt(MA),
        virtualAddress: LINK,
        difference: LINK - BigInt(MA),
        level: BigInt(level),
        tables: placeOf(program, "table_room"),
        granule: BigInt(granule),
        size: BigInt(program.size),
        aborts: 1n,
        syndrome: taken.syndrome,
        faultAddress: enabled,
        returnAddress: enabled,
        kernel: 0n,
        deviceTree: 0n,
      }, why);
      // The image, and the UART that was mapped behind it when there was something to print; nothing else.
      const leaves = [...leavesOf(options, record.tables, read)];
      const pages = leaves.filter(({ virtual }) => virtual < LINK + record.size);
      assertEquals(
        pages.map(({ virtual, physical }) => virtual - physical),
        pages.map(() => record.difference),
        why,
      );
      assertEquals(pages.reduce((sum, { size }) => sum + size, 0n), record.size, why);
      assertEquals(leaves.slice(pages.length).map(({ physical }) => physical), [0x0900_0000n], why);
    }
  }
});

Deno.test("pagefaultBoot needs nothing that strict models would show to be missing, and aborts after the ISB there", () => {
  for (const level of [2] as const) {
    const options = optionsOf({ level }), program = pagefaultBoot(options);
    const done = run(options, { strictModels: ["tlb", "icache", "dcache", "context"] }, program);
    const stale = done.events.filter(({ kind }) => kind.startsWith("stale") || kind.startsWith("break"));
    // The fetch of the ISB goes by the old SCTLR_ELx: that is what the model shows.
    assertEquals(stale.map((event) => event.kind === "staleRegisterUsed" ? event.register : event.kind), [
      `SCTLR_EL${level}`,
    ]);
    const record = handOffOf(done, program);
    assertEquals([record.aborts, record.returnAddress], [1n, placeOf(program, "enabled") + 4n]);
  }
});

Deno.test("pagefaultBoot without a difference goes its own way, and nothing aborts", () => {
  const options = optionsOf({ link: BigInt(MA) }), program = pagefaultBoot(options), done = run(options);
  assertEquals(aborts(done), []);
  const { difference, aborts: taken, tables } = handOffOf(done, program);
  assertEquals([difference, taken], [0n, 0n]);
  assertEquals(done.machine.board.cpus[0]?.pc, program.symbols.get("park")! + 4n);
  assertEquals(tables, placeOf(program, "table_room"));
});

/** Runs that must be refused: what is said, and the options. */
// deno-fmt-ignore
const REFUSED: readonly (readonly [why: RegExp, options: Partial<PagefaultBootOptions>, board?: ConfigurationInput])[] = [
  [/refused: the image at MA intersects where it is mapped/, { link: BigInt(MA) + 0x1000n }],
  [/refused: the image at MA intersects where it is mapped/, { link: BigInt(MA) - 0x1000n }],
  [/refused: the image at MA intersects where it is mapped/, { link: BigInt(MA) + 0x8_0000n, granule: 16 }],
  [/refused: not entered at EL1/,                            {}, { virtualization: true }],
  [/refused: not entered at EL3/,                            { level: 3 }, { secure: false, virtualization: true }],
  [/refused: the CPU has no granule of 16 KiB/,              { granule: 14 }, { cpuModel: "cortex-a57" }],
];

Deno.test("pagefaultBoot refuses before anything is enabled: intersecting ranges, levels, granules, alignment", () => {
  for (const [why, more, board] of REFUSED) {
    const done = run(optionsOf(more), board);
    assertMatch(done.console, why);
    assertEquals(done.stop.reason, "resting", why.source);
    assertEquals(aborts(done), [], why.source);
    const enabling = done.events.filter((event) =>
      event.kind === "systemRegisterWritten" && event.register.startsWith("SCTLR")
    );
    assertEquals(enabling, [], why.source);
  }
  const program = pagefaultBoot(optionsOf({ granule: 16 }));
  const { console } = runPlaced([{ program, at: MA + 0x1000 }]);
  assertMatch(
    console,
    /refused: MA is not VA modulo 64 KiB ma=0x0000000045671000 va=0x000000abcd000000\r\n$/,
  );
});

Deno.test("pagefaultBoot refuses with the MMU on, and a kernel without a device tree", () => {
  const on = assembleProgram(
    `ldr  x0, =0x40000705
     adr  x1, table
     str  x0, [x1, #8]
     msr  ttbr0_el1, x1
     ldr  x0, =0x80803519
     msr  tcr_el1, x0
     mov  x0, #0xff00
     msr  mair_el1, x0
     mov  x0, #0x401
     str  x0, [x1]                        // the UART
     isb
     mrs  x0, sctlr_el1
     orr  x0, x0, #1
     msr  sctlr_el1, x0
     isb
     ldr  x0, =${MA}
     br   x0
     .ltorg
     .balign 4096
     table: .space 4096`,
    { base: 0x4100_0000n },
  );
  const program = pagefaultBoot(optionsOf());
  const translated = runPlaced([{ program: on, at: 0x4100_0000 }, { program, at: MA }]);
  assertMatch(translated.console, /refused: the MMU is on/);
  const treeless = runPlaced([{ program, at: MA }], {
    prepare: (machine) => patch(machine, LOADER_KERNEL_AT + 56, new TextEncoder().encode("ARM\x64")),
  });
  assertMatch(treeless.console, /refused: there is a kernel but no device tree/);
});

Deno.test("pagefaultBoot linked outside its input addresses loops at its vector, which --stop-at finds", () => {
  for (const level of LEVELS) {
    const options = optionsOf({ level, inputBits: 39 }), program = pagefaultBoot(options);
    const done = run(options, { stopAt: ["vector-loop"] }, program);
    assertEquals(done.stop.reason, "poweredOff");
    const found = done.events.find((event) => event.kind === "vectorLoopDetected");
    const vector = program.symbols.get("boot_vectors")! + 0x200n;
    assert(found?.kind === "vectorLoopDetected");
    assertEquals([found.level, found.vector, found.faultAddress, found.syndrome], [
      level,
      vector,
      vector,
      0x8600_0004n, // Instruction Abort, same level; translation fault, level 0
    ]);
    assertEquals(aborts(done).length, 3);
  }
});

/** What goes wrong at the MSR, and what is told of it; with `--strict context`, the MSR takes effect at the next ISB. */
// deno-fmt-ignore
const UNEXPECTED: readonly (readonly [what: string, from: string, to: string, told: RegExp])[] = [
  ["another class",  "enabled:\n        isb", "enabled:\n        svc #7",
    /unexpected exception esr=0x0000000056000007 far=0x[0-9a-f]{16} elr=0x000000004567018c\r\n$/],
  ["another place",  "enabled:\n        isb", "enabled:\n        adr x9, image_end\n        br x9",
    /unexpected exception esr=0x0000000086000004 far=0x000000004567b004 elr=0x000000004567b004\r\n$/],
  ["another status", "adr     x0, hand_off\n        str     xzr", `adr x0, tables
        mov x1, x19
        mov x2, x19
        mov x3, x22
        ldr x4, =0x0060000000000705
        bl map_range
        adr x0, hand_off
        str xzr`, /unexpected exception esr=0x000000008600000f far=0x0000000045670\w{3} elr=0x0000000045670\w{3}\r\n$/],
];

Deno.test("pagefaultBoot tells the syndrome of any other exception and parks", () => {
  const options = optionsOf();
  for (const [what, from, to, told] of UNEXPECTED) {
    const program = altered(options, from, to);
    const isb = new Uint8Array([0xdf, 0x3f, 0x03, 0xd5]);
    const done = runPlaced([{ program, at: MA }], {
      machine: { strictModels: ["context"] },
      prepare: (machine) => patch(machine, MA + program.size, isb),
    });
    assertMatch(done.console, told, what);
    assertEquals(done.stop.reason, "resting", what);
    assertEquals(done.machine.board.cpus[0]?.pc, program.symbols.get("park")! + 4n, what);
  }
});

Deno.test("pagefaultBoot cannot be linked off its granule", () => {
  assertThrows(() => pagefaultBoot(optionsOf({ link: 0x1234_5000n, granule: 16 })), RangeError, "granule");
});
