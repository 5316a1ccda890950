/**
 * Traces of device accesses that QEMU answered, and their replay on our models.
 *
 * One step per line, numbers hexadecimal: `r|w SIZE ADDRESS VALUE`, `i INTERRUPT LEVEL` for an input of the interrupt
 * controller, `g LINE LEVEL` for a line of the GPIO, `s BYTE` for one sent to the console, `l CPU LEVELS` for a look at a CPU's inputs. An access may end with
 * its CPU and security (`2s`, `0n`); a step may end with the levels of CPU 0's inputs when they change: IRQ, FIQ,
 * virtual IRQ, virtual FIQ.
 */
import { assertEquals } from "@std/assert";
import type { MappedDevice } from "../../../machine/memory/physical.ts";
import { by } from "./support.ts";

/** A frame of registers in a trace's address space. */
export interface Frame {
  /** First address. */
  readonly base: number;
  /** Bytes. */
  readonly size: number;
  /** What answers. */
  readonly device: MappedDevice;
}

/** What a trace is replayed on. */
export interface TraceTarget {
  /** Register frames. */
  readonly frames: readonly Frame[];
  /** Drives an input of the interrupt controller. */
  setInterrupt?(interrupt: number, level: boolean): void;
  /** Drives a line of the GPIO. */
  setGpio?(line: number, level: boolean): void;
  /** Sends a byte to the console. */
  send?(byte: number): void;
  /** Levels of a CPU's inputs, four digits. */
  levels?(cpu: number): string;
}

const LEVELS = /^[01]{4}$/;
const CONTEXT = /^[0-7][ns]$/;

function replayStep(words: readonly string[], target: TraceTarget, where: string): void {
  const [kind, ...numbers] = words;
  const [first = 0, second = 0, value = 0] = numbers.map((word) => parseInt(word, 16));
  if (kind === "i") return target.setInterrupt?.(first, second === 1);
  if (kind === "g") return target.setGpio?.(first, second === 1);
  if (kind === "s") return target.send?.(first);
  if (kind === "l") return assertEquals(target.levels?.(first).slice(0, words[2]!.length), words[2], where);
  const access = words.find((word) => CONTEXT.test(word)) ?? "0n";
  const context = by(Number(access[0]), access[1] === "s");
  const frame = target.frames.find(({ base, size }) => second >= base && second < base + size);
  if (frame === undefined) throw new RangeError(`${where}: nothing is there`);
  if (kind === "w") frame.device.write(second - frame.base, first, value, context);
  else assertEquals(frame.device.read(second - frame.base, first, context), value, where);
}

/** Replays a trace; each read and each level must be what QEMU gave. Returns the number of steps. */
export function replayTrace(name: string, lines: readonly string[], target: TraceTarget): number {
  let levels = "0000";
  const steps = lines.filter((line) => !line.startsWith("#"));
  for (const [index, line] of steps.entries()) {
    const words = line.split(" ");
    const where = `${name}, step ${index}: ${line}`;
    const hasLevels = LEVELS.test(words.at(-1)!) &&
      words.length === (words[0] === "i" || words[0] === "g" ? 4 : 5);
    if (hasLevels) levels = words.pop()!;
    replayStep(words, target, where);
    if (words[0] !== "l" && target.levels && !CONTEXT.test(words.at(-1)!)) {
      assertEquals(target.levels(0), levels, where);
    }
  }
  return steps.length;
}

/** Where a recorded trace is. */
export function tracePath(name: string): URL {
  return new URL(`../../fixtures/devices/${name}.txt`, import.meta.url);
}

/** A recorded trace. */
export async function readTrace(name: string): Promise<string[]> {
  return (await Deno.readTextFile(tracePath(name))).trimEnd().split("\n");
}
