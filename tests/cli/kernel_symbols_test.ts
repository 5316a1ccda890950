/** Tests of the symbols inside an arm64 Image, made here in the layouts that Linux has had. */
import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../cli/errors.ts";
import { kernelSymbols } from "../../cli/kernel_symbols.ts";
import { parseSymbols } from "../../cli/symbol_file.ts";
import { SEED, seededRandom } from "../journal/support.ts";

const START = 0xffff_8000_0800_0000n;
const COUNT = 600;
const CODE = 0x1_0000, EXPORTS = 20;

/** Where kallsyms puts what: 4.6 to 6.1, 6.2 and what took its search by name over, 6.4 and later. */
type Layout = "before" | "beforeWithOrder" | "behind";

/** Writes an Image from front to back. */
class Writer {
  readonly bytes = new Uint8Array(1 << 18);
  readonly view = new DataView(this.bytes.buffer);
  at = 0;

  align(): void {
    this.at = Math.ceil(this.at / 8) * 8;
  }
  u32(value: number): void {
    this.view.setUint32(this.at, value, true);
    this.at += 4;
  }
  u64(value: bigint): void {
    this.view.setBigUint64(this.at, value, true);
    this.at += 8;
  }
  put(bytes: Uint8Array | string): number {
    const at = this.at, data = typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes;
    this.bytes.set(data, at);
    this.at += data.length;
    return at;
  }
}

const nameOf = (index: number): string => `${index === 3 ? "D" : "T"}function_${index}`;

function offsets(writer: Writer, isRelocated: boolean): { baseAt: number } {
  writer.align();
  for (let index = 0; index < COUNT; index++) writer.u32(16 * index);
  writer.align();
  const baseAt = writer.at;
  writer.u64(isRelocated ? 0n : START + BigInt(CODE));
  return { baseAt };
}

/** An Image with COUNT functions from CODE on, 16 bytes each, and EXPORTS exported variables. */
function imageOf(layout: Layout, isRelocated: boolean): Uint8Array {
  const writer = new Writer();
  writer.put("MZ");
  writer.at = 56;
  writer.put("ARMd");
  writer.at = 4096;
  // Every name comes by its characters; token 1 stands for what all begin with.
  const tokens = Array.from(
    { length: 256 },
    (_, token) =>
      token === 1 ? "function_" : token > 32 && token < 127 ? String.fromCharCode(token) : `?${token}`,
  );
  let place = layout === "behind" ? undefined : offsets(writer, isRelocated);
  writer.align();
  writer.u32(COUNT);
  writer.align();
  const marks: number[] = [], namesAt = writer.at;
  for (let index = 0; index < COUNT; index++) {
    if (index % 256 === 0) marks.push(writer.at - namesAt);
    const name = nameOf(index);
    const codes = [name.charCodeAt(0), 1, ...new TextEncoder().encode(name.slice(10))];
    writer.put(Uint8Array.of(codes.length, ...codes));
  }
  writer.align();
  for (const mark of marks) writer.u32(mark);
  if (layout === "beforeWithOrder") {
    writer.align();
    writer.put(new Uint8Array(3 * COUNT).fill(0x77));
  }
  writer.align();
  const tokensAt = writer.at, starts: number[] = [];
  for (const token of tokens) starts.push(writer.put(`${token}\0`) - tokensAt);
  writer.align();
  for (const start of starts) {
    writer.view.setUint16(writer.at, start, true);
    writer.at += 2;
  }
  place ??= offsets(writer, isRelocated);
  writeExports(writer);
  if (isRelocated) {
    writer.align();
    for (const value of [START + BigInt(place.baseAt), 1027n, START + BigInt(CODE)]) writer.u64(value);
  }
  return writer.bytes.slice(0, writer.at + 64);
}

function writeExports(writer: Writer): void {
  const names = Array.from({ length: EXPORTS }, (_, index) => writer.put(`variable_${index}\0`));
  const space = writer.put("\0");
  // The name of one is the end of another's.
  names[5]! += 3;
  writer.at = Math.ceil(writer.at / 4) * 4;
  for (const [index, name] of names.entries()) {
    const at = writer.at;
    writer.view.setInt32(at, 0x20_0000 + 8 * index - at, true);
    writer.view.setInt32(at + 4, name - (at + 4), true);
    writer.view.setInt32(at + 8, space - (at + 8), true);
    writer.at += 12;
  }
}

for (const layout of ["before", "beforeWithOrder", "behind"] as const) {
  for (const isRelocated of [true, false]) {
    Deno.test(`kernelSymbols reads kallsyms ${layout} the names' tables${isRelocated ? ", relocated" : ""}`, () => {
      const symbols = kernelSymbols(imageOf(layout, isRelocated), "image");
      const named = new Map(symbols.map(({ name, address }) => [name, address]));
      assertEquals(symbols.length, COUNT + EXPORTS);
      assertEquals(named.get("function_0"), START + 0x1_0000n);
      assertEquals(named.get("function_599"), START + 0x1_0000n + 16n * 599n);
      assertEquals(named.get("variable_0"), START + 0x20_0000n);
      assertEquals(named.get("iable_5"), START + 0x20_0028n);
    });
  }
}

Deno.test("parseSymbols takes an arm64 Image, and moves its symbols", () => {
  const [first] = parseSymbols(imageOf("before", true), "image", 0x1000n);
  assertEquals(first, { name: "function_0", address: START + 0x1_1000n, size: 0n, rank: 7 });
});

Deno.test("kernelSymbols refuses an Image without kallsyms, and survives damage", () => {
  const image = imageOf("behind", true), random = seededRandom(SEED);
  const without = new Uint8Array(4096);
  without.set(image.subarray(0, 64));
  assertThrows(() => kernelSymbols(without, "image"), UsageError, "CONFIG_KALLSYMS");
  for (let round = 0; round < 60; round++) {
    const damaged = image.slice(0, round % 3 === 0 ? random(image.length) : image.length);
    for (let flips = random(20); flips > 0; flips--) damaged[random(damaged.length)] = random(256);
    try {
      kernelSymbols(damaged, "image");
    } catch (error) {
      if (!(error instanceof UsageError)) throw new Error(`seed ${SEED}, round ${round}`, { cause: error });
    }
  }
});
