/** Watch points on small guests: what hits, when `run` stops, and that nothing is left of them. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { debuggerMemory } from "../../machine/debugger_memory.ts";
import { InputRefusedError } from "../../machine/errors.ts";
import { ENGINES, Machine, type Stop } from "../../machine/machine.ts";
import type { WatchHit, WatchPoint } from "../../machine/watch.ts";
import { flatGuest } from "../journal/guest.ts";
import { EagerEngine } from "./engine/eager.ts";

const LIMIT = 1_000_000;
const OFF = `
        ldr     x0, =0x84000008
        hvc     #0
        .ltorg
`;

function guestOf(source: string) {
  const guest = flatGuest(source);
  const at = (label: string): bigint => BigInt(guest.program.symbols.get(label) as bigint | number);
  const machines = [
    ...Object.keys(ENGINES).map((engine) => new Machine(guest.configuration(), guest.images, { engine })),
    Object.assign(new Machine(guest.configuration(), guest.images), { engine: new EagerEngine() }),
  ];
  return { at, machines };
}

/** All hits up to the power-off, and the labels at which the CPU stood when they were told. */
function hitsOf(machine: Machine, points: readonly WatchPoint[]): WatchHit[] {
  machine.watch(points);
  const hits: WatchHit[] = [];
  for (;;) {
    const stop: Stop = machine.run(LIMIT);
    if (stop.reason !== "watched") {
      assertEquals(stop.reason, "poweredOff");
      return hits;
    }
    hits.push(...stop.hits);
    for (const { point, instant } of stop.hits) {
      assertEquals(machine.instant, point.kind === "execute" ? instant : instant + 1);
    }
  }
}

const LOOP = `
        mov     x10, #100
        adr     x1, cell
again:  add     x2, x2, #1
here:   str     x2, [x1]
        ldr     x3, [x1, #8]
        sub     x10, x10, #1
        cbnz    x10, again
${OFF}
        .balign 4096
cell:   .space  4096
`;

Deno.test("Machine.watch stops before each execution of an instruction, once, and where a run to that instant stops", () => {
  for (const machine of guestOf(LOOP).machines) {
    const { at, machines: [plain] } = guestOf(LOOP);
    machine.watch([{ kind: "execute", address: at("here") }]);
    for (let round = 0; round < 100; round++) {
      const stop = machine.run(LIMIT);
      assert(stop.reason === "watched" && !stop.isBegun);
      assertEquals(stop.hits.map(({ instant, cpu, address }) => [instant, cpu, address]), [[
        machine.instant,
        0,
        at("here"),
      ]]);
      assertEquals(machine.currentCpu.pc, at("here"));
      if (round % 33 !== 0) continue;
      (plain as Machine).run(machine.instant);
      assertEquals(machine.stateRoot(), (plain as Machine).stateRoot());
    }
    assertEquals(machine.run(LIMIT).reason, "poweredOff");
  }
});

Deno.test("Machine.watch counts the present instant unless it is told to stand there", () => {
  const { at, machines } = guestOf(LOOP);
  for (const machine of machines) {
    const point: WatchPoint = { kind: "execute", address: at("here") };
    machine.watch([point]);
    machine.run(LIMIT);
    const start = machine.instant;
    const toNext = (): number => {
      assertEquals(machine.run(LIMIT).reason, "watched");
      return machine.instant - start;
    };
    machine.watch([]);
    machine.watch([{ ...point, cpu: 0 }]);
    assertEquals(toNext(), 5, "it was stopped there already");
    machine.watch([]);
    machine.run(start + 10);
    machine.watch([point]);
    assertEquals(toNext(), 10, "it was not stopped there");
    machine.watch([]);
    machine.run(start + 15);
    machine.watch([point], true);
    assertEquals(toNext(), 20);
  }
});

Deno.test("Machine.watch stops after an access, and reads, writes and pages are told apart", () => {
  const { at } = guestOf(LOOP);
  const rows: [Partial<WatchPoint>, offset: number, hits: number][] = [
    [{ kind: "write" }, 0, 100],
    [{ kind: "read" }, 0, 0],
    [{ kind: "access" }, 0, 100],
    [{ kind: "read" }, 8, 100],
    [{ kind: "access", size: 16 }, 0, 200],
    [{ kind: "write", size: 4096 }, 0, 100],
    [{ kind: "access", size: 4 }, 16, 0],
    [{ kind: "access", size: 2048 }, 4096, 0],
    [{ kind: "write", space: "physical" }, 7, 100],
    [{ kind: "read", space: "physical" }, 7, 0],
  ];
  for (const [given, offset, count] of rows) {
    for (const machine of guestOf(LOOP).machines) {
      const address = at("cell") + BigInt(offset);
      const point = { kind: "write", size: 1, space: "virtual", ...given, address } as WatchPoint;
      assertEquals(
        hitsOf(machine, [point]).length,
        count,
        `${machine.engine.name} ${offset} ${JSON.stringify(given)}`,
      );
    }
  }
});

/** Label and what its instruction hits of 16 bytes at `cell`: r, w, or both. */
const ACCESSES = `
        adr     x0, vectors
        msr     VBAR_EL1, x0
        mov     x0, #0x300000
        msr     CPACR_EL1, x0
        adr     x0, table
        msr     TTBR0_EL1, x0
        mov     x0, #0xff
        msr     MAIR_EL1, x0
        ldr     x0, =0x800019           // EPD1, T0SZ = 25
        msr     TCR_EL1, x0
        mrs     x0, SCTLR_EL1
        orr     x0, x0, #1
        msr     SCTLR_EL1, x0
        isb
        adr     x1, cell
        sub     x2, x1, #8
        mov     x5, #8
        mov     x20, #0x80000000
a_r:    ldp     x3, x4, [x2]
b_w:    stp     x3, x4, [x1, #-8]!
        add     x1, x1, #8
c_r:    ldr     q0, [x2]
d_w:    st4     {v0.16b, v1.16b, v2.16b, v3.16b}, [x2]
e_r:    ldur    x3, [x1, #-1]
f_w:    sturh   w3, [x1, #15]
g_:     ldur    x3, [x1, #-8]
h_:     str     x3, [x1, #16]
i_w:    dc      zva, x1
j_r:    ldxr    x3, [x1]
k_w:    stxr    w4, x3, [x1]
l_:     stxr    w4, x3, [x1]
m_:     ldr     x3, [x20, x1]           // faults: nothing is there
n_r:    ldrsb   x3, [x1, #3]
o_:     prfm    pldl1keep, [x1]
p_w:    stlr    x3, [x1]
q_r:    ldr     d1, [x1, #8]
r_:     dc      civac, x1
${OFF}
        .balign 2048
vectors: .space 512
        mrs     x9, ELR_EL1
        add     x9, x9, #4
        msr     ELR_EL1, x9
        eret
        .balign 4096
table:  .quad   0, 0x40000701           // 1 GiB of Normal memory, where it is
        .space  4096 - 16
        .space  2048
cell:   .space  2048
`;

Deno.test("Machine.watch knows every kind of access, and none that faults, fails or only looks", () => {
  const { at } = guestOf(ACCESSES);
  const wanted = "a_r b_w c_r d_w e_r f_w i_w j_r k_w n_r p_w q_r".split(" ");
  for (const space of ["virtual", "physical"] as const) {
    for (const machine of guestOf(ACCESSES).machines) {
      const points = (["read", "write"] as const).map((kind) => ({
        kind,
        address: at("cell"),
        size: 16,
        space,
      }));
      machine.watch(points);
      const found: string[] = [];
      for (let stop = machine.run(LIMIT); stop.reason === "watched"; stop = machine.run(LIMIT)) {
        const pc = machine.currentCpu.pc - 4n;
        const label = wanted.find((label) => at(label) === pc);
        found.push(...stop.hits.map(({ point }) => `${label?.slice(0, 2)}${point.kind[0]}`));
      }
      assertEquals(found, wanted, `${machine.engine.name} ${space}`);
    }
  }
});

/** The copy of a string by fw_cfg's DMA: selector 0, 4 bytes to `cell`. */
const DMA = `
        adr     x1, block
        adr     x2, cell
        rev     x3, x2
        str     x3, [x1, #8]
        mov     x3, #0x09020000
        rev     x4, x1
start:  str     x4, [x3, #16]
        nop
${OFF}
        .balign 4096
block:  .word   0x0a000000              // select item 0 and read, big-endian
        .word   0x04000000
        .quad   0
        .balign 4096
cell:   .space  4096
`;

Deno.test("Machine.watch tells of devices that access physical memory", () => {
  const { at } = guestOf(DMA);
  for (const machine of guestOf(DMA).machines) {
    const points: WatchPoint[] = [
      { kind: "write", address: at("cell") + 3n, size: 1, space: "physical" },
      { kind: "read", address: at("block"), size: 4, space: "physical" },
      { kind: "write", address: at("cell"), size: 4, space: "virtual" },
      { kind: "write", address: at("cell"), size: 4, space: "physical", cpu: 0 },
    ];
    const hits = hitsOf(machine, points);
    assertEquals(
      hits.map(({ point, cpu }) => [points.indexOf(point), cpu]),
      [[1, -1], [0, -1]],
      machine.engine.name,
    );
  }
});

const WAIT = `
        mov     x0, #0xc4               // an event every 8192 counts
        msr     CNTKCTL_EL1, x0
        sevl
        wfe
        wfe
woken:  nop
${OFF}
`;

Deno.test("Machine.watch says when a step boundary has begun, takes no input there and goes on", () => {
  const { at, machines } = guestOf(WAIT);
  for (const machine of machines) {
    const [plain] = guestOf(WAIT).machines as [Machine];
    machine.watch([{ kind: "execute", address: at("woken") }]);
    const stop = machine.run(LIMIT);
    assertEquals(stop.reason, "watched");
    if (stop.reason === "watched") {
      assert(stop.isBegun && machine.virtualTime > machine.instant * 8, "time was skipped");
      assertThrows(() => machine.submit({ kind: "powerCut" }), InputRefusedError, "within the boundary");
      assertThrows(() => machine.snapshot(), RangeError, "within the boundary");
    }
    machine.run(LIMIT);
    plain.run(LIMIT);
    assertEquals(machine.stateRoot(), plain.stateRoot());
  }
});

Deno.test("Machine.watch leaves nothing behind, and looks from outside do not hit", () => {
  const endless = LOOP.replace("sub     x10, x10, #1", "nop");
  for (const engine of [undefined, "threaded"]) {
    const { at, machines } = guestOf(endless);
    const machine = engine === undefined ? machines.at(-1) as Machine : machines[1] as Machine;
    machine.run(20_000);
    const regions = machine.engine.compiled?.liveRegions;
    const points: WatchPoint[] = [
      { kind: "execute", address: at("here") },
      { kind: "access", address: at("cell"), size: 8, space: "virtual" },
    ];
    machine.watch(points);
    debuggerMemory(machine.currentCpu).read(at("cell"), 8);
    const stop = machine.run(LIMIT);
    assert(stop.reason === "watched" && stop.hits.length === 1);
    machine.watch([]);
    assertEquals(machine.run(40_000).reason, "limit");
    assertEquals(machine.engine.compiled?.liveRegions, regions);
    const cpu = machine.currentCpu, page = Number(at("cell"));
    assertEquals(cpu.watches, undefined);
    const context = cpu.tlb.contexts[2] as number;
    assert(cpu.tlb.write.find(0, page, context) >= 0 && cpu.tlb.read.find(0, page, context) >= 0);
  }
});

Deno.test("Machine.watch refuses points that cannot be", () => {
  const [machine] = guestOf(WAIT).machines as [Machine];
  const refused: [WatchPoint, string][] = [
    [{ kind: "execute", address: -4n }, "no virtual address"],
    [{ kind: "execute", address: 0n, cpu: 1 }, "there is no CPU 1"],
    [{ kind: "read", address: 0n, size: 0, space: "virtual" }, "0 bytes"],
    [{ kind: "read", address: 2n ** 52n, size: 1, space: "physical" }, "no physical address"],
  ];
  for (const [point, why] of refused) assertThrows(() => machine.watch([point]), RangeError, why);
});
