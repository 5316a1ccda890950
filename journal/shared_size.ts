/** How much memory snapshots take together, counting what they share once. */
import type { Snapshot } from "../machine/machine.ts";
import type { PageGroup } from "../machine/memory/page_map.ts";

/** Bytes beside those of an array of bytes, about. */
const ARRAY_SIZE = 232;
/** Bytes of a reference, and of an entry of the tables that count. */
const REFERENCE_SIZE = 8, ENTRY_SIZE = 56;

/** Counts holders of objects, and adds up the sizes of those that have any. */
export class SharedSize {
  readonly #holders = new Map<object, number>();
  /** Bytes of all that is held. */
  bytes = 0;

  /** One holder more; true when it is the first. */
  #hold(thing: object, size: number): boolean {
    const holders = this.#holders.get(thing) ?? 0;
    this.#holders.set(thing, holders + 1);
    if (holders > 0) return false;
    this.bytes += size + ENTRY_SIZE;
    return true;
  }

  /** One holder less; true when it was the last. */
  #release(thing: object, size: number): boolean {
    const holders = (this.#holders.get(thing) as number) - 1;
    if (holders > 0) {
      this.#holders.set(thing, holders);
      return false;
    }
    this.#holders.delete(thing);
    this.bytes -= size + ENTRY_SIZE;
    return true;
  }

  /** A snapshot is held once more. */
  add(snapshot: Snapshot): void {
    this.#visit(snapshot, (thing, size) => this.#hold(thing, size));
  }

  /** And once less. */
  remove(snapshot: Snapshot): void {
    this.#visit(snapshot, (thing, size) => this.#release(thing, size));
  }

  /** Goes into what is held for the first, or released for the last time. */
  #visit({ pages, sections, disks }: Snapshot, take: (thing: object, size: number) => boolean): void {
    if (take(pages, REFERENCE_SIZE * pages.groups.length + ARRAY_SIZE)) {
      for (const group of pages.groups) if (group !== undefined) visitGroup(group, take);
    }
    for (const section of sections) take(section, section.bytes.length + ARRAY_SIZE);
    for (const { durable, volatile } of disks.values()) {
      for (const layer of [durable, volatile]) {
        if (!take(layer, layer.size * ENTRY_SIZE)) continue;
        for (const chunk of layer.values()) take(chunk, chunk.bytes.length + ARRAY_SIZE);
      }
    }
  }
}

function visitGroup(group: PageGroup, take: (thing: object, size: number) => boolean): void {
  if (!take(group, REFERENCE_SIZE * group.length)) return;
  for (const page of group) if (page !== undefined) take(page, page.length + ARRAY_SIZE);
}
