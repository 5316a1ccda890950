/** What follows from a difference, on recordings: it heals, it spreads, it is only timing; and what no event tells. */
import { assert, assertEquals } from "@std/assert";
import { diff, type DiffSide } from "../../journal/diff.ts";
import { diffExhaustive } from "../../journal/diff_exhaustive.ts";
import { type Comparison, follow, type FollowOptions } from "../../journal/diff_follow.ts";
import { boundsFromRoots, healing } from "../../journal/diff_roots.ts";
import type { Input } from "../../machine/events.ts";
import { counterGuest, flatGuest, recordGuest } from "./guest.ts";

const guest = counterGuest(400);
const plain = recordGuest(guest);
const sideOf = ({ run }: typeof plain, images = guest.images): DiffSide => ({ run, images });

/** A word that the guest never reads. */
const UNUSED = 0x40400000;
const poke = (value: number): Input => ({
  kind: "memoryPatched",
  address: UNUSED,
  bytes: Uint8Array.of(value),
});

function compared(left: DiffSide, right: DiffSide, options: FollowOptions = {}) {
  const found = diff(left, right);
  assert(found.kind === "divergent", found.kind);
  return { found, followed: follow(left, right, found.instant, options) };
}

Deno.test("follow says at which root the states meet again after a difference that heals", () => {
  const inputs = [{ instant: 1500, input: poke(7) }, { instant: 3500, input: poke(0) }];
  const healed = recordGuest(guest, { inputs });
  const { found, followed } = compared(sideOf(plain), sideOf(healed));
  assertEquals(found.instant, 1500);
  const { healedAt, first, last, equal, roots } = followed.healing;
  assertEquals([healedAt, first, last?.parts], [4000, { instant: 2000, parts: ["memory:ram"] }, []]);
  assertEquals(roots - equal, 2, "the roots at 2000 and 3000 differ");
  const { left, value, address, right } = followed.counts;
  assertEquals([left, right, value, address], [0, 2, 0, 0], "the two inputs, and nothing else");
  assertEquals(followed.last, [undefined, 3500]);
});

Deno.test("follow says that a difference stays, and healing is told from meeting once", () => {
  const kept = recordGuest(guest, { inputs: [{ instant: 1500, input: poke(7) }] });
  const { followed } = compared(sideOf(plain), sideOf(kept));
  assertEquals([followed.healing.healedAt, followed.healing.equal], [undefined, 0]);
  assertEquals(followed.healing.last?.parts, ["memory:ram"]);
  const again = [poke(7), poke(0), poke(7)].map((input, at) => ({ instant: 1500 + at * 1000, input }));
  const met = healing(plain.run, recordGuest(guest, { inputs: again }).run, 1500);
  assertEquals([met.healedAt, met.equal], [undefined, 1]);
});

Deno.test("follow counts what filters hide, and tells the first differences that they do not", () => {
  const switched = recordGuest(guest, {
    inputs: [{ instant: 1500, input: { kind: "cpuSwitchForced", target: 0 } }],
  });
  const all = compared(sideOf(plain), sideOf(switched)).followed;
  const total = (counts: Record<string, number>) =>
    Object.values(counts).reduce((sum, count) => sum + count, 0);
  assertEquals(total(all.hidden), 0);
  assert(all.counts.timing > 0, "the CPUs' later events come at other instants");
  for (
    const filter of [{ ignore: ["timing"] }, { only: ["input"] }, {
      ignoreAddresses: [[0n, 1n << 64n] as const],
    }]
  ) {
    const seen: Comparison[] = [];
    const some = compared(sideOf(plain), sideOf(switched), {
      ...filter,
      each: (one) => void seen.push(one),
    }).followed;
    assertEquals(some.counts, all.counts);
    assertEquals(total(some.hidden), seen.filter(({ isHidden }) => isHidden).length);
    assert(total(some.hidden) > 0);
    const told = some.kinds.reduce((sum, { counts }) => sum + total(counts), 0);
    assertEquals(told + total(some.hidden) + some.counts.same, total(some.counts));
  }
  assertEquals(all.first[0]?.right?.kind, "cpuSwitchForced");
});

Deno.test("follow compares the consoles line by line", () => {
  const at = (text: string) =>
    flatGuest(`
        .equ    UART, 0x09000000
        ldr     x20, =UART
        adr     x0, text
1:      ldrb    w1, [x0], #1
        cbz     w1, 2f
        str     w1, [x20]
        b       1b
2:      ldr     x0, =0x84000008
        hvc     #0
text:   .asciz  "${text}"
`);
  const guests = [
    at("[ 0.1] one\\n[ 0.2] two\\nthree\\n"),
    at("[ 0.1] one\\n[ 0.5] two\\nfour\\n\\nthree\\n"),
  ];
  const [left, right] = guests.map((one) => sideOf(recordGuest(one, { machine: { cpus: 1 } }), one.images));
  const { found, followed } = compared(left!, right!);
  assertEquals(
    found.sides.map(({ event }) => event?.kind),
    ["stepRetired", "stepRetired"],
    "the literal has moved",
  );
  assertEquals([followed.console.equal, followed.console.only], [3, [0, 1]]);
  assertEquals(followed.console.differences.map(({ side, text }) => [side, text]), [[1, "four"]]);
});

/** Reads a word, forgets it soon, loops, and ends: the word makes no event. */
const forgetful = (word: number) =>
  flatGuest(`
        mov     x2, #0
        mov     x1, #2000
1:      sub     x1, x1, #1
        cbnz    x1, 1b
look:   ldr     w0, word
        cmp     w0, #5
        mov     w0, #0
        cmp     w0, #0
        mov     x1, #2000
2:      sub     x1, x1, #1
        cbnz    x1, 2b
        ldr     x0, =0x84000008
        hvc     #0
word:   .word   ${word}
`);

Deno.test("diffExhaustive finds what arises and heals without an event, which diff says it does not", () => {
  const guests = [forgetful(5), forgetful(6)] as const;
  const sides = guests.map((one) => sideOf(recordGuest(one, { machine: { cpus: 1 } }), one.images));
  const [left, right] = sides as [DiffSide, DiffSide];
  const found = diff(left, right);
  assertEquals([found.kind, found.kind === "state" && found.parts], ["state", ["memory:ram"]]);
  const { atStart, episodes, to } = diffExhaustive(left, right);
  assertEquals([atStart, episodes.length, to], [["memory:ram"], 1, left.run.lastInstant]);
  const [episode] = episodes;
  const [step] = episode!.after[0];
  assert(step?.kind === "stepRetired");
  assertEquals(step.pc, guests[0].program.symbols.get("look"));
  // The load differs, then the flags of the comparison; both are overwritten by the fourth step after the load.
  assertEquals([episode!.from, episode!.to], [step.instant, step.instant + 4]);
  assertEquals(diffExhaustive(left, right, { from: step.instant + 10 }).episodes, []);
  assertEquals(diffExhaustive(left, left).episodes, []);
});

Deno.test("diffExhaustive stops where a difference reaches an event", () => {
  const wrong = recordGuest(guest, {
    inputs: [{ instant: 1500, input: { kind: "cpuSwitchForced", target: 0 } }],
  });
  const { episodes, equalByLawTo } = diffExhaustive(sideOf(plain), sideOf(wrong));
  assertEquals(episodes.map(({ from, to, spread }) => [from, to, spread]), [[1500, undefined, true]]);
  assertEquals(equalByLawTo, 1500, "before the first input that differs nothing can");
  const equal = diffExhaustive(sideOf(plain), sideOf(plain));
  assertEquals([equal.equalByLawTo, equal.to, equal.episodes], [plain.end.instant, plain.end.instant, []]);
});

Deno.test("diff compares few roots of many, and replays one interval", () => {
  const long = counterGuest(12_000);
  const record = (instant?: number) =>
    recordGuest(long, {
      machine: { rootInterval: 512 },
      limit: 200_000,
      inputs: instant === undefined ? [] : [{ instant, input: poke(1) }],
    });
  const [right, wrong] = [record(), record(100_123)];
  const bounds = boundsFromRoots(right.run, wrong.run);
  assertEquals([bounds.lastEqual, bounds.firstDiffering], [99_840, 100_352]);
  assert(right.run.roots.length > 200);
  const found = diff(sideOf(right, long.images), sideOf(wrong, long.images));
  assert(found.kind === "divergent");
  assertEquals(found.instant, 100_123);
  const { rootsCompared, probes, intervalSteps } = found.effort;
  assert(rootsCompared + probes <= 12, `${rootsCompared} roots, ${probes} probes`);
  assert(intervalSteps <= 2 * 512, `${intervalSteps} steps`);
});
