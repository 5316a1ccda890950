/** What differs between the runs of two scans, told as a kernel developer would: mapped, unmapped, moved, retyped. */
import { partOf, runText, type ScanRun } from "../../../hypervisor/systems/gva_scan/runs.ts";

/**
 * A stretch of addresses that two scans do not agree about. `mapped` and `unmapped`: only one has something there.
 * `moved`: it leads to another address. `changed`: to the same one, in another state or with other attributes.
 */
export interface ScanChange {
  /** What happened from the first scan to the second. */
  readonly kind: "mapped" | "unmapped" | "moved" | "changed";
  /** The stretch as the first scan has it. */
  readonly before?: ScanRun;
  /** As the second has it. */
  readonly after?: ScanRun;
}

function changeOf(before: ScanRun | undefined, after: ScanRun | undefined): ScanChange | undefined {
  if (before === undefined) return after && { kind: "mapped", after };
  if (after === undefined) return { kind: "unmapped", before };
  if (before.ipa !== after.ipa || before.pa !== after.pa) return { kind: "moved", before, after };
  const isSame = before.state === after.state && before.attributes === after.attributes;
  return isSame ? undefined : { kind: "changed", before, after };
}

/** All differences, by address. Both lists are sorted, as scans are. */
export function diffScans(before: readonly ScanRun[], after: readonly ScanRun[]): ScanChange[] {
  const edges = new Set<bigint>();
  for (const { gva, size } of [...before, ...after]) edges.add(gva).add(gva + size);
  const places = [...edges].sort((a, b) => a < b ? -1 : 1), changes: ScanChange[] = [];
  const covering = (runs: readonly ScanRun[]) => {
    let next = 0;
    return (from: bigint, to: bigint): ScanRun | undefined => {
      while (next < runs.length && runs[next]!.gva + runs[next]!.size <= from) next++;
      const run = runs[next];
      return run !== undefined && run.gva <= from ? partOf(run, from, to) : undefined;
    };
  };
  const [left, right] = [covering(before), covering(after)];
  for (let at = 0; at + 1 < places.length; at++) {
    const from = places[at]!, to = places[at + 1]!;
    const change = changeOf(left(from, to), right(from, to));
    if (change !== undefined) changes.push(change);
  }
  return changes;
}

/** A change in one line, or two where something is on both sides. */
export function changeText({ kind, before, after }: ScanChange): string {
  return [`${kind}:`, ...[before, after].filter((run) => run !== undefined).map(runText)].join(" ");
}
