/** The machine: cuts, snapshots, schedules, inputs, waiting and resets never change what the law says. */
import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { ConfigurationError, InputRefusedError } from "../../machine/errors.ts";
import type { Input, MachineEvent } from "../../machine/events.ts";
import { Machine } from "../../machine/machine.ts";
import { counterGuest, flatGuest, type Guest } from "../journal/guest.ts";
import type { ConfigurationInput } from "../../machine/configuration.ts";

const counter = counterGuest();

function power(guest: Guest, more: ConfigurationInput = {}) {
  const machine = new Machine(guest.configuration(more), guest.images);
  const seen = { console: "", events: [] as MachineEvent[] };
  machine.board.transmitted = (byte) => (seen.console += String.fromCharCode(byte));
  const classes = ["input", "trap", "detail"] as const;
  machine.board.events.add({ classes, observe: (event) => void seen.events.push(event) });
  return { machine, seen };
}

Deno.test("Machine.restore into another machine continues to the same root", () => {
  const whole = power(counter, { cpus: 2 }).machine;
  assertEquals(whole.run(1_000_000).reason, "poweredOff");
  const root = whole.stateRoot();
  for (const instant of [0, 1, 777, 2000]) {
    const before = power(counter, { cpus: 2 }).machine;
    before.run(instant);
    const snapshot = before.snapshot();
    const after = power(counter, { cpus: 2 }).machine;
    after.run(1234);
    after.restore(snapshot);
    assertEquals(after.stateRoot(), before.stateRoot(), `at instant ${instant}`);
    after.run(1_000_000);
    assertEquals(after.stateRoot(), root, `from instant ${instant}`);
  }
});

Deno.test("Machine gives one run for one schedule seed, and other runs for others", () => {
  const roots = [1, 1, 2, 3].map((scheduleSeed) => {
    const { machine } = power(counter, { cpus: 2, scheduleSeed, quantum: 64 });
    machine.run(1_000_000);
    return machine.stateRoot().root.toHex();
  });
  assertEquals(roots[0], roots[1]);
  assertEquals(new Set(roots).size, 3);
});

/** Every CPU adds its number to a sum in turn; CPU 0 starts the others and waits for them. */
const manyCpus = flatGuest(`
        mov     x19, #1
next:   ldr     x0, =0xc4000003
        mov     x1, x19
        adr     x2, other
        mov     x3, x19
        hvc     #0
        cbnz    x0, done
        add     x19, x19, #1
        b       next
done:   adr     x5, count
1:      ldr     x6, [x5]
        add     x6, x6, #1
        cmp     x6, x19
        b.eq    2f
        wfe
        b       1b
2:      ldr     x0, =0x84000008
        hvc     #0
other:  adr     x5, sum
        bl      add_atomic
        adr     x5, count
        mov     x0, #1
        bl      add_atomic
        sev
3:      wfi
        b       3b
add_atomic:
        ldaxr   x6, [x5]
        add     x6, x6, x0
        stlxr   w7, x6, [x5]
        cbnz    w7, add_atomic
        ret
        .ltorg
        .align  4
sum:    .quad   0
count:  .quad   0
`);

Deno.test("Machine runs 1 to 8 CPUs, started by PSCI and sharing memory with exclusives", () => {
  for (let cpus = 1; cpus <= 8; cpus++) {
    const { machine, seen } = power(manyCpus, { cpus, quantum: 64 });
    assertEquals(machine.run(1_000_000).reason, "poweredOff");
    assertEquals(seen.events.filter(({ kind }) => kind === "cpuStarted").length, cpus - 1);
    const sum = machine.board.memory.readBytes(Number(manyCpus.program.symbols.get("sum")!) as never, 2);
    assertEquals(sum[0]! | sum[1]! << 8, cpus * (cpus - 1) / 2, `${cpus} CPUs`);
  }
});

/** Waits for the virtual timer with interrupts masked, then for good. */
const sleeper = flatGuest(`
        mov     x0, #1000
        msr     cntv_tval_el0, x0
        mov     x0, #1
        msr     cntv_ctl_el0, x0
        ldr     x0, =0x08000000
        mov     w1, #1
        str     w1, [x0]
        ldr     w1, =(1 << 27)
        str     w1, [x0, #0x100]
        ldr     x0, =0x08010000
        mov     w1, #0xff
        str     w1, [x0, #4]
        mov     w1, #1
        str     w1, [x0]
        wfi
        mrs     x20, cntvct_el0
        msr     cntv_ctl_el0, xzr
rest:   wfi
        b       rest
`);

Deno.test("Machine.run skips idle time to the timer's deadline, then rests", () => {
  const { machine, seen } = power(sleeper);
  const stop = machine.run(1000);
  assertEquals(stop.reason, "resting");
  const skipped = seen.events.filter(({ kind }) => kind === "timeSkipped");
  assertEquals(skipped.length, 1);
  const count = machine.board.cpus[0]!.registers.x(20);
  assert(count >= 1000n && count < 1010n, `counter ${count}`);
});

Deno.test("Machine.run paced leaves the skip to the caller, and Machine.wait goes the same way in pieces", () => {
  const whole = power(sleeper).machine;
  whole.run(1000);
  const { machine } = power(sleeper);
  const stop = machine.run(1000, true);
  assert(stop.reason === "waiting");
  const half = machine.virtualTime + Math.floor((stop.deadline - machine.virtualTime) / 2);
  assertEquals(machine.wait(half), true);
  assertEquals(machine.virtualTime, half);
  machine.wait(stop.deadline);
  assertEquals(machine.run(1000, true).reason, "resting");
  assertEquals(machine.stateRoot().root, whole.stateRoot().root);
});

Deno.test("Machine.wait in pieces is one timeSkipped event, up to the deadline or the input that cuts it", () => {
  const input: Input = { kind: "consoleReceived", bytes: new Uint8Array([65]) };
  const run = (pieces: number, cut: number) => {
    const { machine, seen } = power(sleeper);
    const stop = machine.run(1000, true);
    assert(stop.reason === "waiting");
    const from = machine.virtualTime;
    for (let piece = 1; piece < pieces; piece++) machine.wait(from + Math.floor(cut * piece / pieces));
    machine.submit(input, from + cut);
    machine.wait(stop.deadline);
    machine.run(1000);
    return { events: seen.events, root: machine.stateRoot().root };
  };
  assertEquals(run(9, 500), run(1, 500));
  assertEquals(run(1, 500).events.filter(({ kind }) => kind === "timeSkipped").length, 2);
});

Deno.test("Machine.restore continues the numbering of events within an instant", () => {
  const { machine, seen } = power(counter, { cpus: 2 });
  machine.run(500);
  machine.submit({ kind: "interruptInjected", interrupt: 27 });
  const snapshot = machine.snapshot();
  const inOther = power(counter, { cpus: 2 });
  inOther.machine.restore(snapshot);
  seen.events.length = 0;
  machine.run(600);
  assertEquals(inOther.machine.run(600).reason, "limit");
  assertEquals(inOther.seen.events, seen.events);
  seen.events.length = 0;
  machine.restore(snapshot);
  machine.run(501);
  machine.restore(snapshot);
  seen.events.length = 0;
  machine.run(600);
  assertEquals(seen.events, inOther.seen.events);
});

Deno.test("Machine.submit stamps an input in a wait with its own time, and refuses a time that cannot be", () => {
  const { machine } = power(sleeper);
  const stop = machine.run(1000, true);
  assert(stop.reason === "waiting");
  const time = machine.virtualTime + 100;
  const input: Input = { kind: "consoleReceived", bytes: new Uint8Array([65]) };
  const event = machine.submit(input, time);
  assertEquals([event.instant, event.virtualTime], [machine.instant, time]);
  assertThrows(() => machine.submit(input, time - 1), InputRefusedError, "cannot arrive");
  assertThrows(() => machine.submit(input, stop.deadline + 1_000_000), InputRefusedError);
});

Deno.test("Machine.submit takes every kind of input, and refuses what the machine does not have", () => {
  const { machine, seen } = power(counter, { cpus: 2 });
  machine.run(1500);
  const address = Number(counter.program.symbols.get("counter"));
  const taken: Input[] = [
    { kind: "consoleReceived", bytes: new Uint8Array([13]) },
    { kind: "interruptInjected", interrupt: 27 },
    { kind: "memoryPatched", address, bytes: new Uint8Array([1, 2]) },
    { kind: "registerPatched", target: 1, register: "x5", value: 7n },
    { kind: "registerPatched", target: 0, register: "VBAR_EL1", value: 0x800n },
    { kind: "cpuSwitchForced", target: 1 },
  ];
  for (const input of taken) machine.submit(input);
  assertEquals(machine.board.cpus[1]!.registers.x(5), 7n);
  assertEquals(machine.board.memory.readBytes(address as never, 2), new Uint8Array([1, 2]));
  const refused: [Input, string][] = [
    [{ kind: "interruptInjected", interrupt: 1000 }, "no interrupt 1000"],
    [{ kind: "memoryPatched", address: 0x2000_0000, bytes: new Uint8Array([1]) }, "no memory"],
    [{ kind: "registerPatched", target: 0, register: "x99", value: 0n }, 'no register "x99"'],
    [{ kind: "registerPatched", target: 5, register: "x0", value: 0n }, "no cpu5"],
    [{ kind: "cpuSwitchForced", target: 5 }, "no cpu5"],
    [{ kind: "timeScaleChanged", numerator: 1, denominator: 2 }, "no monitor"],
  ];
  const before = machine.stateRoot().root;
  const events = seen.events.length;
  for (const [input, message] of refused) {
    assertThrows(() => machine.submit(input), InputRefusedError, message);
  }
  assertEquals(machine.stateRoot().root, before);
  assertEquals(seen.events.length, events);
  machine.submit({ kind: "powerCut" });
  assertEquals(machine.run(10_000), { reason: "poweredOff", exitCode: 0, cut: true });
});

/** Resets the machine the first time, powers off the second: RAM keeps what no image covers. */
const resetter = flatGuest(`
        ldr     x1, =0x46000000
        ldr     x2, [x1]
        add     x2, x2, #1
        str     x2, [x1]
        ldr     x0, =0x84000009
        cmp     x2, #2
        b.ne    1f
        ldr     x0, =0x84000008
1:      hvc     #0
        b       .
`);

Deno.test("Machine resets when the guest asks, with images in place again and instants going on", () => {
  const { machine, seen } = power(resetter);
  let stop = machine.run(1000);
  while (stop.reason === "requested") stop = machine.run(1000);
  assertEquals(stop.reason, "poweredOff");
  assertEquals(seen.events.map(({ kind }) => kind).filter((kind) => kind.startsWith("machine")), [
    "machineReset",
    "machinePoweredOff",
  ]);
  assert(machine.instant > 12);
});

/** Exits with a code through semihosting. */
const exiter = flatGuest(`
        adr     x1, block
        mov     x0, #0x18
        hlt     #0xf000
        b       .
        .align  3
block:  .quad   0x20026, 42
`);

Deno.test("Machine ends with the guest's semihosting exit code, and only where semihosting is on", () => {
  assertEquals(power(exiter, { semihosting: true }).machine.run(100), {
    reason: "poweredOff",
    exitCode: 42,
    cut: false,
  });
  assertEquals(power(exiter).machine.run(100).reason, "limit");
});

Deno.test("Machine refuses an engine it does not have", () => {
  const build = () => new Machine(counter.configuration(), counter.images, { engine: "warp" });
  assertThrows(build, ConfigurationError, 'no engine "warp"');
});

Deno.test("Machine.stateRoot differs after each step of a run that goes on", () => {
  const { machine } = power(counter, { cpus: 2 });
  let last = machine.stateRoot().root;
  for (let instant = 1; instant <= 20; instant++) {
    machine.run(instant);
    const root = machine.stateRoot().root;
    assertNotEquals(root, last);
    last = root;
  }
});
