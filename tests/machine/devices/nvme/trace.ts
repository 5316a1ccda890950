/**
 * Traces of an NVMe controller at work that QEMU answered, and their replay on our model.
 *
 * One step per line, numbers hexadecimal: `w|r OFFSET VALUE` of a register, `W ADDRESS BYTES` and `Z ADDRESS SIZE` for
 * what the driver writes to memory, `s` for time that passes until all is completed, `R ADDRESS SIZE HASH` for what is in
 * memory then, by the first 16 digits of its SHA-256.
 */
import { assertEquals } from "@std/assert";
import { createHash } from "node:crypto";
import { Rig } from "./support.ts";

/** A short hash of bytes. */
export function shortHash(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex").slice(0, 16);
}

/** Replays a trace on a fresh controller with an equal disk; every answer must be QEMU's. Returns the number of steps. */
export function replayNvmeTrace(name: string, lines: readonly string[]): number {
  const rig = new Rig();
  const steps = lines.filter((line) => !line.startsWith("#"));
  for (const [index, line] of steps.entries()) {
    const [kind, first = "", second = "", hash] = line.split(" ");
    const at = parseInt(first, 16), value = parseInt(second, 16);
    const where = `${name}, step ${index}: ${line}`;
    if (kind === "w") rig.write(at, value);
    else if (kind === "r") assertEquals(rig.read(at), value, where);
    else if (kind === "W") rig.put(at, Uint8Array.fromHex(second));
    else if (kind === "Z") rig.put(at, new Uint8Array(value));
    else if (kind === "R") assertEquals(shortHash(rig.bytes(at, value)), hash, where);
    else rig.settle();
  }
  return steps.length;
}

/** Where the recorded trace is. */
export const NVME_TRACE: URL = new URL("../../../fixtures/devices/nvme.txt", import.meta.url);
