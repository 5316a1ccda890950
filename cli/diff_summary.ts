/** The summary of a difference: what a person reads first. */
import type { MachineEvent } from "../machine/events.ts";
import type { Consequences } from "../journal/diff_follow.ts";
import { type DifferenceClass, differingFields, isCounterRead } from "../journal/diff_kinds.ts";
import type { Divergence, View } from "./diff_view.ts";
import { whatText } from "./event_text.ts";
import { counted, grouped } from "./text.ts";

/** The classes of difference in words, as a clause after a number. */
// deno-fmt-ignore
const IN_WORDS: Readonly<Record<DifferenceClass, (names: readonly [string, string]) => string>> = {
  same:    () => "the same",
  timing:  () => "the same at another time",
  address: () => "with addresses shifted by a constant",
  counter: () => "reads of a counter or clock",
  value:   () => "with other values",
  left:    ([left]) => `only in ${left}`,
  right:   ([, right]) => `only in ${right}`,
};

/** A percentage that is 100 only for all. */
function share(part: number, whole: number): string {
  if (whole === 0 || part === whole) return "100 %";
  return `${Math.min(99.9, Math.floor(part / whole * 1000) / 10)} %`;
}

/** What the first divergent events have to do with each other. */
export function firstText({ sides: [{ event: left }, { event: right }] }: Divergence, view: View): string {
  const { names, palette, symbols } = view;
  const plain = (event: MachineEvent): string => `cpu${event.cpu} ${whatText(event, palette, symbols)}`;
  if (left === undefined) return `${names[1]} has ${plain(right!)}, ${names[0]} nothing more`;
  if (right === undefined) return `${names[0]} has ${plain(left)}, ${names[1]} nothing more`;
  if (left.kind !== right.kind || left.cpu !== right.cpu) {
    const [earlier, name] = left.instant <= right.instant ? [left, names[0]] : [right, names[1]];
    return left.instant === right.instant
      ? `${names[0]} has ${plain(left)}; ${names[1]} has ${plain(right)}`
      : `only ${name} has ${plain(earlier)}`;
  }
  const fields = differingFields(left, right);
  if (left.instant !== right.instant) {
    const [earlier, name] = left.instant < right.instant ? [left, names[0]] : [right, names[1]];
    return fields.length === 0
      ? `${plain(earlier)} comes ${
        counted(Math.abs(right.instant - left.instant), "step")
      } earlier in ${name}`
      : `only ${name} has ${plain(earlier)}`;
  }
  if (isCounterRead(left) && isCounterRead(right)) return `a counter was read: ${plain(left)}`;
  if (fields.length === 1 && fields[0] === "value") {
    return `${plain(left)} in ${names[0]}, value=${fieldOf(right, "value")} in ${names[1]}`;
  }
  return fields.length === 0 ? plain(left) : `${plain(left)} differs in ${fields.join(", ")}`;
}

function fieldOf(event: MachineEvent, name: string): string {
  const value = (event as unknown as Record<string, unknown>)[name];
  return typeof value === "bigint" ? `0x${value.toString(16)}` : String(value);
}

/** The text in which a byte is, if it is in one, or some bytes from it on. */
function textAround(bytes: Uint8Array, at: number): string {
  const isPrintable = (index: number): boolean => (bytes[index] ?? 0) >= 0x20 && (bytes[index] ?? 0) < 0x7f;
  let [from, to] = [at, at];
  while (isPrintable(from - 1)) from--;
  while (isPrintable(to)) to++;
  if (to - from < 4) return `bytes ${bytes.slice(at, at + 8).toHex()}`;
  return JSON.stringify(String.fromCharCode(...bytes.slice(from, to)));
}

/** Where memory that differs from the start was first read, in words. */
export function useRows({ firstUse }: Divergence, { names, palette, symbols }: View): SummaryRow[] {
  if (firstUse === undefined) return [];
  const { instant, bytes, address, first, around, steps } = firstUse;
  const texts = around.map((side) =>
    textAround(side, Math.min(side.length - 1, Math.floor(side.length / 2)))
  );
  const value = (step: typeof steps[0]): string => {
    const read = step?.memory.find(({ write }) => !write);
    return read === undefined ? "?" : `0x${read.value.slice().reverse().toHex()}`;
  };
  const [step] = steps;
  const who = step === undefined
    ? "a device"
    : `cpu${step.cpu} ${whatText({ ...step, registers: [], memory: [] }, palette, symbols)}`;
  return [
    [
      "cause?",
      `memory differs from the start in ${counted(bytes, "byte")}, first at 0x${first.toString(16)}: ` +
      `${texts[0]} in ${names[0]}, ${texts[1]} in ${names[1]}`,
    ],
    [
      "",
      `read first at instant ${grouped(instant)} by ${who}, from 0x${address.toString(16)}: ` +
      `${value(steps[0])} in ${names[0]}, ${value(steps[1])} in ${names[1]}`,
    ],
  ];
}

/** Lines of a summary: a word, and what it says. */
export type SummaryRow = readonly [word: string, text: string];

/** The state after the difference, in words. */
function stateText({ healing }: Consequences): string {
  const { roots, equal, healedAt, first, last } = healing;
  if (roots === 0 || first === undefined || last === undefined) {
    return "there is no later root at one instant in both runs to tell whether the states meet again";
  }
  if (healedAt !== undefined) {
    return `healed: the states are equal from the root at instant ${
      grouped(healedAt)
    } on, to the last common root`;
  }
  const met = equal === 0
    ? "never meet again"
    : `meet at ${grouped(equal)} of ${counted(roots, "root")} and part again`;
  const parts = (list: readonly string[]): string =>
    list.length > 8 ? `${list.length} parts` : list.join(", ");
  const spread = first.parts.join() === last.parts.join()
    ? ` ${parts(last.parts)}`
    : ` ${parts(first.parts)} at ${grouped(first.instant)}; ${parts(last.parts)} at ${grouped(last.instant)}`;
  return `the states ${met} (${counted(roots, "common root")}); they differ in${spread}`;
}

function timeText({ timeShift }: Consequences, view: View): string[] {
  if (timeShift === undefined) return [];
  const { first, least, most, last } = timeShift;
  const behind = (shift: number): string =>
    `${counted(Math.abs(shift), "step")} ${shift < 0 ? "earlier" : "later"}`;
  if (least === most) return [`the same events come ${behind(first)} in ${view.names[1]}, always`];
  return [
    `in ${view.names[1]} the same events come ${behind(first)} at first, ${behind(last)} at last ` +
    `(between ${grouped(least)} and ${grouped(most)})`.replaceAll("-", "−"),
  ];
}

function consoleRows({ console }: Consequences, names: readonly [string, string]): SummaryRow[] {
  const { equal, only, differences } = console;
  if (only[0] + only[1] === 0) {
    return equal === 0 ? [] : [["console", `${counted(equal, "later line")}, the same in both`]];
  }
  const count = `${counted(only[0], "later line")} only in ${names[0]}, ${grouped(only[1])} only in ${
    names[1]
  }, ${grouped(equal)} in both`;
  const left = only[0] + only[1] - differences.length;
  return [
    ["console", count],
    ...differences.map(({ side, text }): SummaryRow => ["", `${side === 0 ? "−" : "+"} ${printable(text)}`]),
    ...left > 0 ? [["", `… and ${counted(left, "more line")}`] as const] : [],
  ];
}

/** A guest's text without what would move a terminal's cursor. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}]/gu, "·");
}

/** What followed, in rows. */
export function summaryRows(found: Divergence, followed: Consequences, view: View): SummaryRow[] {
  const { counts, hidden, events, last, sameAfter, addressShifts } = followed;
  const words = (list: readonly DifferenceClass[], of: Consequences["counts"]): string =>
    list.filter((name) => of[name] > 0).map((name) => `${grouped(of[name])} ${IN_WORDS[name](view.names)}`)
      .join(", ");
  const real = ["left", "right", "value", "address", "counter"] as const;
  const shown = Object.fromEntries(
    Object.entries(counts).map(([name, count]) => [name, count - hidden[name as DifferenceClass]]),
  ) as unknown as Consequences["counts"];
  const hiddenTotal = Object.values(hidden).reduce((sum, count) => sum + count, 0);
  const same = counts.same + counts.timing, [left] = events;
  const shifts = addressShifts.slice(0, 4).map(([shift, pairs]) =>
    `${shift < 0n ? "−" : "+"}0x${(shift < 0n ? -shift : shift).toString(16)} (${grouped(pairs)}×)`
  );
  const { effort } = found;
  return [
    ["first", `instant ${grouped(found.instant)}: ${firstText(found, view)}`],
    ...useRows(found, view),
    [
      "followed",
      words(real, shown) ||
      (counts.timing > hidden.timing
        ? "only timing: no event differs in anything else"
        : hiddenTotal > 0
        ? "nothing that is not hidden"
        : "nothing"),
    ],
    ...shifts.length > 0 && shown.address > 0
      ? [["", `addresses by ${shifts.join(", ")}${addressShifts.length > 4 ? ", …" : ""}`] as const]
      : [],
    ...last === undefined ? [] : [
      [
        "lasted",
        `to instant ${last.map((instant) => instant === undefined ? "–" : grouped(instant)).join(" / ")}; ${
          counted(sameAfter, "event")
        } after it ${sameAfter === 1 ? "is" : "are"} the same`,
      ] as const,
    ],
    [
      "the rest",
      `${grouped(same)} of ${counted(left, "later event")} of ${view.names[0]} (${share(same, left)}) ${
        same === 1 ? "is" : "are"
      } in ${view.names[1]} too, ${grouped(counts.same)} at the same instant`,
    ],
    ...timeText(followed, view).map((text): SummaryRow => ["", text]),
    ...consoleRows(followed, view.names),
    ["state", stateText(followed)],
    ...hiddenTotal === 0 ? [] : [
      [
        "hidden",
        `${counted(hiddenTotal, "difference")} by your filters: ${words(["timing", ...real], hidden)}`,
      ] as const,
    ],
    [
      "found by",
      `${counted(effort.rootsCompared, "stored root")} compared, ${counted(effort.probes, "root")} ` +
      `of replays, ${counted(effort.intervalSteps, "step")} of one interval replayed`,
    ],
  ];
}
