/** Alignment of two streams of events: streams drawn from a seed and edited, and the windows' bounds. */
import { assert, assertEquals } from "@std/assert";
import { type AlignedEvents, alignEvents } from "../../journal/diff_align.ts";
import { keyed } from "../../journal/diff_kinds.ts";
import { matchEvents } from "../../journal/diff_match.ts";
import type { MachineEvent } from "../../machine/events.ts";
import { type Random, SEED, seededRandom } from "./support.ts";

function read(instant: number, cpu: number, address: number, value: bigint): MachineEvent {
  return { kind: "deviceRead", instant, cpu, index: 0, device: "uart0", address, size: 4, value };
}

function irq(instant: number, cpu: number, returnAddress: bigint): MachineEvent[] {
  const place = { syndrome: 0n, faultAddress: 0n, faultIpa: 0n, savedState: 5n, vector: 0x280n };
  return [
    {
      kind: "exceptionTaken",
      instant,
      cpu,
      index: 0,
      exception: "irq",
      from: 1,
      to: 1,
      returnAddress,
      ...place,
    },
    {
      kind: "exceptionReturned",
      instant: instant + 1,
      cpu,
      index: 0,
      from: 1,
      to: 1,
      address: returnAddress,
      state: 5n,
    },
  ];
}

function stream(random: Random, count: number): MachineEvent[] {
  return Array.from(
    { length: count },
    (_, at) => read(at * 10, random(2), 0x9000000 + random(3) * 4, BigInt(random(40))),
  );
}

/** Takes some events out, puts some in, changes some values; everything after is later. */
function edited(events: readonly MachineEvent[], random: Random): MachineEvent[] {
  let later = 0;
  return events.flatMap((event): MachineEvent[] => {
    const moved = { ...event, instant: event.instant + later } as MachineEvent;
    switch (random(60)) {
      case 0:
        return [];
      case 1:
        later += 5;
        return [moved, read(moved.instant + 1, event.cpu, 0x9000010, 99n)];
      case 2:
        return [{ ...moved, value: 77n } as MachineEvent];
      default:
        return [moved];
    }
  });
}

const sides = (aligned: readonly AlignedEvents[]) =>
  (["left", "right"] as const).map((side) =>
    aligned.flatMap(({ [side]: event }) => event === undefined ? [] : [event])
  );

const ofCpu = (events: readonly MachineEvent[], cpu: number) => events.filter((event) => event.cpu === cpu);

Deno.test("alignEvents gives every event once, in its CPU's order, and pairs only what may belong together", () => {
  const random = seededRandom(SEED);
  for (const count of [0, 1, 50, 3000, 20_000]) {
    const left = stream(random, count), right = edited(left, random);
    const aligned = [...alignEvents(left, right)];
    const [first, second] = sides(aligned);
    for (const cpu of [0, 1]) {
      assertEquals(ofCpu(first!, cpu), ofCpu(left, cpu), `seed ${SEED}`);
      assertEquals(ofCpu(second!, cpu), ofCpu(right, cpu), `seed ${SEED}`);
    }
    for (const pair of aligned) {
      if (pair.left === undefined || pair.right === undefined) continue;
      assertEquals(keyed(pair.left).shape, keyed(pair.right).shape, `seed ${SEED}`);
    }
    const single = aligned.filter((pair) => pair.left === undefined || pair.right === undefined).length;
    assert(single <= count / 10 + 4, `seed ${SEED}: ${single} of ${count} have no counterpart`);
  }
});

Deno.test("alignEvents finds the one event that was put in, and nothing else, wherever it is", () => {
  const left = stream(seededRandom(SEED), 9000);
  for (const at of [0, 17, 4500, 8999]) {
    const right = left.toSpliced(at, 0, read(left[at]!.instant, 0, 0x9000018, 5n));
    const odd = [...alignEvents(left, right)].filter((pair) => pair.left?.instant !== pair.right?.instant);
    assertEquals(odd, [{ right: right[at]! }]);
  }
});

Deno.test("alignEvents aligns a CPU's interrupts for themselves, wherever they strike", () => {
  const program = Array.from({ length: 60 }, (_, at) => read(at * 10, 0, 0x9000000, BigInt(at)));
  const withInterrupts = (shift: number) =>
    program.flatMap((event, at) =>
      at % 7 === shift ? [event, ...irq(event.instant + 1, 0, 0x40000000n + BigInt(at * 8))] : [event]
    );
  const aligned = [...alignEvents(withInterrupts(2), withInterrupts(3))];
  assertEquals(aligned.filter(({ left, right }) => left === undefined || right === undefined), []);
});

Deno.test("alignEvents holds little of streams that are equal or have nothing in common", () => {
  let made = 0;
  function* endless(device: number, count: number): Generator<MachineEvent> {
    for (let at = 0; at < count; at++) {
      made++;
      yield read(at, 0, 0x9000000 + device, BigInt(at % 11));
    }
  }
  let given = 0, most = 0;
  for (const { left, right } of alignEvents(endless(0, 60_000), endless(4, 60_000))) {
    given += (left === undefined ? 0 : 1) + (right === undefined ? 0 : 1);
    most = Math.max(most, made - given);
  }
  assertEquals(given, 120_000);
  assert(most <= 70_000, `${most} events were held`);
  made = given = most = 0;
  for (const _ of alignEvents(endless(0, 60_000), endless(0, 60_000))) {
    most = Math.max(most, made - (given += 2));
  }
  assert(most <= 2, `${most} events were held`);
});

Deno.test("matchEvents prefers what says the same to what only may belong together", () => {
  const items = (text: string) => [...text].map((letter) => ({ shape: 1, content: letter.charCodeAt(0) }));
  assertEquals(matchEvents(items("abc"), items("xabc")), [[0, 1], [1, 2], [2, 3]]);
  assertEquals(matchEvents(items("abcd"), items("abxd")), [[0, 0], [1, 1], [2, 2], [3, 3]]);
  assertEquals(matchEvents(items("ab"), items("")), []);
});
