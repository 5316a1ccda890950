/** What the checks of icache-on-fault find in journals that break its rules. */
import { assertEquals } from "@std/assert";
import { failuresOf, PageHistory } from "../../../../cli/systems/icache_on_fault/history.ts";
import { codePages, codePagesOutput } from "../../../../firmware/code_pages.ts";
import type { MachineEvent } from "../../../../machine/events.ts";

type Fields = Readonly<Record<string, unknown>>;

/** The history of events, each with its kind, instant and fields. */
function historyOf(
  ...events: readonly (readonly [kind: string, instant: number, fields: Fields])[]
): PageHistory {
  const history = new PageHistory();
  for (const [kind, instant, fields] of events) {
    history.take({ kind, instant, cpu: 0, index: 0, ...fields } as unknown as MachineEvent);
  }
  return history;
}

const PAGE = 0x4000_0000n, OTHER = 0x4000_1000n, FRAME = 0x4100_0000n;
const maintained = (cache: string, physical = FRAME): Fields => ({
  cache,
  operation: "",
  physical,
  lines: 64,
});
const mapped = (more: Fields = {}): Fields => ({
  ipa: PAGE,
  physical: FRAME,
  read: true,
  write: false,
  execute: true,
  ...more,
});

Deno.test("PageHistory finds nothing wrong with pages that are maintained, mapped, moved and mapped again", () => {
  const history = historyOf(
    ["stage2Faulted", 1, { ipa: PAGE, access: "fetch", reason: "translation", onWalk: false }],
    ["rangeMaintained", 1, maintained("data")],
    ["rangeMaintained", 1, maintained("instruction")],
    ["stage2Mapped", 1, mapped()],
    ["stage2Unmapped", 2, { ipa: PAGE, reason: "moved", from: FRAME, to: OTHER }],
    ["stage2Mapped", 3, mapped({ ipa: OTHER, write: true, execute: false })],
    ["rangeMaintained", 4, maintained("data", 0n)],
    ["rangeMaintained", 4, maintained("instruction", 0n)],
    ["stage2Mapped", 4, mapped({ physical: OTHER })],
  );
  assertEquals(failuresOf("run", history), []);
  assertEquals(history.writableCode, []);
  const { faults, executable, dataOnly, moved, dataLines } = history.counts;
  assertEquals([faults, executable, dataOnly, moved, dataLines], [1, 2, 1, 1, 128]);
});

Deno.test("PageHistory finds missing maintenance, shared frames, devices with code, and what strict models say", () => {
  const both = [["rangeMaintained", 1, maintained("data")], [
    "rangeMaintained",
    1,
    maintained("instruction"),
  ]] as const;
  const cases: [PageHistory, string][] = [
    [historyOf(["stage2Mapped", 1, mapped()]), "executable without maintenance"],
    [historyOf(both[0], ["stage2Mapped", 1, mapped()]), "executable without maintenance"],
    [historyOf(...both, ["stage2Mapped", 2, mapped()]), "executable without maintenance"],
    [historyOf(...both, ["stage2Mapped", 1, mapped({ physical: OTHER })]), "executable without maintenance"],
    [
      historyOf(...both, ["stage2Mapped", 1, mapped()], [
        "stage2Mapped",
        2,
        mapped({ ipa: OTHER, execute: false }),
      ]),
      "the frame was that of 0x40000000 still",
    ],
    [historyOf(...both, ["stage2Mapped", 1, mapped({ ipa: 0x0900_0000n })]), "a device was made executable"],
    [
      historyOf(["stage2Unmapped", 1, { ipa: PAGE, reason: "moved", from: FRAME, to: OTHER }]),
      "where it was not",
    ],
    [historyOf(["staleTranslationUsed", 9, {}]), "staleTranslationUsed at instant 9"],
    [
      historyOf(["staleInstructionFetched", 5, { address: 16n, physical: 0x4100_0000, used: 1, present: 2 }]),
      "1 stale instructions, the first at 0x10, instant 5",
    ],
  ];
  for (const [history, what] of cases) {
    const failures = failuresOf("run", history);
    assertEquals([failures.length, failures[0]?.includes(what)], [1, true], `${failures} for ${what}`);
  }
});

Deno.test("PageHistory names pages that are writable and executable, and where a stale frame was mapped", () => {
  const history = historyOf(
    ["rangeMaintained", 7, maintained("data")],
    ["rangeMaintained", 7, maintained("instruction")],
    ["stage2Mapped", 7, mapped({ write: true })],
    ["staleInstructionFetched", 9, { address: 16n, physical: 0x4100_0ffc, used: 1, present: 2 }],
  );
  assertEquals(history.writableCode, ["0x40000000 at 0x41000000, instant 7"]);
  assertEquals(history.stale.map(({ mappedAt }) => mappedAt), [7]);
});

Deno.test("codePages refuses calls that give no whole lines, and codePagesOutput has a line for each 512", () => {
  for (const calls of [0, 511, 513, -512]) {
    let message = "";
    try {
      codePages({ calls, caches: false });
    } catch (error) {
      message = String(error);
    }
    assertEquals(message, `RangeError: Cannot make ${calls} calls: not a multiple of 512`);
  }
  assertEquals(codePagesOutput({ calls: 1024, caches: false }).length, 2);
});
