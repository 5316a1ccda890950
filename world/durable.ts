/** What of a machine survives a loss of power: its disks, and flash banks that are files. */
import { sha256 } from "../journal/hash.ts";
import { ByteWriter } from "../machine/layout.ts";
import type { Machine, Snapshot } from "../machine/machine.ts";
import { PAGE_SIZE } from "../machine/memory/physical.ts";
import type { DiskContents } from "../machine/storage/disk.ts";

/** What survives a loss of power: disks by id, pages of the flash banks. */
export interface Durable {
  /** Disks by id, with what reached them. */
  readonly disks: ReadonlyMap<string, DiskContents>;
  /** Pages of flash banks by number; undefined for erased ones. */
  readonly flash: ReadonlyMap<number, Uint8Array | undefined>;
}

/** Memory that survives a loss of power. */
const FLASH = /^flash/;

/** Numbers of the pages of flash banks that are files of the configuration; with `-bios` nothing survives. */
function flashPages({ configuration, board }: Machine, { pages }: Pick<Snapshot, "pages">): number[] {
  if (configuration.boot.pflash.length === 0) return [];
  const banks = board.memory.regions.filter(({ name }) => FLASH.test(name));
  return [...pages.keys()].filter((page) =>
    banks.some(({ hostOffset, size }) =>
      page * PAGE_SIZE >= hostOffset && page * PAGE_SIZE < hostOffset + size
    )
  );
}

/** What a machine keeps without power, if it can keep anything. */
export function durableOf(machine: Machine): Durable | undefined {
  const { board: { disks }, configuration: { boot } } = machine;
  if (disks.size === 0 && boot.pflash.length === 0) return undefined;
  const snapshot = machine.snapshot();
  return {
    disks: new Map(
      [...snapshot.disks].map(([id, { durable }]) => [id, { durable, volatile: new Map() }]),
    ),
    flash: new Map(flashPages(machine, snapshot).map((page) => [page, snapshot.pages.get(page)])),
  };
}

const chunkHashes = new WeakMap<Uint8Array, Uint8Array>();

/** SHA-256 of bytes that never change. */
function hashOf(bytes: Uint8Array): Uint8Array {
  const hash = chunkHashes.get(bytes) ?? sha256(bytes);
  chunkHashes.set(bytes, hash);
  return hash;
}

/** What tells durable states apart. */
export function durableRootOf({ disks, flash }: Durable): Uint8Array {
  const writer = new ByteWriter();
  for (const { durable } of disks.values()) {
    writer.u32(durable.size);
    for (const [number, { bytes }] of [...durable].sort(([a], [b]) => a - b)) {
      writer.u53(number);
      writer.raw(hashOf(bytes));
    }
  }
  for (const [page, bytes] of flash) {
    writer.u53(page);
    if (bytes !== undefined) writer.raw(hashOf(bytes));
  }
  return sha256(writer.view());
}

/** Puts a machine that was powered on in the state in which its disks and flash banks are as they were left. */
export function restoreDurable(machine: Machine, { disks, flash }: Durable): void {
  const fresh = machine.snapshot();
  const erased = flashPages(machine, fresh).filter((page) => !flash.has(page));
  const changes = new Map([...flash, ...erased.map((page) => [page, undefined] as const)]);
  machine.restore({ ...fresh, disks, pages: fresh.pages.with(changes) });
}
